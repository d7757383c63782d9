"""Nights of two to four hosts: what is freed, what runs there, and that everything is back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from placer.consolidate import consolidate
from placer.judge.timed import TimedReplay
from placer.solve.night import solve_target
from placer_models.decision import shipped_decision
from placer_models.document import Faults, dump, parse
from placer_models.night import Consolidate
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot


def at(day: int) -> str:
    return f"2026-11-{day}T22:00:00+01:00"


WINDOW = {"from": "2026-11-20T22:00:00+01:00", "until": "2026-11-21T06:30:00+01:00"}


def host(name: str, **more: Any) -> dict[str, Any]:
    gpus = [{"id": f"g{i}", "model": "Tesla M60", "sharing": "same-size", "board": "b"} for i in range(2)]
    return {"name": name, "cpus": 32, "memory_mib": 131072, "gpus": gpus, **more}


def desk(name: str, at: str, gpu: str = "g0", slot: int = 0, profile: str = "M60-2Q", **may: bool) -> dict[str, Any]:
    held = [{"profile": profile, "at": [{"gpu": gpu, "slot": slot}]}]
    return {
        "name": name,
        "power": "on",
        "host": at,
        "cpus": 2,
        "memory_mib": 4096,
        "gpus": held,
        "may": may or {"live_migrate": True},
    }


def night(
    hosts: list[dict[str, Any]],
    vms: list[dict[str, Any]],
    jobs: list[dict[str, Any]],
    rules: Sequence[dict[str, Any]] = (),
    **request: Any,
) -> tuple[Snapshot, Plan]:
    """The snapshot of a night, and its plan; the judge has replayed it, and does so again here."""
    asked = {"kind": "consolidate", "windows": [WINDOW], **request}
    values = {
        "format": "placer.snapshot/1",
        "cluster": "night",
        "taken_at": "2026-11-20T18:00:00Z",
        "platform": {"kind": "vsphere", "version": "8.0.3"},
        "hosts": hosts,
        "vms": vms,
        "rules": list(rules),
        "requests": [asked],
        "jobs": jobs,
    }
    snapshot = Snapshot.of(values)
    (wanted,) = snapshot.requests
    assert isinstance(wanted, Consolidate)
    plan = consolidate(snapshot, wanted, snapshot.jobs)
    assert dump(consolidate(snapshot, wanted, snapshot.jobs)) == dump(plan)
    holding = shipped_decision("consolidate").rules_of(snapshot.rules)
    assert TimedReplay(snapshot.content, holding, wanted, snapshot.jobs, plan).faults == []
    return snapshot, plan


def test_a_desktop_on_a_host_in_maintenance_stays_as_it_could_not_come_back() -> None:
    hosts = [host("esx01", state="maintenance"), host("esx02"), host("esx03")]
    vms = [desk("desk-1", "esx01", suspend=True, live_migrate=True), desk("desk-2", "esx02")]
    _, plan = night(hosts, vms, [{"name": "farm", "whole_host": True, "hours": 8, "value": 5, "instances": 3}])
    assert not [step for step in plan.steps if step.vm == "desk-1"]
    (stays,) = (one for one in plan.unmoved if one.vm == "desk-1")
    assert "could not come back to esx01, which is in maintenance" in stays.model_dump_json()


def test_whoever_goes_back_to_a_host_in_maintenance_is_told_to_be_wrong() -> None:
    hosts = [host("esx01", state="maintenance"), host("esx02")]
    snapshot, plan = night(hosts, [desk("desk-1", "esx01")], [])
    gpus = [{"gpu": "g0", "profile": "M60-2Q", "slot": 0, "sharing": "same-size"}]
    steps = [
        {"id": way, "kind": "migrate", "vm": "desk-1", "from": was, "to": to, "gpus": gpus, "start": start, "end": end}
        for way, was, to, start, end in (
            ("out", "esx01", "esx02", "2026-11-20T22:00:00Z", "2026-11-20T22:30:00Z"),
            ("back", "esx02", "esx01", "2026-11-20T23:00:00Z", "2026-11-20T23:30:00Z"),
        )
    ]
    there_and_back = parse(Plan, {**json.loads(dump(plan)), "steps": steps}, "the plan")
    (wanted,) = snapshot.requests
    assert isinstance(wanted, Consolidate)
    holding = shipped_decision("consolidate").rules_of(snapshot.rules)
    faults = TimedReplay(snapshot.content, holding, wanted, (), there_and_back).faults
    assert any("cannot come back to esx01, which is in maintenance" in fault for fault in faults)


def test_one_of_two_hosts_is_freed_for_a_job_and_its_desktop_is_back_by_morning() -> None:
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx02")]
    _, plan = night([host("esx01"), host("esx02")], vms, [{"name": "farm", "whole_host": True, "hours": 8, "value": 5}])
    assert (plan.score["job-value"], plan.score["hosts-freed"], plan.score["moves"]) == (5, 1, 2)
    assert plan.bound["job-value"] == 5
    moved = [step for step in plan.steps if step.kind == "migrate"]
    assert [moved[0].from_, moved[0].to] == [moved[1].to, moved[1].from_]


def test_a_pass_through_vm_keeps_its_host() -> None:
    render = desk("render", "esx01", may=True)
    render |= {"gpus": [{"models": ["M60"], "at": [{"gpu": "g0"}]}], "may": {"live_migrate": True}}
    hosts = [host("esx01"), host("esx02")]
    hosts[0]["gpus"][0]["sharing"] = "passthrough"
    _, plan = night(hosts, [render, desk("desk", "esx02")], [])
    assert [freed.host for freed in plan.freed] == ["esx02"]
    assert [(one.vm, one.host) for one in plan.unmoved] == [("render", "esx01")]
    assert "pass-through" in plan.unmoved[0].reasons[0]


def test_a_desktop_that_fits_nowhere_else_is_suspended_and_resumed() -> None:
    full = [desk(f"full-{i}", "esx01", f"g{i // 4}", i % 4) for i in range(8)]
    idle = desk("idle", "esx02", live_migrate=True, suspend=True)
    _, plan = night([host("esx01"), host("esx02")], [*full, idle], [{"name": "farm", "whole_host": True, "hours": 6}])
    assert [step.kind for step in plan.steps if step.vm == "idle"] == ["suspend", "resume"]
    assert plan.score["job-value"] == 1
    assert plan.score["moves"] == 0


def test_without_room_in_the_store_the_idle_desktop_stays_on() -> None:
    full = [desk(f"full-{i}", "esx01", f"g{i // 4}", i % 4) for i in range(8)]
    idle = desk("idle", "esx02", live_migrate=True, suspend=True)
    _, plan = night([host("esx01"), host("esx02")], [*full, idle], [], limits={"store_mib": 1024})
    assert plan.freed == ()
    assert plan.steps == ()


def test_a_window_too_short_for_the_drain_frees_nothing_and_moves_nobody() -> None:
    short = {"from": "2026-11-20T22:00:00+01:00", "until": "2026-11-20T22:00:20+01:00"}
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx02")]
    _, plan = night([host("esx01"), host("esx02")], vms, [], windows=[short])
    assert plan.freed == ()
    assert plan.steps == ()


def test_a_stun_limit_keeps_a_desktop_where_it_is() -> None:
    slow = desk("slow", "esx01", live_migrate=True) | {"stun_limit_seconds": 1}
    _, plan = night([host("esx01"), host("esx02")], [slow, desk("desk", "esx02")], [])
    assert [freed.host for freed in plan.freed] == ["esx02"]
    assert "stunned" in plan.unmoved[0].reasons[0]


def test_two_nights_share_the_instances_of_a_job() -> None:
    first = {"from": "22:00", "until": "06:30", "zone": "Europe/Berlin", "first": "2026-11-20", "nights": 2}
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx02")]
    jobs = [{"name": "farm", "whole_host": True, "hours": 8, "instances": 3, "value": 5}]
    _, plan = night([host("esx01"), host("esx02")], vms, jobs, windows=[first])
    assert plan.score["job-value"] == 10
    assert {run.start.day for run in plan.jobs} == {20, 21}


def test_a_host_whose_jobs_bring_too_little_is_not_freed() -> None:
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx02")]
    jobs = [{"name": "farm", "whole_host": True, "hours": 8, "value": 5}]
    _, plan = night([host("esx01"), host("esx02")], vms, jobs, limits={"least_gain": 6})
    assert plan.steps == ()


def test_any_host_brings_back_only_who_was_away() -> None:
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx02")]
    _, plan = night([host("esx01"), host("esx02")], vms, [], way_back="any-host")
    assert [step.kind for step in plan.steps] == ["migrate"]


def test_a_desktop_that_must_be_ready_early_is_back_by_then_and_its_host_is_free_until_then() -> None:
    early = desk("early", "esx01") | {"ready_by": "2026-11-21T05:00:00+01:00"}
    _, plan = night([host("esx01"), host("esx02")], [early, desk("desk", "esx02")], [], free=["esx01"])
    back = [step for step in plan.steps if step.vm == "early"][-1]
    assert back.end.isoformat() == "2026-11-21T04:00:00+00:00"
    assert [freed.until for freed in plan.freed] == [back.start]


def test_a_desktop_that_is_due_before_it_can_be_back_is_left_alone_and_why_is_said() -> None:
    early = desk("early", "esx01") | {"ready_by": "2026-11-20T22:00:20+01:00"}
    _, plan = night([host("esx01"), host("esx02")], [early, desk("desk", "esx02")], [], free=["esx01"])
    assert plan.freed == ()
    assert plan.unmoved[0].vm == "early"
    assert "could not be back at 2026-11-20T21:00:20" in plan.unmoved[0].reasons[0]


def test_a_desktop_that_cannot_migrate_is_suspended_and_goes_on_elsewhere_within_a_minute() -> None:
    vms = [desk("fixed", "esx01", suspend=True), desk("other", "esx02", live_migrate=False)]
    _, plan = night([host("esx01"), host("esx02")], vms, [])
    assert [freed.host for freed in plan.freed] == ["esx01"]
    assert [step.kind for step in plan.steps if step.vm == "fixed"] == ["suspend", "resume", "suspend", "resume"]
    assert plan.score["downtime"] < 120


def same_size_swap(memory_mib: int, **may: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """To free esx01, esx02's GPU must give up its one large vGPU for small ones, and esx03's the other way round."""
    one = [{"id": "g0", "model": "Tesla M60", "sharing": "same-size", "board": "b"}]
    hosts = [host("esx01", memory_mib=memory_mib, gpus=one), host("esx02", gpus=one), host("esx03", gpus=one)]
    small = [desk(f"small-{i}", "esx03", slot=i) for i in range(3)]
    return hosts, [desk("a", "esx01"), desk("large", "esx02", "g0", 0, "M60-4Q", **may), *small]


NOT_ESX03 = [{"kind": "affinity", "vms": ["a"], "hosts": ["esx03"], "strength": "must-not"}]


def test_a_gpu_changes_its_size_by_a_swap_for_which_small_desktops_hop_over_the_host_to_be_freed() -> None:
    hosts, vms = same_size_swap(131072, live_migrate=True, suspend=True)
    _, plan = night(hosts, vms, [], NOT_ESX03, free=["esx01"])
    assert [freed.host for freed in plan.freed] == ["esx01"]
    assert plan.score["downtime"] == 0
    assert plan.score["moves"] == 2 * (5 + 3)
    assert any("to leave GPU g0 of esx02" in step.why for step in plan.steps)


def test_a_gpu_changes_its_size_by_a_swap_in_which_the_large_desktop_is_suspended_for_a_while() -> None:
    hosts, vms = same_size_swap(4096, live_migrate=True, suspend=True)
    _, plan = night(hosts, vms, [], NOT_ESX03, free=["esx01"])
    assert [freed.host for freed in plan.freed] == ["esx01"]
    assert [step.kind for step in plan.steps if step.vm == "large"] == ["suspend", "resume", "suspend", "resume"]
    assert next(step for step in plan.steps if step.vm == "large").why.startswith("steps aside so that ")


def test_a_swap_in_which_nobody_can_step_aside_leaves_all_where_they_are() -> None:
    hosts, vms = same_size_swap(4096, live_migrate=True)
    _, plan = night(hosts, vms, [], NOT_ESX03, free=["esx01"])
    assert plan.freed == plan.steps == ()


def test_a_way_back_before_the_window_is_refused_in_a_sentence() -> None:
    with pytest.raises(Faults, match="ready_by: found"):
        night([host("esx01")], [desk("desk", "esx01")], [], ready_by="2026-11-20T20:00:00+01:00")


def test_a_plan_is_proven_only_where_every_goal_is_at_its_bound() -> None:
    hosts, vms = [host("esx01"), host("esx02")], [desk("desk-1", "esx01"), desk("desk-2", "esx02")]
    _, plan = night(hosts, vms, [])
    assert plan.score["soonest"] == plan.bound["soonest"] == 19, "as long as the only migration takes"
    assert (plan.status, plan.stopped) == ("optimal", "proven")
    _, plan = night(hosts, vms, [], windows=[WINDOW, {**WINDOW, "from": at(21), "until": at(22)}])
    assert None in plan.bound.values()
    assert (plan.status, plan.stopped) == ("feasible", "the search ended by itself; some goals have no bound")


def test_an_interrupt_ends_the_search_and_the_best_plan_so_far_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C when the target is found: it is still carried out."""

    def interrupted(*args: Any) -> Any:
        target = solve_target(*args)
        os.kill(os.getpid(), signal.SIGINT)
        return target

    monkeypatch.setattr("placer.night.search.solve_target", interrupted)
    _, plan = night([host("esx01"), host("esx02")], [desk("desk-1", "esx01"), desk("desk-2", "esx02")], [])
    assert (plan.score["hosts-freed"], plan.stopped) == (1, "interrupted")


