"""A round as the steps of a plan."""

from __future__ import annotations

from placer.rounds.care import Stage
from placer.rounds.play import Round
from placer.steps import Steps
from placer_models.plan import PlacedGpu, Step

CARE = ("leave-maintenance", "restart-host", "set-mode")


def write(steps: Steps, found: Round, offset: int, mark: str) -> None:
    """Add a round's steps, its beginning `offset` seconds after the clock's origin: each host is cared for when all
    have left it, and come back to when that is done. All of it waits for the round before.
    """
    before = tuple(step.id for step in steps.steps if step.kind in CARE)[-1:]
    first = len(steps.steps)
    steps.evening(
        found.outward, offset, f"{mark}e", found.hours.keys(), "frees" if found.care.empties else "leaves a GPU of"
    )
    leaving = steps.steps[first:]
    steps.steps[first:] = [_waiting(step, before) for step in leaving]
    done: dict[str | None, str] = {}
    for i, (host, (begin, end)) in enumerate(found.hours.items(), 1):
        waits = tuple(step.id for step in leaving if step.leaves == host) or before
        for stage in found.care.stages:
            step = _step(steps, stage, f"{mark}h{i}-{stage.name}", host, offset + begin, waits)
            steps.steps.append(step)
            done[host], waits = step.id, (step.id,)
        if found.care.frees:
            steps.free(host, offset + begin, offset + end)
    steps.cluster = found.after.cluster
    first = len(steps.steps)
    steps.morning(found.back, offset, f"{mark}m")
    steps.steps[first:] = [
        _waiting(step, (done[step.reaches],)) if step.reaches in done else step for step in steps.steps[first:]
    ]


def _waiting(step: Step, names: tuple[str, ...]) -> Step:
    return step.model_copy(update={"waits_for": (*step.waits_for, *names)}) if names else step


def _step(steps: Steps, stage: Stage, name: str, host: str, begin: int, waits_for: tuple[str, ...]) -> Step:
    start = begin + stage.at
    return Step(
        id=name,
        kind=stage.kind,
        host=host,
        gpus=tuple(PlacedGpu(gpu=gpu) for gpu in stage.gpus),
        mode=stage.mode,
        sharing=stage.sharing,
        start=steps.clock.instant(start),
        end=steps.clock.instant(start + stage.seconds),
        waits_for=waits_for,
        why=stage.why,
    )
