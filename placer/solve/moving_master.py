"""The master problem of moves all over a cluster: it chooses changes of hosts (`placer.solve.changes`).

    most  sum of value x VMs started
    where of each kind, VMs started <= VMs that come to hosts - VMs that leave hosts, and <= those that wait,
          VMs that leave hosts <= the moves that are allowed,
          changes of a group of hosts alike <= its hosts.

Until the changes known so far serve every kind, it may buy a place for a dear price, so that its prices stay sensible;
in the end none is bought.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.linear_solver.python import model_builder

from placer.solve.budget import Budget
from placer.solve.changes import Change
from placer.solve.inventory import Inventory
from placer.solve.options import PART, Numbers


@dataclass(frozen=True)
class Prices:
    """What a VM of each kind is worth, a move, and a host of each group. Of the linear master's best, also: its total,
    how often each change is taken, and the kinds of which places are bought.
    """

    kinds: Numbers
    move: float
    groups: Numbers
    total: float = 0.0
    taken: Sequence[float] = ()
    bought: frozenset[int] = frozenset()

    def worth(self, change: Change) -> float:
        """What a change is worth."""
        come = sum(many * float(self.kinds[kind]) for kind, many in change.comes)
        return come - sum(many * (float(self.kinds[kind]) + self.move) for kind, many in change.leaves)

    def ranked(self, changes: Sequence[Change]) -> list[Change]:
        """The changes that were chosen from, those that these prices like best first."""
        taken = {change for change, times in zip(changes, self.taken, strict=False) if times > 1e-9}
        regret = {change: self.groups[change.group] - self.worth(change) for change in changes}
        return sorted(changes, key=lambda change: (change not in taken, regret[change]))


class Master:
    """The master over some changes, for so many moves: linear with a `dear` price for which places may be bought, else
    in whole numbers. `part` is the part of the moves and of those who wait that there is.
    """

    def __init__(
        self, inventory: Inventory, changes: Sequence[Change], moves: int, dear: Numbers | None = None, part: float = 1
    ) -> None:
        expr = model_builder.LinearExpr
        self._changes = changes
        self._model = model_builder.Model()  # type: ignore[no-untyped-call]
        new = self._model.new_int_var if dear is None else self._model.new_num_var
        hosts = [len(group.hosts) for group in inventory.groups]
        self._taken = [new(0, hosts[change.group], "") for change in changes]
        started = [new(0, part * len(kind.waiting), "") for kind in inventory.kinds]
        self._bought = [] if dear is None else [new(0, math.inf, "") for _ in inventory.kinds]
        net: list[list[tuple[object, float]]] = [[(one, -1.0)] for one in started]
        for number, one in enumerate(self._bought):
            net[number].append((one, 1.0))
        used: dict[int, list[object]] = defaultdict(list)
        leaving: list[tuple[model_builder.Variable, float]] = []
        for change, taken in zip(changes, self._taken, strict=True):
            used[change.group].append(taken)
            sums = Counter(dict(change.comes))
            sums.subtract(dict(change.leaves))
            for kind, many in sums.items():
                net[kind].append((taken, float(many)))
            if change.leaves:
                leaving.append((taken, float(change.moves)))

        def weighted(pairs: Sequence[tuple[object, float]]) -> model_builder.LinearExpr:
            return expr.weighted_sum([one for one, _ in pairs], [factor for _, factor in pairs])

        self._kinds = [self._model.add(weighted(pairs) >= 0) for pairs in net]
        self._moves = self._model.add(weighted(leaving) <= part * moves) if leaving else None
        self._groups = [
            self._model.add(expr.sum(used[number]) <= many) if number in used else None
            for number, many in enumerate(hosts)
        ]
        aim = [(one, float(kind.value)) for one, kind in zip(started, inventory.kinds, strict=True)]
        aim += [(one, -float(price)) for one, price in zip(self._bought, () if dear is None else dear, strict=True)]
        if dear is None:  # of equal ones the fewest moves
            aim += [(one, -factor / (2.0 * moves + 2.0)) for one, factor in leaving]
        self._model.maximize(weighted(aim))

    def prices(self, budget: Budget) -> Prices | None:
        """The linear master's prices; None where the linear solver ends without any."""
        solver = model_builder.Solver("glop")
        status = budget.run(lambda: solver.solve(self._model), solver.stop_search)
        if status != model_builder.SolveStatus.OPTIMAL:
            return None

        def dual(row: model_builder.LinearConstraint | None, sign: int = 1) -> float:
            return 0.0 if row is None else max(0.0, round(sign * solver.dual_value(row) / PART) * PART)

        return Prices(
            np.array([dual(row, -1) for row in self._kinds]),
            dual(self._moves),
            np.array([0.0 if row is None else max(0.0, solver.dual_value(row)) for row in self._groups]),
            solver.objective_value,
            [solver.value(one) for one in self._taken],
            frozenset(kind for kind, one in enumerate(self._bought) if solver.value(one) > 1e-6),
        )

    def chosen(self, budget: Budget, seconds: float) -> tuple[list[tuple[Change, int]], bool]:
        """Changes chosen a whole number of times, in so many seconds at most, and whether none are better."""
        solver = model_builder.Solver("highs")
        solver.set_solver_specific_parameters("output_flag=false\n")  # else it says its name on standard output
        solver.set_time_limit_in_seconds(max(0.1, seconds))
        status = budget.run(lambda: solver.solve(self._model), solver.stop_search)
        best = status == model_builder.SolveStatus.OPTIMAL
        if not best and status != model_builder.SolveStatus.FEASIBLE:
            return [], False
        found = ((one, round(solver.value(taken))) for one, taken in zip(self._changes, self._taken, strict=True))
        return [(one, times) for one, times in found if times], best
