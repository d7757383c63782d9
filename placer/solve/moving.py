"""Room made by moves in a whole cluster at once: an inventory, columns over it, and what they say carried out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from placer.solve.budget import Budget
from placer.solve.carried import Carried, Carrier
from placer.solve.inventory import Inventory
from placer.solve.moving_columns import MovingColumns
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer_models.goals.gpu_milli import GpuMilli
from placer_models.goals.placed import Placed

Summed = GpuMilli | Placed
"""Goals that are a sum over the VMs that are started."""

SHARE = 0.6
"""The part of the time in which columns are generated."""

WHOLE_SHARE = 0.3
"""The part of the time left after that in which whole numbers of them are chosen."""

MOST_KINDS = 2_000
"""Kinds of VMs at most: where hardly two are alike there is nothing to be gained by counting them."""

MOST_CHANGES = 6_000
"""Changes from which whole numbers are chosen at most."""


@dataclass(frozen=True)
class Rearranged:
    """What nobody beats with so many moves, moves and starts that come near it, and whether all ended by itself."""

    bound: int | None = None
    carried: Carried = field(default_factory=Carried)
    settled: bool = True


def rearranged(
    question: Question, survey: Survey, goal: int, budget: Budget, worth: Mapping[str, float] | None = None
) -> Rearranged:
    """The cluster rearranged for a goal (by its number); nothing where the goal is no sum over the VMs that are
    started. `worth` says what places for VMs are worth, about (by name, of each kind one), where that is known.
    """
    aim, movable = question.goals[goal], question.movable
    if not isinstance(aim, Summed) or not movable or not question.most_moves:
        return Rearranged()
    if len({survey.vm(name) for name in (*movable, *question.cluster.asked)}) > MOST_KINDS:
        return Rearranged()
    inventory = Inventory(question.scene, survey, question.rules, aim, movable)
    columns = MovingColumns(inventory, question.most_moves, budget)
    if worth:
        columns.bounded_at(inventory.by_kind(worth))
    prices = columns.generate((1 - SHARE) * budget.left)
    bound = int(columns.bound) if inventory.exact and math.isfinite(columns.bound) else None
    if prices is None or any(rule.exact and not rule.soft for rule in question.rules):
        return Rearranged(bound, settled=columns.settled)  # such rules take too long to be asked about every step
    chosen = columns.whole(prices, WHOLE_SHARE * budget.left, MOST_CHANGES)
    carried = Carrier(inventory, survey, question.rules, question.search, budget).carry(chosen, question.most_moves)
    return Rearranged(bound, carried, columns.settled)
