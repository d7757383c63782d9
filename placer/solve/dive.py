"""A better arrangement by way of the linear relaxation: it chooses the unknowns that decide nearly everything (which
hosts are emptied), CP-SAT the rest.

With them fixed a board of a thousand hosts is mere packing. What comes out is a hint for the board as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ortools.linear_solver.python import model_builder
from ortools.sat.python import cp_model

from placer.solve.bound import OPEN
from placer.solve.budget import Budget
from placer_models.decision import Search

FEW_UNKNOWNS = 3_000
"""Unknowns up to which CP-SAT does as well without help."""

WORK = 4.0
"""Deterministic seconds for the rest at most."""


def better(
    model: cp_model.CpModel, leaders: Sequence[cp_model.IntVar], values: list[int], search: Search, budget: Budget
) -> list[int]:
    """The better of `values` and of the arrangement found with as many leaders at 1 as there are in it, those that the
    relaxation likes most. The leaders are 0 or 1.
    """
    if not leaders or len(values) <= FEW_UNKNOWNS:
        return values
    found = relaxed(model, budget)
    if found is None or budget.over():
        return values
    liked = sorted(leaders, key=lambda unknown: (-round(found[unknown.index], 6), unknown.index))
    most = sum(values[unknown.index] for unknown in leaders)
    fixed = model.clone()
    for number, unknown in enumerate(liked):
        fixed.add(fixed.get_int_var_from_proto_index(unknown.index) == int(number < most))
    fixed.clear_hints()  # type: ignore[no-untyped-call]
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.random_seed, parameters.num_workers, parameters.max_deterministic_time = search.seed, 1, WORK
    parameters.linearization_level = 1
    if budget.solve(solver, fixed) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return values
    other = list(solver.response_proto.solution)
    return other if _cost(model, other) < _cost(model, values) else values


def _cost(model: cp_model.CpModel, values: Sequence[int]) -> int:
    """What CP-SAT makes least of (what is to be most, it counts below 0)."""
    aim = model.proto.objective
    return sum(factor * values[index] for index, factor in zip(aim.vars, aim.coeffs, strict=True))


def _end(bound: int) -> float:
    return math.copysign(math.inf, bound) if abs(bound) >= OPEN else float(bound)


def relaxed(model: cp_model.CpModel, budget: Budget) -> list[float] | None:
    """What the unknowns are in the best solution of the linear relaxation; None where there is none in time."""
    proto = model.proto
    linear = model_builder.Model()  # type: ignore[no-untyped-call]
    domains = [list(variable.domain) for variable in proto.variables]
    unknowns = [linear.new_num_var(domain[0], domain[-1], "") for domain in domains]
    expr = model_builder.LinearExpr
    for constraint in proto.constraints:
        if constraint.has_linear():
            row = constraint.linear
            total = expr.weighted_sum([unknowns[index] for index in row.vars], list(map(float, row.coeffs)))
            ends = list(row.domain)
            linear.add_linear_constraint(total, _end(ends[0]), _end(ends[-1]))
    aim = proto.objective
    linear.minimize(expr.weighted_sum([unknowns[index] for index in aim.vars], list(map(float, aim.coeffs))))
    solver = model_builder.Solver("glop")
    solver.set_time_limit_in_seconds(max(0.1, budget.left / 4))
    if budget.run(lambda: solver.solve(linear), solver.stop_search) != model_builder.SolveStatus.OPTIMAL:
        budget.spending.cut = True
        return None
    return [solver.value(unknown) for unknown in unknowns]
