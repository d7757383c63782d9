"""An evacuation gone on with in its midst: hosts that are done stay done, who is away comes back, the others follow."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from placer.evacuate import evacuate
from placer.go_on import go_on
from placer.judge.verify import verify
from placer_models.decision import shipped_decision
from placer_models.night import Evacuate
from placer_models.plan import Plan
from tests.good_nights import quick
from tests.midway_nights import seen
from tests.nights import Night, window
from tests.slow_replay import slow_verdict
from tests.worlds import gpu, host, want


def upgrade(way_back: str = "any-host", at_once: int = 1) -> tuple[Night, Plan]:
    """Two of three hosts are upgraded one after the other; each has a pass-through VM and one that moves."""
    night = Night(
        [host(f"n{i}", gpu("A40"), gpu("A40"), cpus=8) for i in (1, 2, 3)],
        [
            quick("p1", want(at="g0"), on="n1", may="power_cycle"),
            quick("w1", on="n1", cpus=2),
            quick("p2", want(at="g1"), on="n2", may="power_cycle"),
            quick("w2", on="n2", cpus=2),
        ],
        {
            "kind": "evacuate",
            "hosts": ["n1", "n2"],
            "minutes": 1,
            "at_once": at_once,
            "way_back": way_back,
            "in_order": True,
            "windows": [window(0, 600)],
        },
        platform={"kind": "ahv"},
    )
    assert isinstance(night.asked, Evacuate)
    return night, evacuate(night.snapshot, night.asked)


def onward(night: Night, plan: Plan, at: datetime, failed: Collection[str] = ()) -> Plan:
    """The plan that goes on; judged, also by the slow replay."""
    fresh = seen(night.snapshot, plan, at, failed=failed)
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert found.asked is not None
    rules = shipped_decision("evacuate").rules_of(fresh.rules)
    assert slow_verdict(fresh.content, rules, found.asked.request, (), found) is None
    return found


def step_of(plan: Plan, vm: str, kind: str) -> str:
    """The id of a VM's first step of a kind."""
    return next(step.id for step in plan.steps if (step.vm, step.kind) == (vm, kind))


def entered(plan: Plan) -> list[str]:
    """The hosts that are put in maintenance, in turn."""
    return [str(step.host) for step in plan.steps if step.kind == "enter-maintenance"]


@pytest.mark.parametrize("way_back", ["none", "any-host", "same-host"])
@pytest.mark.parametrize("at_once", [1, 2])
def test_where_all_goes_as_planned_nothing_is_changed(way_back: str, at_once: int) -> None:
    night, plan = upgrade(way_back, at_once)
    for at in sorted({step.end + timedelta(seconds=1) for step in plan.steps}):
        found = onward(night, plan, at)
        assert found.continued is not None
        assert (found.continued.changed, found.continued.dropped, found.continued.new) == ((), (), ()), at
        assert found.score == plan.score
        assert found.bound["named-freed"] == found.score["named-freed"]


def test_a_host_that_is_done_stays_done_when_the_next_one_fails() -> None:
    night, plan = upgrade()
    failed = step_of(plan, "w2", "migrate")
    after = next(step.end for step in plan.steps if step.id == failed)
    found = onward(night, plan, after + timedelta(seconds=5), [failed])
    assert entered(found) == ["n1"]
    assert [one.host for one in found.left_out] == ["n2"]
    late = onward(night, plan, plan.steps[-1].end + timedelta(seconds=5), [failed])
    assert ([one.host for one in late.freed], late.score["named-freed"]) == (["n1"], 1)
    assert "its migration failed" in found.left_out[0].reasons[0]
    assert found.score["named-freed"] == 1
    runs = [step.host for step in found.steps if step.vm == "p2" and step.kind == "power-on"]
    assert len(runs) == len([step for step in found.steps if step.vm == "p2" and step.kind == "power-off"])


def test_who_is_off_runs_again_when_its_host_cannot_be_left() -> None:
    night, plan = upgrade("same-host")
    failed = step_of(plan, "w1", "migrate")
    off = next(step for step in plan.steps if (step.vm, step.kind) == ("p1", "power-off"))
    found = onward(night, plan, off.end + timedelta(seconds=30), [failed])
    last = [step for step in found.steps if step.vm == "p1"][-1]
    assert (last.kind, last.host) == ("power-on", "n1")
    assert "n1" in {one.host for one in found.left_out}


def onward_without(host: str, kind: str) -> tuple[Plan, Plan]:
    """A plan, and the one that goes on after a host's step of this kind, when the host is disconnected."""
    night, plan = upgrade("same-host")
    step = next(step for step in plan.steps if (step.host, step.kind) == (host, kind))
    fresh = seen(night.snapshot, plan, step.end + timedelta(seconds=1), lost=[host])
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert entered(found) == ["n1", "n2"]
    return plan, found


def test_a_host_that_is_disconnected_in_its_maintenance_restarts() -> None:
    plan, found = onward_without("n1", "enter-maintenance")
    assert found.steps == plan.steps


def test_a_host_that_does_not_come_back_keeps_nobody_from_the_next_one() -> None:
    _, found = onward_without("n1", "leave-maintenance")
    assert found.asked is not None
    assert found.asked.begun is not None
    assert found.asked.begun.excused == dict.fromkeys(("p1", "w1"), "its host n1 is disconnected")
    assert [step.host for step in found.steps if (step.vm, step.kind) == ("p1", "power-on")] == ["n3", "n3"]


def test_a_host_in_maintenance_comes_back_and_who_waits_for_it_returns() -> None:
    night, plan = upgrade()
    enter = next(step for step in plan.steps if step.kind == "enter-maintenance")
    late = step_of(plan, "w2", "migrate")
    found = onward(night, plan, enter.end + timedelta(seconds=20))
    leave = next(step for step in found.steps if step.kind == "leave-maintenance")
    assert (leave.end - enter.end).total_seconds() >= 60
    assert late in {step.id for step in found.steps}
    assert entered(found) == ["n1", "n2"]


def test_any_single_failure_at_any_time_is_planned_around() -> None:
    night, plan = upgrade("same-host", 2)
    moves = [step for step in plan.steps if step.vm is not None]
    for step in moves:
        found = onward(night, plan, step.end, [step.id])
        assert found.asked is not None
        assert found.asked.begun is not None
        ends = {one.vm: one.reaches for one in found.steps if one.vm is not None}
        homes = {"p1": "n1", "w1": "n1", "p2": "n2", "w2": "n2"}
        away = {vm for vm, host in ends.items() if host != homes[str(vm)]}
        assert away <= set(found.asked.begun.excused), (step.id, ends)


def test_in_the_midst_of_an_upgrade_its_moves_are_proven_and_when_it_can_be_over_is_bounded() -> None:
    night = Night(
        [host(f"n{i}", cpus=8) for i in (1, 2, 3)],
        [quick("a", on="n1"), quick("b", on="n1"), quick("c", on="n2")],
        {"kind": "evacuate", "hosts": ["n1", "n2"], "minutes": 1, "at_once": 1, "windows": [window(0, 600)]},
    )
    assert isinstance(night.asked, Evacuate)
    plan = evacuate(night.snapshot, night.asked)
    first = next(step for step in plan.steps if step.kind == "enter-maintenance")
    found = onward(night, plan, first.end + timedelta(seconds=1))
    assert (found.bound["named-freed"], found.bound["moves"]) == (2, found.score["moves"])
    since = round((first.end - plan.window[0].from_).total_seconds())
    assert found.bound["soonest"] is not None
    assert since < found.bound["soonest"] <= found.score["soonest"]
