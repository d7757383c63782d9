"""A change of GPU modes gone on with in its midst: what was begun comes to its end, what failed is planned around."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from placer.go_on import go_on
from placer.judge.verify import verify
from placer.set_mode import set_mode
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.night import SetMode
from placer_models.plan import Plan
from tests.good_nights import m60, quick
from tests.midway_nights import seen
from tests.nights import Night, window
from tests.slow_replay import slow_verdict
from tests.worlds import gpu, host, want


def flash(way_back: str = "any-host") -> tuple[Night, Plan]:
    """A GPU of h1 is flashed: a desk moves, if it need not return, and a pass-through VM is off meanwhile."""
    hosts = [host("h1", m60(), m60("passthrough"), cpus=8), host("h2", m60(), cpus=8), host("h3", m60(), cpus=8)]
    vms = [
        quick("desk", want("M60-1Q", "g0/0"), on="h1", may="live_migrate power_cycle"),
        quick("cad", want(at="g1"), on="h1", may="power_cycle"),
        quick("w", on="h1"),
    ]
    vms = vms if way_back == "any-host" else vms[1:]
    return switched(hosts, vms, mode="compute", gpus=["g0"], way_back=way_back)


def shared() -> tuple[Night, Plan]:
    """Two GPUs of h1 are put in another sharing; one VM sleeps meanwhile, the other goes to h2."""
    hosts = [
        host("h1", *(gpu("A40", "same-size", "mixed-size") for _ in range(2))),
        host("h2", gpu("A40", "same-size")),
    ]
    vms = [
        quick("a", want("A40-24Q", "g0/0"), on="h1", may="suspend"),
        quick("b", want("A40-24Q", "g1/0"), on="h1", may="live_migrate suspend"),
    ]
    return switched(hosts, vms, sharing="mixed-size")


def switched(hosts: list[dict], vms: list[dict], **asked: object) -> tuple[Night, Plan]:  # type: ignore[type-arg]
    request = {"kind": "set-mode", "host": "h1", "minutes": 1, "windows": [window(0, 2000)], **asked}
    night = Night(hosts, vms, request)
    assert isinstance(night.asked, SetMode)
    return night, set_mode(night.snapshot, night.asked)


STORIES = {
    "flash": flash,
    "flash, all return": lambda: flash("same-host"),
    "sharing": shared,
}


def onward(night: Night, plan: Plan, at: datetime, failed: Collection[str] = ()) -> Plan:
    """The plan that goes on; judged, also by the slow replay, and planned twice."""
    fresh = seen(night.snapshot, plan, at, failed=failed)
    found = go_on(fresh, plan)
    assert dump(go_on(fresh, plan)) == dump(found)
    assert verify(fresh, found) == []
    assert found.asked is not None
    rules = shipped_decision("set_mode").rules_of(fresh.rules)
    assert slow_verdict(fresh.content, rules, found.asked.request, (), found) is None
    return found


@pytest.mark.parametrize("name", STORIES)
def test_where_all_goes_as_planned_nothing_is_changed(name: str) -> None:
    night, plan = STORIES[name]()
    assert plan.score["modes-set"] > 0
    for at in sorted({step.end + timedelta(seconds=1) for step in plan.steps}):
        found = onward(night, plan, at)
        assert found.continued is not None
        assert (found.continued.changed, found.continued.dropped, found.continued.new) == ((), (), ()), at
        assert found.score == plan.score
        assert found.bound["modes-set"] == found.score["modes-set"]


@pytest.mark.parametrize("name", STORIES)
def test_any_single_failure_is_planned_around_and_nobody_stays_down(name: str) -> None:
    night, plan = STORIES[name]()
    for step in plan.steps:
        found = onward(night, plan, step.end + timedelta(seconds=5), [step.id])
        assert found.asked is not None
        assert found.asked.begun is not None
        runs = seen(night.snapshot, found, found.window[-1].until)
        assert {vm.name for vm in runs.vms if vm.power != "on"} <= found.asked.begun.excused.keys()


def test_a_flash_that_has_begun_is_brought_to_its_end_though_a_vm_does_not_run_elsewhere() -> None:
    night, plan = flash("same-host")
    on = next(step for step in plan.steps if (step.vm, step.kind) == ("cad", "power-on"))
    enter, leave = (s for s in plan.steps if s.kind in ("enter-maintenance", "leave-maintenance"))
    found = onward(night, plan, enter.end + timedelta(seconds=10), [on.id])
    assert found.score["modes-set"] == 1
    again = [step for step in found.steps if step.vm == "cad"][-1]
    assert (again.kind, again.host, again.start) == ("power-on", "h1", leave.end)


def test_a_gpu_that_is_not_as_it_was_to_be_is_flashed_again() -> None:
    night, plan = flash()
    step = next(step for step in plan.steps if step.kind == "set-mode")
    after = next(step.end for step in plan.steps if step.kind == "leave-maintenance") + timedelta(seconds=30)
    found = onward(night, plan, after, [step.id])
    assert found.score["modes-set"] == 1
    assert found.continued is not None
    assert "GPU g0 of h1 was to be in compute mode by now, and is in graphics" in found.continued.said


def test_a_vm_that_has_gone_elsewhere_by_itself_is_left_there() -> None:
    night, plan = flash()
    gone = next(step for step in plan.steps if step.vm == "w" and step.kind == "migrate")
    fresh = seen(night.snapshot, plan, gone.end + timedelta(seconds=1))
    other = "h3" if gone.to == "h2" else "h2"
    vms = tuple(vm.model_copy(update={"host": other}) if vm.name == "w" else vm for vm in fresh.vms)
    found = go_on(type(fresh).of(fresh.model_copy(update={"vms": vms}).model_dump(mode="json", by_alias=True)), plan)
    assert found.score["modes-set"] == 1
    assert [step.id for step in found.steps if step.vm == "w" and step.start > gone.end] == []


def test_a_host_that_is_lost_leaves_its_gpus_as_they_are_and_who_is_down_runs_elsewhere() -> None:
    night, plan = flash()
    off = next(step for step in plan.steps if (step.vm, step.kind) == ("cad", "power-off"))
    fresh = seen(night.snapshot, plan, off.end, lost=["h1"])
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert found.score["modes-set"] == 0
    assert [one.host for one in found.left_out] == ["h1"]
    assert [step.host for step in found.steps if step.vm == "cad"][-1] == "h2"


def test_who_was_to_sleep_and_to_wake_on_another_gpu_and_has_its_own_was_not_suspended() -> None:
    both = [gpu("A40", "same-size", "mixed-size") for _ in range(2)]
    vms = [quick("a", want("A40-24Q", "g0/0"), on="h1", may="suspend")]
    night, plan = switched([host("h1", *both)], vms, sharing="mixed-size", gpus=["g0"])
    down, up = (step for step in plan.steps if step.vm == "a")
    found = onward(night, plan, up.start + timedelta(seconds=1), [down.id])
    assert found.continued is not None
    assert any(said.endswith(f"(step {down.id}), and is on h1") for said in found.continued.said)
    assert found.score["modes-set"] == 0


def test_what_a_host_has_been_changed_to_counts_though_it_is_lost_then() -> None:
    night, plan = shared()
    step = [step for step in plan.steps if step.kind == "set-mode"][-1]
    fresh = seen(night.snapshot, plan, step.end, lost=["h1"])
    found = go_on(fresh, plan)
    assert verify(fresh, found) == []
    assert found.bound["modes-set"] is None
