"""When a VM that is asked for is worth moving another, by the goals and their order."""

from __future__ import annotations

from collections.abc import Sequence

from placer.warm.field import Pick
from placer_models.cluster import Vm
from placer_models.goals.goal import Goal

MOST = frozenset({"placed", "gpu-milli", "should"})
"""Goals by which nothing is better than a VM that is placed with no wish broken."""


def stands_best(goals: Sequence[Goal], pick: Pick) -> bool:
    """Whether no move could make a place better by the goals that come before the fewest moves."""
    kinds = [goal.kind for goal in goals]
    before = set(kinds[: kinds.index("moves")] if "moves" in kinds else kinds)
    return pick.stand is not None and before <= MOST and not pick.score.get("should", 0)


def room_comes_first(goals: Sequence[Goal], vm: Vm) -> bool:
    """Whether starting a VM is worth a move, whatever that costs by other goals: no move is made that breaks a wish."""
    for goal in goals:
        if goal.kind == "placed" or (goal.kind == "gpu-milli" and vm.gpus):
            return True
        if goal.kind not in MOST:
            return False
    return False
