"""Hosts emptied for maintenance, as small stories: who moves, who waits, which host is left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest

from placer.evacuate import evacuate
from placer.judge.timed import TimedReplay
from placer.undone import undone
from placer_models.document import Faults, dump
from placer_models.night import Evacuate
from placer_models.plan import Plan, Step
from tests.good_nights import quick
from tests.nights import Night, Values, at, window
from tests.worlds import gpu, host, want

AHV = {"platform": {"kind": "ahv"}}


def evacuated(hosts: Sequence[Values], vms: Sequence[Values], *names: str, **more: Any) -> Plan:
    """A plan that empties these hosts; it is judged once more, and planned twice."""
    given = {key: more.pop(key) for key in ("rules", "platform") if key in more}
    night = Night(hosts, vms, {"kind": "evacuate", "hosts": list(names), "minutes": 1, **more}, **given)
    assert isinstance(night.asked, Evacuate)
    plan = evacuate(night.snapshot, night.asked)
    assert dump(evacuate(night.snapshot, night.asked)) == dump(plan)
    assert TimedReplay(night.cluster, night.holding, night.asked, (), plan).faults == []
    return plan


def hours(plan: Plan) -> Mapping[str, tuple[datetime, datetime]]:
    """From when until when each host is free."""
    return {freed.host: (freed.from_, freed.until) for freed in plan.freed}


def steps(plan: Plan, *kinds: str) -> list[Step]:
    """The steps of these kinds."""
    return [step for step in plan.steps if step.kind in kinds]


def test_a_vm_moves_away_once_and_stays_there() -> None:
    plan = evacuated([host("h1"), host("h2")], [quick("a", on="h1")], "h1")
    assert [step.kind for step in plan.steps] == ["migrate", "enter-maintenance", "leave-maintenance"]
    begin, end = hours(plan)["h1"]
    assert (end - begin).total_seconds() == 60
    assert (plan.score["named-freed"], plan.score["downtime"], plan.score["moves"]) == (1, 0, 1)
    assert (plan.bound["named-freed"], plan.bound["downtime"]) == (1, 0)
    assert undone(plan) == []


def test_a_vm_returns_where_the_way_back_says_so() -> None:
    plan = evacuated([host("h1"), host("h2")], [quick("a", on="h1")], "h1", way_back="same-host")
    assert [(step.from_, step.to) for step in steps(plan, "migrate")] == [("h1", "h2"), ("h2", "h1")]


def test_hosts_are_upgraded_one_after_the_other_and_nobody_moves_twice_without_need() -> None:
    hosts = [host(f"h{i}") for i in (1, 2, 3)]
    plan = evacuated(hosts, [quick("a", on="h1"), quick("b", on="h2")], "h1", "h2", at_once=1)
    first, second = sorted(hours(plan).values())
    assert first[1] <= second[0]
    assert plan.score["moves"] == 2


def test_two_hosts_are_in_maintenance_at_once_where_that_is_allowed() -> None:
    plan = evacuated([host(f"h{i}") for i in (1, 2, 3)], [quick("a", on="h1"), quick("b", on="h2")], "h1", "h2")
    first, second = hours(plan).values()
    assert max(first[0], second[0]) < min(first[1], second[1])


def test_hosts_that_cannot_be_empty_together_are_emptied_one_by_one() -> None:
    full = [host(name, cpus=2) for name in ("h1", "h2")]
    plan = evacuated(full, [quick("a", on="h1"), quick("b", on="h2")], "h1", "h2", at_once=2)
    first, second = sorted(hours(plan).values())
    assert first[1] <= second[0]


def test_nobody_sleeps_for_two_hosts_at_once_who_could_move_from_one_to_the_other() -> None:
    tight = [host("h1", cpus=2), host("h2", cpus=4), host("h3", cpus=1)]
    a = quick("a", on="h1", cpus=2, may="live_migrate suspend")
    plan = evacuated(tight, [a], "h1", "h2", at_once=2)
    assert (plan.score["named-freed"], plan.score["downtime"]) == (2, 0)
    assert [step.reaches for step in steps(plan, "migrate")] == ["h2"]


def test_the_order_that_is_asked_is_kept() -> None:
    hosts = [host(f"h{i}") for i in (1, 2, 3)]
    plan = evacuated(hosts, [quick("a", on="h2"), quick("b", on="h2")], "h2", "h1", "h3", at_once=1, in_order=True)
    assert sorted(hours(plan), key=lambda name: hours(plan)[name]) == ["h2", "h1", "h3"]


def test_hosts_in_order_that_cannot_be_empty_together_keep_their_order() -> None:
    full = [host("h1", cpus=3), host("h2", cpus=2)]
    plan = evacuated(full, [quick("a", on="h1", cpus=2), quick("b", on="h2")], "h1", "h2", in_order=True)
    assert [step.host for step in steps(plan, "enter-maintenance")] == ["h2"]
    hosts = [host("h1", cpus=2), host("h2", cpus=2)]
    plan = evacuated(hosts, [quick("a", on="h1"), quick("b", on="h2")], "h1", "h2", in_order=True)
    assert [step.host for step in steps(plan, "enter-maintenance")] == ["h1", "h2"]


def test_in_order_nobody_goes_before_a_host_that_has_to_wait_for_the_next_night() -> None:
    hosts, nights = [host(f"h{i}") for i in (1, 2, 3)], [window(0, 140), window(5000, 5200)]
    vms = [quick("a", on="h1"), *(quick(f"b{i}", on="h2") for i in (1, 2)), quick("c", on="h3", may="")]
    plan = evacuated(hosts, vms, "h1", "h2", "h3", at_once=1, in_order=True, windows=nights)
    entered = steps(plan, "enter-maintenance")
    assert [step.host for step in entered] == ["h1", "h2"]
    assert [one.host for one in plan.left_out] == ["h3"]
    alone = evacuated(hosts, vms, "h2", "h1", at_once=1, in_order=True, windows=[window(0, 75)])
    assert [step.host for step in steps(alone, "enter-maintenance")] == ["h1"]


def test_a_pass_through_vm_is_powered_off_and_started_on_its_host_when_that_is_back() -> None:
    vms = [quick("p", want(at="g0"), on="n1", may="power_cycle"), quick("w", on="n1")]
    plan = evacuated([host("n1", gpu("A40")), host("n2")], vms, "n1", **AHV)
    (off,), (on,), (move,) = steps(plan, "power-off"), steps(plan, "power-on"), steps(plan, "migrate")
    assert (off.host, on.host, move.vm) == ("n1", "n1", "w")
    assert off.end == move.end, "it leaves no sooner than it must"
    assert on.start == hours(plan)["n1"][1]
    assert plan.score["downtime"] == plan.bound["downtime"] == 6 + 60 + 7


def test_a_pass_through_vm_starts_elsewhere_where_that_is_sooner() -> None:
    vms = [quick("p", want(at="g0"), on="n1", may="power_cycle")]
    plan = evacuated([host("n1", gpu("A40")), host("n2", gpu("A40"))], vms, "n1", **AHV)
    (on,) = steps(plan, "power-on")
    assert on.host == "n2"
    assert plan.score["downtime"] == plan.bound["downtime"] == 13


def test_a_desktop_that_fits_nowhere_is_suspended_and_resumed() -> None:
    vms = [quick("a", on="h1", may="live_migrate suspend", cpus=8), quick("b", on="h2")]
    plan = evacuated([host("h1"), host("h2")], vms, "h1")
    assert [step.host for step in steps(plan, "suspend", "resume")] == ["h1", "h1"]
    assert plan.score["downtime"] == 8 + 60 + 8


def test_a_host_with_a_vm_that_may_do_nothing_is_left_out_and_the_other_is_done() -> None:
    vms = [quick("p", want(at="g0"), on="n1", may="live_migrate"), quick("w", on="n2")]
    plan = evacuated([host("n1", gpu("A40")), host("n2"), host("n3")], vms, "n1", "n2", at_once=1, **AHV)
    assert list(hours(plan)) == ["n2"]
    (left,) = plan.left_out
    assert left.host == "n1"
    assert left.reasons[0].startswith("p: holds a pass-through GPU")
    assert [(one.vm, one.host) for one in plan.unmoved] == [("p", "n1")]
    assert plan.score["named-freed"] == plan.bound["named-freed"] == 1
    assert len(undone(plan)) == 1


def test_a_vm_without_a_target_keeps_its_host_and_every_refused_target_is_told() -> None:
    vms = [quick("a", want("M60-1Q", "g0/0"), on="h1"), quick("big", on="h3", may="", cpus=8)]
    hosts = [host("h1", gpu("M60", "same-size")), host("h2"), host("h3", gpu("M60", "same-size"))]
    plan = evacuated(hosts, vms, "h1")
    (left,) = plan.left_out
    assert left.reasons[0].startswith("a: ")
    assert "h2" in left.reasons[0]
    assert "h3" in left.reasons[0]


def test_a_pinned_vm_and_a_host_that_is_down_are_told() -> None:
    hosts = [host("h1"), host("h2"), host("h3", state="maintenance")]
    plan = evacuated(hosts, [quick("a", on="h1")], "h1", "h3", rules=[{"kind": "stay", "vms": ["a"]}])
    assert {one.host: one.reasons for one in plan.left_out} == {
        "h1": ("a: must stay where it is",),
        "h3": ("is maintenance already",),
    }
    assert plan.steps == ()


def test_others_make_room_where_that_is_the_only_way() -> None:
    hosts = [host("h1", cpus=4), host("h2", cpus=4), host("h3", cpus=2)]
    vms = [quick("big", on="h1", cpus=4), quick("small", on="h2", cpus=2)]
    plan = evacuated(hosts, vms, "h1")
    assert [(step.vm, step.to) for step in steps(plan, "migrate")] == [("small", "h3"), ("big", "h2")]


def test_what_does_not_fit_into_one_night_is_done_in_the_next() -> None:
    hosts = [host(f"h{i}") for i in (1, 2, 3)]
    nights = [window(0, 100), window(5000, 5100)]
    vms = [quick("a", on="h1"), quick("b", on="h2")]
    plan = evacuated(hosts, vms, "h1", "h2", at_once=1, windows=nights)
    assert len(plan.freed) == 2
    assert [step.start.isoformat() < at(4000) for step in steps(plan, "enter-maintenance")] == [True, False]
    one = evacuated(hosts, vms, "h1", "h2", at_once=1, windows=nights[:1])
    assert len(one.freed) == 1
    assert one.left_out[0].reasons == ("does not fit into what is left of the windows",)


def test_no_more_moves_than_are_allowed() -> None:
    hosts = [host(f"h{i}") for i in (1, 2, 3)]
    vms = [quick("a", on="h1"), quick("b", on="h2")]
    plan = evacuated(hosts, vms, "h1", "h2", at_once=1, limits={"most_moves": 1})
    assert (len(plan.freed), plan.score["moves"]) == (1, 1)


def test_a_rule_that_would_not_hold_meanwhile_keeps_the_host() -> None:
    rules = [{"kind": "apart", "vms": ["dc1", "dc2"]}]
    plan = evacuated([host("h1"), host("h2")], [quick("dc1", on="h1"), quick("dc2", on="h2")], "h1", rules=rules)
    assert plan.freed == ()
    assert plan.left_out[0].reasons[0].startswith("dc1: ")


def test_a_host_that_is_not_there_is_one_clear_sentence() -> None:
    night = Night([host("h1")], [], {"kind": "evacuate", "hosts": ["h9"]})
    assert isinstance(night.asked, Evacuate)
    with pytest.raises(Faults, match="h9"):
        evacuate(night.snapshot, night.asked)


def test_who_waits_returns_to_a_host_that_was_overfull_before() -> None:
    vms = [quick("p", want(at="g0"), on="n1", may="power_cycle", cpus=6), quick("w", on="n1", may="suspend", cpus=6)]
    plan = evacuated([host("n1", gpu("A40"), cpus=8)], vms, "n1", **AHV)
    assert plan.broken_now != ()
    assert [step.host for step in steps(plan, "power-on", "resume")] == ["n1", "n1"]
    assert plan.score["named-freed"] == 1
