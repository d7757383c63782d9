"""The figures of plans: counted by the judge as `show` counts, and wrong ones found."""

from __future__ import annotations

import pytest

from placer import show
from placer.judge.verify import verify
from placer_models.plan import Plan
from tests.night_stories import Story, told

SLEEPERS = "idle-desktops-sleep-through-the-night-where-the-others-leave-no-room"
STAYING = "vms-need-not-come-back-where-nobody-asks"


def night(name: str) -> tuple[Story, Plan]:
    """A story and its plan."""
    return told(name)


@pytest.mark.parametrize("name", [SLEEPERS, STAYING])
def test_before_is_what_show_shows(name: str) -> None:
    story, plan = night(name)
    view = show(story.snapshot)
    assert plan.before["vms_running"] == view.running
    assert plan.before["gpus_empty"] == sum(total.empty for total in view.totals)
    assert plan.before["gpu_free_milli"] == sum(total.free_milli for total in view.totals)
    assert plan.before["gpu_stranded_milli"] == sum(total.stranded_milli for total in view.totals)
    assert plan.before["hosts_with_vms"] == sum(host.vms > 0 for host in view.hosts)
    assert {name: plan.before[f"could_start: {name}"] for name in view.more} == view.more


def test_sleepers_do_not_run_meanwhile_and_all_is_as_before_afterwards() -> None:
    _, plan = night(SLEEPERS)
    asleep = sum(step.kind == "suspend" for step in plan.steps)
    assert plan.meanwhile["vms_running"] == plan.before["vms_running"] - asleep
    assert plan.meanwhile["hosts_with_vms"] == plan.before["hosts_with_vms"] - plan.score["hosts-freed"]
    assert plan.after == plan.before


def test_vms_that_need_not_come_back_leave_fewer_hosts_in_use() -> None:
    _, plan = night(STAYING)
    assert plan.after["hosts_with_vms"] == plan.before["hosts_with_vms"] - plan.score["hosts-freed"]
    assert plan.after["gpus_empty"] >= plan.before["gpus_empty"]


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
def test_a_wrong_figure_is_a_fault(when: str) -> None:
    story, plan = night(SLEEPERS)
    assert verify(story.snapshot, plan) == []
    figures = getattr(plan, when)
    wrong = plan.model_copy(update={when: {**figures, "vms_running": figures["vms_running"] + 1}})
    found = f"{when}['vms_running']: found {figures['vms_running'] + 1}, the judge counts {figures['vms_running']}"
    assert verify(story.snapshot, wrong) == [found]
    strange = plan.model_copy(update={when: {"wishes": 3}})
    assert verify(story.snapshot, strange) == [f"{when}: found 'wishes', which the judge does not count"]


def test_nothing_freed_is_no_meanwhile() -> None:
    _, plan = night("two-vms-that-must-swap-are-left-where-neither-may-stop")
    assert plan.freed == ()
    assert plan.meanwhile == {}
    assert plan.after == plan.before
