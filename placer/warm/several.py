"""Several VMs placed one after the other: the largest first, each where the look ahead says. Often that is the best
answer, and then nothing need be searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from placer.warm.field import Field
from placer.warm.standing import Standing
from placer_models.cluster import Vm
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.placed import Placed
from placer_models.scene import Stand

COUNTED = frozenset({"placed", "gpu-milli", "should", "moves"})
"""The goals by which nothing is better than all VMs placed that can be, no wish broken, and nothing moved."""


@dataclass(frozen=True)
class InTurn:
    """Where each VM that found room is to stand, the goals' scores then, and whether nothing could be better."""

    stands: Mapping[str, Stand]
    score: Mapping[str, int]
    best: bool


def in_turn(standing: Standing, asked: Mapping[str, int], vms: Sequence[Vm]) -> InTurn | None:
    """Place VMs that stand nowhere one after the other: by priority (`asked`), then the largest first. The cluster is
    afterwards as it was. None: a wish is broken then, or a goal looks at more than who is placed. Raises Unsure.
    """
    goals = standing.goals_of(asked)
    kinds = {goal.kind for goal in goals}
    if not kinds <= COUNTED:
        return None
    field = standing.field
    milli = {vm.name: milli_of(field.cluster, vm) for vm in vms}
    wishes = field.wishes.broken if "should" in kinds else 0
    with known(standing, vms):
        with guests(field) as put:
            for vm in sorted(vms, key=lambda vm: (-asked[vm.name], -milli[vm.name], -vm.cpu_milli)):
                pick = field.pick(vm)
                if pick.stand is not None:
                    put(pick.stand)
                    wishes = pick.score.get("should", 0)
            stands = {vm.name: stand for vm in vms for stand in field.scene.of(vm.name)}
        if wishes:
            return None
        best = all(field.hopeless(vm) for vm in vms if vm.name not in stands)
    score = {goal.label: 0 for goal in goals}
    for goal in goals:
        if isinstance(goal, Placed):
            score[goal.label] = sum(goal.priority in (None, asked[name]) for name in stands)
        elif goal.kind == "gpu-milli":
            score[goal.label] = sum(milli[name] for name in stands)
    return InTurn(stands, score, best)


@contextmanager
def known(standing: Standing, vms: Iterable[Vm]) -> Iterator[None]:
    """The cluster with VMs' documents as they are asked for, for the length of a `with` block."""
    new = [vm for vm in vms if standing.vms.get(vm.name) is not vm]
    before = [(vm.name, standing.know(vm)) for vm in new]
    try:
        yield
    finally:
        for name, was in before:
            if was is None:
                standing.forget(name)
            else:
                standing.know(was)


@contextmanager
def guests(field: Field) -> Iterator[Callable[[Stand], None]]:
    """A way to put VMs that are known on hosts, which leave again at the end of a `with` block."""
    come: list[Stand] = []

    def put(stand: Stand) -> None:
        field.put(stand)
        come.append(stand)

    try:
        yield put
    finally:
        for stand in reversed(come):
            field.remove(stand)
