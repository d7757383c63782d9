"""What nobody can beat where a board is too large to be solved: its linear relaxation over groups of hosts alike.

The bound is worked out from the duals, so it holds however loosely the linear solver ended (Neumaier & Shcherbina,
"Safe bounds in linear and mixed-integer linear programming", 2004).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ortools.linear_solver.python import model_builder

from placer.solve.board import CountBoard, TooLarge
from placer.solve.budget import Budget
from placer.solve.survey import Survey
from placer_models.goals.goal import Goal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene

MOST_UNKNOWNS = 400_000
"""Unknowns of a relaxation at most."""

PARTS = 10**6
"""Duals are rounded to whole numbers of this part, so that the bound is exact."""

Row = tuple[list[int], list[int], int, int]
"""A condition: unknowns, factors, and what their sum is at least and at most."""


def relaxed(scene: Scene, survey: Survey, rules: Sequence[Rule], goals: Sequence[Goal], budget: Budget) -> int | None:
    """The bound of the first goal; None where there is no time for it."""
    hosts = [host.name for host in scene.cluster.hosts.values() if host.state == "up"]
    try:
        board = CountBoard(
            scene,
            rules,
            goals[:1],
            scene.cluster.asked,
            groups=survey.alike(scene, hosts),
            survey=survey,
            most=MOST_UNKNOWNS,
        )
    except TooLarge:
        return None
    return bound_of(board, goals[0], budget)


def bound_of(board: CountBoard, goal: Goal, budget: Budget) -> int | None:
    """The bound of a board's first goal from its linear relaxation."""
    factors, unknowns, constant = board.merged(board.aims[0][0])
    constant += board.aims[0][1]
    sign = 1 if goal.sense == "most" else -1
    aim = dict(zip((unknown.index for unknown in unknowns), (sign * factor for factor in factors), strict=True))
    proto = board.model.proto
    ends = [(variable.domain[0], variable.domain[-1]) for variable in proto.variables]
    rows = [_row(constraint) for constraint in proto.constraints if constraint.has_linear()]
    duals = _duals(ends, rows, aim, budget)
    return None if duals is None else sign * safe(ends, rows, aim, duals) + constant


def _row(constraint: Any) -> Row:
    linear = constraint.linear
    return list(linear.vars), list(linear.coeffs), linear.domain[0], linear.domain[-1]


def safe(ends: Sequence[tuple[int, int]], rows: Sequence[Row], aim: dict[int, int], duals: Sequence[float]) -> int:
    """What the aim cannot exceed, for any duals at all: in whole numbers throughout."""
    left = [0] * len(ends)
    for index, factor in aim.items():
        left[index] = factor * PARTS
    total = 0
    for (indexes, factors, least, most), dual in zip(rows, duals, strict=True):
        price = round(dual * PARTS)
        end = most if price > 0 else least
        if not price or abs(end) >= 2**62:
            continue  # no dual on a side that is open
        total += price * end
        for index, factor in zip(indexes, factors, strict=True):
            left[index] -= price * factor
    total += sum(worth * (high if worth > 0 else low) for worth, (low, high) in zip(left, ends, strict=True))
    return total // PARTS


def _duals(
    ends: Sequence[tuple[int, int]], rows: Sequence[Row], aim: dict[int, int], budget: Budget
) -> list[float] | None:
    model = model_builder.Model()  # type: ignore[no-untyped-call]
    unknowns = [model.new_num_var(low, high, "") for low, high in ends]
    posted = []
    for indexes, factors, least, most in rows:
        total = model_builder.LinearExpr.weighted_sum([unknowns[index] for index in indexes], _floats(factors))
        low = -math.inf if least <= -(2**62) else least
        high = math.inf if most >= 2**62 else most
        posted.append(model.add_linear_constraint(total, low, high))
    model.maximize(model_builder.LinearExpr.weighted_sum([unknowns[index] for index in aim], _floats(aim.values())))
    solver = model_builder.Solver("glop")
    solver.set_time_limit_in_seconds(max(0.1, budget.left))
    if budget.run(lambda: solver.solve(model), solver.stop_search) != model_builder.SolveStatus.OPTIMAL:
        return None
    return [solver.dual_value(row) for row in posted]


def _floats(values: Iterable[int]) -> list[float]:
    return list(map(float, values))
