"""What each item that is expected is worth where they all share GPUs of one kind: a linear program over GPU states.

An item's price is what serving it takes of a GPU if everything that is expected is to be served as often as possible.
With D(s) the worth of what is left of a GPU in state s, the prices p make D of an empty GPU least while

    D(s) >= p(i) + D(s')   for each item i that turns state s into s',
    sum of demand(i) x p(i) = 1,   D, p >= 0

which is the dual of filling GPUs with whole patterns (Valerio de Carvalho's arc-flow model of cutting stock, 1999). A
share that leaves a rest which hardly anybody asks for is worth a whole GPU, one that fits such a rest nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ortools.linear_solver.python import model_builder

Arc = tuple[int, int, int]
"""A state, the item that it takes, and the state that it is then in, all by number. State 0 is an empty GPU."""


def prices(arcs: Sequence[Arc], demand: Sequence[int]) -> list[float] | None:
    """The price of each item in GPUs, by how often it is asked for; one that nobody asks for (0) has none. None: the
    solver, which has its numerical limits, finds none.
    """
    model = model_builder.Model()  # type: ignore[no-untyped-call]
    states = 1 + max(max(before, after) for before, _, after in arcs)
    unlimited = float("inf")
    worth = [model.new_num_var(0, unlimited, "") for _ in range(states)]
    price = [model.new_num_var(0, unlimited if asked else 0, "") for asked in demand]
    for before, item, after in arcs:
        model.add(worth[before] - worth[after] - price[item] >= 0)
    total = sum(demand)
    model.add(model_builder.LinearExpr.weighted_sum(price, [asked / total for asked in demand]) == 1)
    model.minimize(worth[0])
    solver = model_builder.Solver("glop")
    if solver.solve(model) != model_builder.SolveStatus.OPTIMAL:
        return None
    whole = solver.value(worth[0])
    return [max(0.0, solver.value(one)) / whole for one in price]
