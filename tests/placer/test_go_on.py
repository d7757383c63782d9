"""Going on with a night in its midst: what is done stays done, what has failed is planned around, little is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from placer.go_on import go_on
from placer.judge.verify import verify
from placer_models.decision import shipped_decision
from placer_models.document import Faults, dump
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot
from tests.midway_nights import seen
from tests.night_stories import STORIES, told
from tests.placer.test_consolidate import desk, host, night
from tests.slow_replay import slow_verdict

FARM = {"name": "farm", "whole_host": True, "hours": 6, "value": 5}


def clock(text: str) -> datetime:
    """A time of the night, in UTC: its window is from 21:00 until 05:30."""
    return datetime.fromisoformat(f"2026-11-{'20' if text > '12' else '21'}T{text}").replace(tzinfo=UTC)


def onward(snapshot: Snapshot, plan: Plan, text: str, **wrong: Any) -> Plan:
    """The plan that goes on at a time; the judge has replayed it, and the slow replay does so here."""
    fresh = seen(snapshot, plan, clock(text), **wrong)
    found = go_on(fresh, plan)
    assert dump(go_on(fresh, plan)) == dump(found)
    assert verify(fresh, found) == []
    assert found.asked is not None
    rules = shipped_decision("consolidate").rules_of(fresh.rules)
    assert slow_verdict(fresh.content, rules, found.asked.request, found.asked.jobs, found) is None
    assert found.continued is not None
    before = {step.id for step in plan.steps}
    became = found.continued
    told_of = [*became.done, *became.kept, *became.changed, *(one.step for one in became.dropped)]
    assert sorted(told_of) == sorted(before)
    assert set(became.new) == {step.id for step in found.steps} - before
    return found


def two_desks() -> tuple[Snapshot, Plan]:
    """esx01 is freed for a farm: one desk after the other goes to esx02, and there is a third host."""
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx01", slot=1), desk("stays", "esx02", live_migrate=False)]
    return night([host("esx01"), host("esx02"), host("esx03", cpus=2)], vms, [FARM], free=["esx01"])


@pytest.mark.parametrize("name", [name for name in STORIES if not name.startswith("ninety")])
def test_where_all_goes_as_planned_nothing_is_changed(name: str) -> None:
    story, plan = told(name)
    last = max((window.until for window in plan.window), default=None)
    if story.earlier is not None or last is None:
        return
    for at in sorted(
        {step.end + timedelta(seconds=2) for step in plan.steps if step.end + timedelta(seconds=2) < last}
    ):
        found = go_on(seen(story.snapshot, plan, at), plan)
        assert found.continued is not None
        assert (found.continued.changed, found.continued.dropped, found.continued.new) == ((), (), ()), at
        assert found.score == plan.score
        assert [(step.id, step.start) for step in found.steps] == [(step.id, step.start) for step in plan.steps]


def test_a_desk_whose_migration_failed_goes_to_another_host_and_the_job_still_runs() -> None:
    snapshot, plan = two_desks()
    first, second = (step for step in plan.steps if step.kind == "migrate" and step.leaves == "esx01")
    found = onward(snapshot, plan, "21:01:00", failed=[second.id])
    assert found.score["job-value"] == 5
    again = [step for step in found.steps if step.vm == second.vm]
    assert [step.reaches for step in again] == ["esx03", "esx01"]
    assert [step.id for step in found.steps if step.vm == first.vm] == [s.id for s in plan.steps if s.vm == first.vm]
    assert found.continued is not None
    (why,) = [one.why for one in found.continued.dropped if one.step == second.id]
    assert why.startswith(f"{second.vm} was to be on esx02 by ")


def test_where_no_other_host_takes_it_the_host_is_not_freed_and_who_has_left_returns() -> None:
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx01", slot=1), desk("stays", "esx02", live_migrate=False)]
    snapshot, plan = night([host("esx01"), host("esx02")], vms, [FARM], free=["esx01"])
    first, second = (step for step in plan.steps if step.kind == "migrate" and step.leaves == "esx01")
    found = onward(snapshot, plan, "21:01:00", failed=[second.id])
    assert found.freed == found.jobs == ()
    assert [(step.vm, step.reaches) for step in found.steps if step.start > clock("21:01:00")] == [(first.vm, "esx01")]
    assert [one.vm for one in found.unmoved] == [second.vm]


def test_sleepers_are_resumed_on_their_first_host() -> None:
    full = [desk(f"full-{i}", "esx01", f"g{i // 4}", i % 4) for i in range(8)]
    idle = desk("idle", "esx02", live_migrate=True, suspend=True)
    vms = [*full, idle, desk("other", "esx02", slot=1, live_migrate=True, suspend=True)]
    snapshot, plan = night([host("esx01"), host("esx02")], vms, [FARM])
    first, second = (step for step in plan.steps if step.kind == "suspend")
    found = onward(snapshot, plan, "22:00:00", failed=[second.id])
    assert found.asked is not None
    assert found.asked.begun is not None
    assert found.asked.begun.homes == {first.vm: "esx02"}
    assert [(step.kind, step.reaches) for step in found.steps if step.vm == first.vm] == [
        ("suspend", None),
        ("resume", "esx02"),
    ]
    assert [step for step in found.steps if step.vm == second.vm] == []


def test_a_vm_whose_first_host_is_lost_stays_where_it_is_and_that_is_said() -> None:
    snapshot, plan = two_desks()
    found = onward(snapshot, plan, "23:00:00", lost=["esx01"])
    assert found.asked is not None
    assert found.asked.begun is not None
    assert set(found.asked.begun.excused.values()) == {"its host esx01 is disconnected"}
    assert set(found.asked.begun.excused) == {"desk-1", "desk-2"}
    assert found.jobs == ()
    assert found.continued is not None
    assert any("has lost its host" in said for said in found.continued.said)


def test_a_host_that_was_lost_and_is_back_gets_its_desks_home_again() -> None:
    snapshot, plan = two_desks()
    lost = go_on(seen(snapshot, plan, clock("23:00:00"), lost=["esx01"]), plan)
    again = go_on(seen(snapshot, lost, clock("23:30:00")), lost)
    assert again.asked is not None
    assert again.asked.begun is not None
    assert again.asked.begun.excused == {}
    assert {step.vm: step.reaches for step in again.steps if step.vm} == {"desk-1": "esx01", "desk-2": "esx01"}


def test_a_run_that_takes_longer_goes_on_as_long_as_its_host_is_free() -> None:
    snapshot, plan = two_desks()
    until = {"farm": [{"instance": 0, "until": "2026-11-21T04:45:00Z"}]}
    found = onward(snapshot, plan, "03:15:00", running=until)
    assert [run.end for run in found.jobs] == [clock("04:45:00")]
    assert found.score["job-value"] == 5
    late = {"farm": [{"instance": 0, "until": "2026-11-21T07:00:00Z"}]}
    cut = onward(snapshot, plan, "03:15:00", running=late)
    assert cut.score["job-value"] == 0
    assert max(run.end for run in cut.jobs) <= min(step.start for step in cut.steps if step.reaches == "esx01")


def test_a_run_that_has_stopped_is_begun_again_where_there_is_time() -> None:
    snapshot, plan = two_desks()
    found = onward(snapshot, plan, "22:00:00", running={"farm": []})
    assert [(run.instance, run.start >= clock("22:00:00")) for run in found.jobs] == [(0, True)]
    assert found.score["job-value"] == 5


def test_a_stranger_on_a_freed_host_ends_its_run() -> None:
    snapshot, plan = two_desks()
    fresh = seen(snapshot, plan, clock("23:00:00"))
    stranger = fresh.content.vms["stays"].model_copy(update={"name": "stranger", "host": "esx01"})
    fresh = fresh.with_parts(vms=(*fresh.vms, stranger), sha256="e" * 64)
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert all(run.end <= clock("23:00:00") for run in found.jobs)
    assert found.continued is not None
    assert "instance 0 of farm has to stop: stranger stands on esx01" in found.continued.said


def test_who_has_been_moved_may_be_suspended_then_and_is_resumed_at_home() -> None:
    vms = [desk("a", "esx01", live_migrate=True, suspend=True), desk("stays", "esx02", slot=1, live_migrate=False)]
    snapshot, plan = night([host("esx01"), host("esx02")], vms, [FARM], free=1, limits={"most_moves": 2})
    fresh = seen(snapshot, plan, clock("22:00:00"))
    stranger = fresh.content.vms["stays"].model_copy(update={"name": "stranger", "host": "esx01"})
    fresh = fresh.with_parts(vms=(fresh.content.vms["a"], stranger), sha256="e" * 64)
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert [(step.kind, step.leaves or step.reaches) for step in found.steps if step.vm == "a"] == [
        ("migrate", "esx01"),
        ("suspend", "esx02"),
        ("resume", "esx01"),
    ]
    assert found.score["job-value"] == 5


def test_a_rule_that_was_broken_as_the_night_began_is_no_reason_not_to_come_home() -> None:
    apart = {"kind": "apart", "vms": ["desk-1", "desk-2"]}
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx01", slot=1)]
    snapshot, plan = night([host("esx01"), host("esx02"), host("esx03")], vms, [FARM], [apart], free=["esx01"])
    assert {step.reaches for step in plan.steps if step.leaves == "esx01"} == {"esx02", "esx03"}
    fresh = seen(snapshot, plan, clock("23:00:00"))
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert [step.id for step in found.steps] == [step.id for step in plan.steps]
    assert found.score == plan.score


def test_in_the_last_seconds_of_the_last_window_who_is_not_back_is_named() -> None:
    snapshot, plan = two_desks()
    first, second = (step for step in plan.steps if step.reaches == "esx01")
    assert second.end == plan.window[-1].until
    found = go_on(seen(snapshot, plan, second.start + timedelta(seconds=1), failed=[first.id]), plan)
    assert found.asked is not None
    assert found.asked.begun is not None
    assert found.asked.begun.excused == {first.vm: "is not back as the window ends"}


def test_who_is_not_back_as_the_first_of_two_windows_ends_is_excused_and_the_second_night_is_planned() -> None:
    windows = [
        {"from": "2026-11-20T21:00:00Z", "until": "2026-11-21T05:30:00Z"},
        {"from": "2026-11-21T21:00:00Z", "until": "2026-11-22T05:30:00Z"},
    ]
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx01", slot=1), desk("stays", "esx02", live_migrate=False)]
    snapshot, plan = night([host("esx01"), host("esx02")], vms, [], free=["esx01"], windows=windows)
    first, last = (step for step in plan.steps if step.reaches == "esx01" and step.end <= plan.window[0].until)
    at = last.start + timedelta(seconds=5)
    fresh = seen(snapshot, plan, at, failed=[first.id])
    late = go_on(fresh, plan)
    assert verify(fresh, late) == []
    assert late.asked is not None
    assert late.asked.begun is not None
    assert late.asked.begun.excused.keys() == {first.vm}
    assert [freed.host for freed in late.freed if freed.from_ > at] == ["esx01"]


def test_a_step_under_way_to_a_host_that_is_lost_has_failed() -> None:
    snapshot, plan = two_desks()
    first = next(step for step in plan.steps if step.reaches == "esx02")
    fresh = seen(snapshot, plan, first.start + timedelta(seconds=2), lost=["esx02"])
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert found.continued is not None
    assert first.id in {one.step for one in found.continued.dropped}
    assert [step.reaches for step in found.steps if step.vm == first.vm] == []


def test_a_plan_that_went_on_can_be_gone_on_with() -> None:
    snapshot, plan = two_desks()
    (_, second) = (step for step in plan.steps if step.kind == "migrate" and step.leaves == "esx01")
    once = onward(snapshot, plan, "21:01:00", failed=[second.id])
    twice = go_on(seen(snapshot, once, clock("23:00:00")), once)
    assert twice.continued is not None
    assert twice.continued.new == twice.continued.changed == twice.continued.dropped == ()
    assert twice.score == once.score


def test_a_plan_is_not_gone_on_with_before_it_begins_itself() -> None:
    snapshot, plan = two_desks()
    once = go_on(seen(snapshot, plan, clock("23:00:00")), plan)
    with pytest.raises(Faults, match="expected one no earlier than the plan itself begins"):
        go_on(seen(snapshot, plan, clock("22:00:00")), once)


def test_when_no_window_is_left_there_is_nothing_to_go_on_with() -> None:
    snapshot, plan = two_desks()
    with pytest.raises(Faults, match="expected a time before its last window ends"):
        go_on(seen(snapshot, plan, clock("05:31:00")), plan)


def test_a_request_that_names_a_host_that_is_gone_is_refused_in_a_sentence() -> None:
    snapshot, plan = two_desks()
    fresh = seen(snapshot, plan, clock("20:00:00"))
    hosts = tuple(one for one in fresh.hosts if one.name != "esx01")
    vms = tuple(one for one in fresh.vms if one.host != "esx01")
    with pytest.raises(Faults, match="found 'esx01', expected a host of this snapshot"):
        go_on(fresh.with_parts(hosts=hosts, vms=vms), plan)


@pytest.mark.parametrize(
    "name",
    [
        "one-uplink-takes-one-move-at-a-time",
        "manager-gives-the-first-slot-again-when-vgpus-come-back",
        "mig-instances-are-gathered-so-that-a-7g-can-train",
        "two-nights-do-what-one-cannot",
        "early-riser-is-back-by-five-and-the-others-by-half-past-six",
        "store-has-room-for-one-sleeping-desktop-so-one-host-is-freed",
    ],
)
def test_any_single_failure_is_planned_around_and_nobody_is_forgotten(name: str) -> None:
    story, plan = told(name)
    homes = {vm.name: vm.host for vm in story.snapshot.vms if vm.power == "on"}
    for step in [step for step in plan.steps if step.vm is not None]:
        if step.end >= plan.window[-1].until:
            continue
        fresh = seen(story.snapshot, plan, step.end, failed=[step.id])
        found = go_on(fresh, plan)
        assert verify(fresh, found) == []
        assert found.asked is not None
        assert found.asked.begun is not None
        ends = {one.vm: one.reaches for one in found.steps if one.vm is not None}
        away = {vm for vm, host in ends.items() if host != homes[vm]}
        assert away <= set(found.asked.begun.excused), (step.id, ends)


def test_a_training_that_was_interrupted_goes_on_with_what_it_has_saved() -> None:
    farm = {**FARM, "checkpointed": True}
    snapshot, plan = night([host("esx01"), host("esx02"), host("esx03")], [desk("d", "esx01")], [farm], free=2)
    (run,) = plan.jobs
    found = onward(snapshot, plan, "00:00:00", lost=[run.host])
    first, second = sorted(found.jobs, key=lambda one: one.start)
    assert (first.host, first.end) == (run.host, clock("00:00:00"))
    assert second.host != run.host
    done = (first.end - first.start) + (second.end - second.start)
    assert done == timedelta(hours=6, minutes=10)
    assert found.score["job-value"] == plan.score["job-value"] == 5


def test_what_the_first_night_has_begun_the_second_ends_although_a_desk_did_not_go_as_planned() -> None:
    farm = {**FARM, "hours": 12, "checkpointed": True}
    nights = [{"from": "22:00", "until": "06:30", "zone": "Europe/Berlin", "first": "2026-11-20", "nights": 2}]
    snapshot, plan = night([host("esx01"), host("esx02")], [desk("d", "esx01")], [farm], windows=nights, free=["esx01"])
    assert len(plan.jobs) == 2
    found = onward(snapshot, plan, "03:00:00", running={"farm": [{"instance": 0, "until": "2026-11-21T05:29:00Z"}]})
    assert found.score["job-value"] == 5
    stopped = onward(snapshot, plan, "03:00:00", running={"farm": []})
    assert stopped.score["job-value"] == 0  # what is left of both nights is not enough


def test_a_host_that_is_lost_is_free_no_more() -> None:
    snapshot, plan = two_desks()
    at = clock("23:00:00")
    fresh = seen(snapshot, plan, at, lost=["esx01", "esx03"])
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert max(freed.until for freed in found.freed if freed.host in ("esx01", "esx03")) == at


def test_a_host_that_somebody_never_left_has_not_been_free() -> None:
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx01", slot=1), desk("stays", "esx02", live_migrate=False)]
    late = FARM | {"not_before": "2026-11-20T23:30:00Z", "hours": 2}
    snapshot, plan = night([host("esx01"), host("esx02"), host("esx03", cpus=2)], vms, [late], free=["esx01"])
    (freed,) = (freed for freed in plan.freed if freed.host == "esx01")
    second = [step for step in plan.steps if step.leaves == "esx01"][-1]
    found = onward(snapshot, plan, "22:00:00", failed=[second.id])
    assert min(one.from_ for one in found.freed if one.host == "esx01") > clock("22:00:00") > freed.from_
    assert found.score["job-value"] == 5


def test_a_bound_reckons_with_a_rule_that_was_broken_as_the_night_began() -> None:
    def server(name: str, on: str, **may: bool) -> dict[str, Any]:
        return {"name": name, "power": "on", "host": on, "cpus": 4, "memory_mib": 1024, "may": may}

    few = {"kind": "limit", "most_vms": 1, "hosts": ["esx02"]}
    vms = [server("a", "esx01", live_migrate=True), server("b", "esx02", suspend=True), server("c", "esx02")]
    snapshot, plan = night([host("esx01", cpus=4), host("esx02", cpus=8)], vms, [], [few], free=["esx01"])
    asleep = next(step for step in plan.steps if step.kind == "suspend")
    fresh = seen(snapshot, plan, asleep.end)
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert (found.score["hosts-freed"], found.bound["hosts-freed"]) == (1, 1)


def test_no_bound_asks_a_host_that_was_free_in_the_first_night_to_be_so_for_the_first_time_in_the_second() -> None:
    nights = [
        {"from": f"2026-11-{day}T22:00:00+01:00", "until": f"2026-11-{day + 1}T06:30:00+01:00"} for day in (20, 21)
    ]
    slow = {"measured": {"migrate_seconds": 3600}}
    vms = [desk("slow", "esx01") | slow, desk("desk", "esx02"), desk("stays", "esx03", live_migrate=False)]
    hosts, limits = [host("esx01"), host("esx02"), host("esx03")], {"moves_at_once_per_host": 2}
    snapshot, plan = night(hosts, vms, [], windows=nights, limits=limits)
    assert plan.score["hosts-freed"] == 2
    fresh = seen(snapshot, plan, clock("05:29:30"))
    stranger = {**desk("stranger", "esx02", suspend=True), "gpus": []}
    values = fresh.model_dump(mode="json", by_alias=True, exclude_none=True)
    fresh = Snapshot.of({**values, "vms": [*values["vms"], stranger]})
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert found.score["hosts-freed"] == 2
    assert found.continued is not None
    assert found.continued.said == ("stranger stands on esx02, which was to be free until 2026-11-21T05:29:41Z",)


def test_while_a_long_migration_goes_on_no_job_begins_on_a_host_that_a_desk_did_not_leave() -> None:
    long = {"measured": {"migrate_seconds": 7200}}
    vms = [
        desk("desk-1", "esx01"),
        desk("desk-2", "esx01", slot=1),
        desk("long", "esx02") | long,
        desk("stays", "esx03", live_migrate=False),
    ]
    render = {"name": "render", "whole_host": True, "hours": 5, "value": 5}
    limits = {"moves_at_once_per_host": 2, "links": [{"label": "rack", "moves_at_once": 1}]}
    hosts = [host("esx01", labels={"rack": "r1"}), host("esx02"), host("esx03")]
    snapshot, plan = night(hosts, vms, [render], free=["esx01", "esx02"], limits=limits)
    first, second = (step for step in plan.steps if step.leaves == "esx01")
    assert [run.start for run in plan.jobs] == [second.end], "while the long migration goes on"
    found = onward(snapshot, plan, f"{second.start + timedelta(seconds=5):%H:%M:%S}", failed=[first.id])
    assert (found.score["job-value"], found.jobs) == (0, ())