def test_who_could_not_come_back_to_a_host_with_both_ecc_states_does_not_leave_it() -> None:
    def with_ecc(name: str, *states: bool) -> dict[str, Any]:
        gpus = [
            {"id": f"g{i}", "model": "Tesla M60", "sharing": "same-size", "ecc": ecc} for i, ecc in enumerate(states)
        ]
        return host(name) | {"gpus": gpus}

    vms = [desk("desk", "esx01"), desk("stays", "esx02", live_migrate=False)]
    hosts = [with_ecc("esx01", False, True), with_ecc("esx02", False, False)]
    _, plan = night(hosts, vms, [], free=["esx01"])
    assert plan.freed == ()
    assert plan.unmoved[0].reasons[0].startswith("could not be migrated back to esx01: ECC state differs")
    assert [one.host for one in night(hosts, vms, [], free=["esx01"], way_back="none")[1].freed] == ["esx01"]


def test_who_makes_a_sleeper_lose_its_place_and_could_not_come_back_does_not_leave() -> None:
    def one_gpu(name: str, *states: bool) -> dict[str, Any]:
        gpus = [
            {"id": f"g{i}", "model": "Tesla M60", "sharing": "same-size", "ecc": ecc} for i, ecc in enumerate(states)
        ]
        return host(name) | {"gpus": gpus}

    vms = [desk("desk", "esx01", profile="M60-8Q"), desk("sleeper", "esx02", profile="M60-8Q", suspend=True)]
    _, plan = night(
        [one_gpu("esx01", False, True), one_gpu("esx02", False)], vms, [], free=["esx01"], way_back="any-host"
    )
    assert (plan.freed, plan.steps) == ((), ())
    assert plan.unmoved[0].reasons[0].startswith("could not be migrated back to esx01: ECC state differs")
