"""A night planned from its midst on: nothing that is done is undone before its time, and what is under way goes on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from placer.consolidate import write
from placer.night.carried import Carried
from placer.night.present import Present
from placer.night.result import Result
from placer.night.runs import Runs
from placer.night.search import plan_night
from placer.night.several import ahead, what_is_left
from placer.night.staying import staying
from placer.night.window import Night
from placer.progress import Progress
from placer.rest import Rest
from placer.rest_jobs import job_steps
from placer.solve.budget import Budget
from placer.steps import Steps
from placer_models.clock import Clock, merged
from placer_models.decision import Decision
from placer_models.night import Asked, Consolidate, Request
from placer_models.plan import Plan, Step
from placer_models.snapshot import Snapshot

FREE_ALREADY = "is free already"
Keep = Literal["targets", "most", "nothing"]


def planned_on(
    snapshot: Snapshot, rest: Rest, decision: Decision, budget: Budget, progress: Progress | None, keep: Keep
) -> Plan:
    """What is left of a consolidation, planned again, before it is judged.

    Of what was planned it keeps "targets": hosts that are free stay so, with the runs of jobs that were planned on
    them; VMs that have yet to go do so to where they were to, or not at all; only those whose steps have failed, and
    strangers on hosts that were to be freed, go any way. "most": likewise, but all VMs beside one whose step has failed
    go any way, too. "nothing": only what is under way goes on as it was. Where a window is over with that, who is not
    back is excused.
    """
    asked = rest.plan.asked
    assert asked is not None
    assert isinstance(asked.request, Consolidate)
    rules, goals = decision.rules_of(snapshot.rules), decision.night_goals()
    now = Present(snapshot.content, rest, asked.request)
    runs = Runs(rest.plan, asked.jobs, now.scene, now.begin, keep=keep != "nothing")
    steps, mark = Steps(snapshot.content, Clock(now.begin)), unused_mark(rest.plan)
    now.carried.taken = frozenset(runs.taken)
    nights: list[tuple[Night, Result]] = []
    scene = now.scene
    spans = left_of(asked.request, now.begin)
    if len(spans) < len(left_of(asked.request, rest.at)):  # one ends with what is under way
        now.too_late()
    for number, (begin, end) in enumerate(spans, 1):
        clock, offset = Clock(begin), steps.clock.seconds(begin)
        carried, request = (now.carried, now.request) if number == 1 else (Carried(), what_is_left(now.request, nights))
        closed = dict.fromkeys(carried.taken, FREE_ALREADY)
        night = Night(clock, clock.seconds(end), scene, rules, request, (), closed=closed, carried=carried)
        now.forbid(night)
        if keep != "nothing":
            now.keep(night, end, runs.to_free, loosely=keep == "most")
        night.errands = runs.left().errands(clock, ahead(night, spans[number:]))
        result = plan_night(night, goals, decision.search, budget, progress)
        nights.append((night, result))
        runs.more(result.runs, clock)
        write(steps, night, result, offset, f"{mark}{number}")
        if number == 1:
            steps.jobs(runs.settle(night, result), offset, f"{mark}f")
        scene = result.back.dawn
    unmoved, left_out = staying(nights, runs.taken) if nights else ([], [])
    kept = [step for step in now.of_hosts if step.host in runs.taken]
    told = [*now.done, *kept, *job_steps(rest.plan, runs.old)]
    known = {step.id for step in told}
    fresh = named_as_before(steps.steps, [step for step in rest.plan.steps if step.id not in known])
    return rest.plan.model_copy(
        update={
            "asked": excusing(asked, {**now.overdue, **now.carried.excused}),
            "steps": tuple(sorted([*told, *fresh], key=lambda step: step.start)),
            "jobs": (*runs.old, *steps.runs),
            "freed": tuple(runs.freed(steps.freed)),
            "unmoved": tuple(unmoved),
            "left_out": tuple(left_out),
        }
    )


def left_of(request: Request, begin: datetime) -> list[tuple[datetime, datetime]]:
    """What is left of a request's windows."""
    spans = merged(span for window in request.windows for span in window.spans())
    return [(max(start, begin), end) for start, end in spans if end > begin]


def excusing(asked: Asked, excused: dict[str, str]) -> Asked:
    """What is asked, but that these VMs are not due any more."""
    assert asked.begun is not None
    begun = asked.begun.model_copy(update={"excused": excused})
    return asked.model_copy(update={"begun": begun})


def unused_mark(plan: Plan) -> str:
    """A mark with which no id of a plan's steps begins."""
    number = 1
    while any(step.id.startswith(f"c{number}-") for step in plan.steps):
        number += 1
    return f"c{number}-"


def named_as_before(steps: Sequence[Step], old: Sequence[Step]) -> list[Step]:
    """Steps with the ids of those that were to do the same to the same VM or host."""

    def deed(step: Step) -> object:
        return step.kind, step.vm, step.job, step.leaves, step.reaches, step.host if step.vm is None else None

    same: dict[object, list[Step]] = defaultdict(list)
    for step in sorted(old, key=lambda step: step.start):
        same[deed(step)].append(step)
    names: dict[str, str] = {}
    for step in sorted(steps, key=lambda step: step.start):
        if before := same[deed(step)]:
            names[step.id] = before.pop(0).id
    return [
        step.model_copy(
            update={
                "id": names.get(step.id, step.id),
                "waits_for": tuple(names.get(name, name) for name in step.waits_for),
            }
        )
        for step in steps
    ]
