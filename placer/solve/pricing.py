"""What one host of a group would best hold at given prices of VMs: the question that makes columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from placer.solve.board import CountBoard
from placer.solve.master import Column

SCALE = 1000
"""Prices are whole numbers of this part of a value, so that pricing and its bound are exact."""

PRICING_WORK = 0.5
"""Deterministic seconds for the content of one host at most."""


@dataclass
class Pricing:
    """What a pricing board found: contents, and what none exceeds at its prices."""

    group: int
    found: list[tuple[Column, tuple[int, ...]]] = field(default_factory=list)
    bound: int = 0
    work: float = 0.0


class Contents(cp_model.CpSolverSolutionCallback):
    """Keeps every content that CP-SAT comes by while it looks for the best."""

    def __init__(self, group: int, counts: Sequence[tuple[int, cp_model.IntVar]]) -> None:
        super().__init__()
        self._group, self._counts = group, counts
        self.found: list[tuple[Column, tuple[int, ...]]] = []

    def on_solution_callback(self) -> None:
        values = tuple(self.response_proto.solution)
        counts = tuple((number, values[count.index]) for number, count in self._counts if values[count.index])
        self.found.append((Column(self._group, counts), values))


@dataclass(frozen=True)
class Pricer:
    """The board of one host of a group, and its unknown for each class of VMs (by its number)."""

    board: CountBoard
    counts: Sequence[tuple[int, cp_model.IntVar]]

    def best(self, group: int, prices: Sequence[int], most: Sequence[int], seconds: float) -> Pricing:
        """The best content at these prices (in parts of `SCALE`), of so many VMs of each class at most."""
        model = self.board.model
        if not self.counts:
            return Pricing(group)
        for number, count in self.counts:
            domain = model.proto.variables[count.index].domain
            domain.clear()
            domain.extend([0, most[number]])
        worth = [prices[number] for number, _ in self.counts]
        model.maximize(cp_model.LinearExpr.weighted_sum([count for _, count in self.counts], worth))
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.num_workers = 1
        parameters.linearization_level = 2
        parameters.cp_model_probing_level = 0  # probing and symmetry cost more than they save on one host
        parameters.symmetry_level = 0
        parameters.max_deterministic_time = PRICING_WORK
        parameters.max_time_in_seconds = max(0.01, seconds)
        parameters.catch_sigint_signal = False
        watch = Contents(group, self.counts)
        status = solver.solve(model, watch)
        bound = sum(prices[number] * most[number] for number, _ in self.counts)  # of everything at once
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            bound = min(bound, int(solver.best_objective_bound + 0.5))
        return Pricing(group, watch.found, bound, solver.response_proto.deterministic_time)
