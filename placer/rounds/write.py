"""A round as the steps of a plan."""

from __future__ import annotations

from collections.abc import Iterator

from placer.rounds.care import Stage
from placer.rounds.play import Round
from placer.steps import Steps
from placer_models.plan import PlacedGpu, Step

CARE = ("leave-maintenance", "restart-host", "set-mode")


def write(steps: Steps, found: Round, mark: str) -> None:
    """Add a round's steps: each host is cared for when all have left it and it may be, and come back to when that is
    done. All of it waits for the round before: for its end, or (where it overlaps with that) until the hosts are cared
    for.
    """
    care = found.care
    gate = ("enter-maintenance",) if found.overlaps else CARE
    before = tuple(step.id for step in steps.steps if step.kind in gate)[-1:]
    done = {step.host: step.id for step in steps.steps if step.kind in CARE}
    first = len(steps.steps)
    steps.evening(
        found.outward, found.at, f"{mark}e", found.hours.keys(), "frees" if care.empties else "leaves a GPU of"
    )
    leaving = steps.steps[first:]
    steps.steps[first:] = [_waiting(step, (*before, *_of(done.get(step.reaches)))) for step in leaving]
    for i, (host, (begin, end)) in enumerate(sorted(found.hours.items(), key=lambda one: one[1]), 1):
        waits = tuple(step.id for step in leaving if step.leaves == host) or before
        waits += tuple(_of(_turn(steps, care.at_once)))
        for stage in care.stages:
            step = _step(steps, stage, f"{mark}h{i}-{stage.name}", host, found.at + begin, waits)
            steps.steps.append(step)
            done[host], waits = step.id, (step.id,)
        if care.frees:
            steps.free(host, found.at + begin, found.at + end)
    steps.cluster = found.after.cluster
    first = len(steps.steps)
    steps.morning(found.back, found.at, f"{mark}m")
    steps.steps[first:] = [_waiting(step, tuple(_of(done.get(step.reaches)))) for step in steps.steps[first:]]


def _turn(steps: Steps, at_once: int | None) -> str | None:
    """For which step a host has to wait if no more than so many are to be cared for at once."""
    leaves = sorted((step for step in steps.steps if step.kind == "leave-maintenance"), key=lambda step: step.start)
    return leaves[-at_once].id if at_once is not None and len(leaves) >= at_once else None


def _of(name: str | None) -> Iterator[str]:
    if name is not None:
        yield name


def _waiting(step: Step, names: tuple[str, ...]) -> Step:
    return step.model_copy(update={"waits_for": tuple(dict.fromkeys((*step.waits_for, *names)))}) if names else step


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
