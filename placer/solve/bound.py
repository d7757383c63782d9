"""What nobody can beat where a board is too large to be solved: its linear relaxation over groups of hosts alike.

The bound is worked out from the duals, so it holds however loosely the linear solver ended (Neumaier & Shcherbina,
"Safe bounds in linear and mixed-integer linear programming", 2004).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ortools.linear_solver.python import model_builder

from placer.solve.board import CountBoard
from placer.solve.budget import Budget
from placer.solve.survey import Survey
from placer_models.goals.goal import Goal, Wish
from placer_models.rules.rule import Rule, Term
from placer_models.scene import Scene

OPEN = 2**62
"""Beyond any sum: a side of a condition that is open."""

MOST_UNKNOWNS = 200_000
"""Unknowns of a relaxation at most."""

PARTS = 10**9
"""Duals are rounded to whole numbers of this part, so that the bound is exact."""

Row = tuple[list[int], list[int], int, int]
"""A condition: unknowns, factors, and what their sum is at least and at most."""


class Linear:
    """The linear relaxation of a board, for some goals."""

    def __init__(self, board: CountBoard, goals: Sequence[Wish], budget: Budget) -> None:
        proto = board.model.proto
        domains = [list(variable.domain) for variable in proto.variables]
        self._ends = [(domain[0], domain[-1]) for domain in domains]
        self._rows = [_row(constraint) for constraint in proto.constraints if constraint.has_linear()]
        self._aims = [(_whole(board, terms), constant) for terms, constant in board.aims]
        self._goals, self._budget, self._narrow = goals, budget, board.narrow

    def bound(self, number: int, scores: Sequence[int]) -> int | None:
        """What nobody beats in a goal who reaches these scores in those before it; None where it is not known."""
        if self._narrow:
            return None
        rows, wanted, fixed = self._asked(number, scores)
        duals = _duals(self._ends, rows, wanted, self._budget)
        sign = 1 if self._goals[number].sense == "most" else -1
        return None if duals is None else sign * safe(self._ends, rows, wanted, duals) + fixed

    def weights(self, number: int, scores: Sequence[int]) -> list[float] | None:
        """What each goal up to that one weighs, the last one 1, if those before it are to reach these scores: what
        reaching one more there costs here. None where it is not known.
        """
        rows, wanted, _ = self._asked(number, scores)
        duals = _duals(self._ends, rows, wanted, self._budget) if number else []
        return None if duals is None else [*map(abs, duals[len(self._rows) :]), 1.0]

    def worth(self, weights: Sequence[float]) -> Mapping[int, float]:
        """What one more of each unknown counts for (of what counts as most), the first goals weighing so much."""
        worth: dict[int, float] = defaultdict(float)
        for goal, weight, ((indexes, factors, _), _) in zip(self._goals, weights, self._aims, strict=False):
            for index, factor in zip(indexes, factors, strict=True):
                worth[index] += weight * (factor if goal.sense == "most" else -factor)
        return worth

    def prices(self, worth: Mapping[int, float], kinds: Iterable[tuple[tuple[int, ...], int]]) -> list[float] | None:
        """What one more of each kind would bring, the unknowns (given by their numbers) being worth so much. A kind is
        some unknowns, of which there are so many together. None where it is not known.
        """
        duals = _duals(self._ends, self._rows, worth, self._budget)
        if duals is None:
            return None
        left, plain = defaultdict(float, worth), dict[tuple[int, ...], float]()
        for (indexes, factors, _, _), dual in zip(self._rows, duals, strict=True):
            for index, factor in zip(indexes, factors, strict=True):
                left[index] -= dual * factor
            if set(factors) == {1}:
                plain[tuple(indexes)] = dual
        ends = self._ends
        return [
            plain.get(indexes, 0.0) + max(0.0, *(left[index] for index in indexes if ends[index][1] >= many), 0.0)
            for indexes, many in kinds
        ]

    def _asked(self, number: int, scores: Sequence[int]) -> tuple[list[Row], dict[int, int], int]:
        """The conditions, with the scores of the goals before held; what is to be most; and a constant beside it."""
        rows = list(self._rows)
        for goal, (aim, constant), score in zip(self._goals, self._aims[:number], scores, strict=False):
            factors, constant = aim[1], constant + aim[2]
            ends = (score - constant, OPEN) if goal.sense == "most" else (-OPEN, score - constant)
            rows.append((aim[0], factors, *ends))
        (indexes, factors, fixed), constant = self._aims[number]
        sign = 1 if self._goals[number].sense == "most" else -1
        return rows, {index: sign * factor for index, factor in zip(indexes, factors, strict=True)}, constant + fixed


class Relaxation(Linear):
    """The relaxation of a whole cluster for some goals."""

    def __init__(
        self, scene: Scene, survey: Survey, rules: Sequence[Rule], goals: Sequence[Goal], budget: Budget
    ) -> None:
        """Raises TooLarge."""
        hosts = [host.name for host in scene.cluster.hosts.values() if host.state == "up"]
        groups = survey.alike(scene, hosts)
        board = CountBoard(
            scene, rules, goals, scene.cluster.asked, groups=groups, survey=survey, most=MOST_UNKNOWNS, over=budget.over
        )
        super().__init__(board, goals, budget)


def _whole(board: CountBoard, terms: Iterable[Term]) -> tuple[list[int], list[int], int]:
    factors, unknowns, constant = board.merged(terms)
    return [unknown.index for unknown in unknowns], factors, constant


def _row(constraint: Any) -> Row:
    linear = constraint.linear
    domain = list(linear.domain)
    return list(linear.vars), list(linear.coeffs), domain[0], domain[-1]


def safe(ends: Sequence[tuple[int, int]], rows: Sequence[Row], aim: dict[int, int], duals: Sequence[float]) -> int:
    """What the aim cannot exceed, for any duals at all: in whole numbers throughout."""
    left = [0] * len(ends)
    for index, factor in aim.items():
        left[index] = factor * PARTS
    total = 0
    for (indexes, factors, least, most), dual in zip(rows, duals, strict=True):
        price = round(dual * PARTS)
        end = most if price > 0 else least
        if not price or abs(end) >= OPEN:
            continue  # no dual on a side that is open
        total += price * end
        for index, factor in zip(indexes, factors, strict=True):
            left[index] -= price * factor
    total += sum(worth * (high if worth > 0 else low) for worth, (low, high) in zip(left, ends, strict=True))
    return total // PARTS


def _duals(
    ends: Sequence[tuple[int, int]], rows: Sequence[Row], aim: Mapping[int, float], budget: Budget
) -> list[float] | None:
    model = model_builder.Model()  # type: ignore[no-untyped-call]
    unknowns = [model.new_num_var(low, high, "") for low, high in ends]
    posted = []
    for indexes, factors, least, most in rows:
        total = model_builder.LinearExpr.weighted_sum([unknowns[index] for index in indexes], _floats(factors))
        low = -math.inf if least <= -OPEN else least
        high = math.inf if most >= OPEN else most
        posted.append(model.add_linear_constraint(total, low, high))
    model.maximize(model_builder.LinearExpr.weighted_sum([unknowns[index] for index in aim], _floats(aim.values())))
    solver = model_builder.Solver("glop")
    solver.set_time_limit_in_seconds(max(0.1, budget.left))
    if budget.run(lambda: solver.solve(model), solver.stop_search) != model_builder.SolveStatus.OPTIMAL:
        budget.spending.cut = True
        return None
    return [solver.dual_value(row) for row in posted]


def _floats(values: Iterable[float]) -> list[float]:
    return list(map(float, values))
