"""The GPUs that a plan has changed, in the midst of its night: as they were before, and whether they are now as they
were to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from placer_models.cluster import Cluster, Host, firmware_mode
from placer_models.night import GpuBefore
from placer_models.plan import Plan, Step


def gpus_before(steps: Sequence[Step], known: Sequence[GpuBefore], at: datetime) -> Iterator[GpuBefore]:
    """How GPUs were before they were changed: as the plan is to leave them in the end, unless it is `known`."""
    yield from known
    changed = {(one.host, one.gpu) for one in known}
    in_turn = sorted((step for step in steps if step.kind == "set-mode"), key=lambda step: step.start)
    for first in in_turn:
        for gpu in first.gpus if first.end <= at else ():
            last = next(s for s in reversed(in_turn) if s.host == first.host and gpu.gpu in {g.gpu for g in s.gpus})
            if last.end > at and (first.host, gpu.gpu) not in changed:
                changed.add((str(first.host), gpu.gpu))
                yield GpuBefore(host=str(first.host), gpu=gpu.gpu, mode=last.mode, sharing=last.sharing)


def not_as_set(cluster: Cluster, plan: Plan, step: Step, host: Host, steps: Sequence[Step], at: datetime) -> str | None:
    """What is not as a step was to put it, in a sentence; None: nothing, as far as can be seen.

    A mode is seen when the host has been restarted for it; a GPU may be changed again by a later one of the host's
    `steps`, and be put in another sharing by a VM that has come there.
    """
    later = [one for one in steps if one.start >= step.end and one is not step]
    if any(one.kind == "restart-host" and one.end > at for one in later):
        return None
    again = {placed.gpu for one in later if one.kind == "set-mode" for placed in one.gpus}
    taken = {
        placed.gpu
        for one in plan.steps
        for placed in one.gpus
        if one.reaches == host.name and placed.sharing is not None
    }
    for gpu in (host.gpu[placed.gpu] for placed in step.gpus if placed.gpu in host.gpu):
        mode = firmware_mode(cluster.catalogue, gpu)
        if gpu.id not in again and step.mode not in (None, mode):
            return f"GPU {gpu.id} of {host.name} was to be in {step.mode} mode by now, and is in {mode}"
        if gpu.id not in again | taken and step.sharing not in (None, gpu.sharing):
            return f"GPU {gpu.id} of {host.name} was to be in sharing {step.sharing} by now, and is in {gpu.sharing}"
    return None
