"""A run that has its host to itself fills it, also for whoever would start again after the loss of another host."""

from __future__ import annotations

import pytest

from placer.judge.timed import TimedReplay
from placer.judge.why import explain_plan
from placer_models.cluster import Ask, Host, Vm
from placer_models.night import Job, filling
from tests.night_stories import told

FARM = "a-render-farm-leaves-a-host-on-which-the-desktops-would-start-again"


def test_a_farm_on_the_last_spare_host_is_refused() -> None:
    story, plan = told(FARM)
    (run,) = plan.jobs
    (spare,) = (freed for freed in plan.freed if freed.host != run.host)
    later = {"start": spare.from_, "end": spare.from_ + (run.end - run.start)}
    second = run.model_copy(update={"host": spare.host, "instance": 1, **later})
    ends = {"start-job": later["start"], "stop-job": later["end"]}
    more = [
        step.model_copy(update={"id": f"more {step.kind}", "host": spare.host, "start": at, "end": at, "waits_for": ()})
        for step in plan.steps
        if (at := ends.get(step.kind)) is not None
    ]
    greedy = plan.model_copy(update={"jobs": (run, second), "steps": (*plan.steps, *more)})
    assert plan.asked is not None
    rules = story.decision.rules_of(story.snapshot.rules)
    replay = TimedReplay(story.snapshot.content, rules, story.request, plan.asked.jobs, greedy)
    assert replay.faults
    assert all("would not start again" in fault for fault in replay.faults)


def test_it_is_said_why_there_is_no_second_farm() -> None:
    story, plan = told(FARM)
    said = [one for answer in explain_plan(story.snapshot, plan, "film").answers for one in answer.because]
    assert [one for one in said if "would then break a rule" in one and "would not start again" in one]


@pytest.mark.parametrize("gpus", [(), (Ask(models=("Tesla M60",)),)], ids=["without", "with GPUs"])
def test_a_filling_vm_is_as_big_as_its_host_and_no_smaller_than_its_job(gpus: tuple[Ask, ...]) -> None:
    host = Host(name="h", cpus=8, cpu_ratio=2, reserved_cpus=1, memory_mib=1000, memory_ratio=1.5)
    small = filling(Job(name="film", hours=1, gpus=gpus).vm("job/film/0"), host)
    assert (small.cpus, small.memory_mib) == (14, 1000 if gpus else 1500)
    big = filling(Vm(name="big", power="off", cpus=99, memory_mib=9999, gpus=gpus), host)
    assert (big.cpus, big.memory_mib) == (99, 9999)
