"""Solvers as peers: CP-SAT, and HiGHS and SCIP through OR-Tools MathOpt, each with its own settings, free to use all
CPUs. They may be told of an answer to begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ortools.math_opt.python import mathopt
from ortools.sat.python import cp_model

from bench.peers.stated import Stated
from bench.world import Choice

Tell = Callable[[Mapping[str, Choice], int | None], None]
"""Told of every better answer: the choices so far, and the bound on what is compared."""
MATH_OPT = {"highs": mathopt.SolverType.HIGHS, "scip": mathopt.SolverType.GSCIP}


@dataclass(frozen=True)
class Outcome:
    """How a search ended: the bound on what is compared, and whether the last answer told is proven best."""

    bound: int | None
    optimal: bool


@dataclass(frozen=True)
class Asked:
    """What a solver gets: the model, how many seconds are left (said when it has been built), a seed, whom to tell, and
    choices to begin with.
    """

    stated: Stated
    seconds: Callable[[], float]
    seed: int
    tell: Tell
    hint: Mapping[str, Choice] | None = None


def solve(solver: str, asked: Asked) -> Outcome:
    """Let `cp-sat`, `highs` or `scip` answer."""
    return _cp_sat(asked) if solver == "cp-sat" else _math_opt(MATH_OPT[solver], asked)


def _cp_sat(asked: Asked) -> Outcome:
    stated, tell = asked.stated, asked.tell
    model = cp_model.CpModel()
    numbers = [model.new_int_var(0, most, "") for most in stated.most]
    for row in stated.rows:
        terms = [numbers[index] for index in row.numbers]
        model.add(cp_model.LinearExpr.weighted_sum(terms, row.weights) <= row.most)
    ours = [numbers[index] for index, _ in stated.value]
    model.maximize(cp_model.LinearExpr.weighted_sum(ours, [weight for _, weight in stated.value]))
    if asked.hint is not None:
        for number, value in zip(numbers, stated.values(asked.hint), strict=True):
            model.add_hint(number, value)

    class Better(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            value = self.value
            tell(stated.choices(lambda index: value(numbers[index])), stated.bound(self.best_objective_bound))

    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.1, asked.seconds())
    solver.parameters.random_seed = asked.seed
    status = solver.solve(model, Better())
    known = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return Outcome(stated.bound(solver.best_objective_bound) if known else None, status == cp_model.OPTIMAL)


def _math_opt(solver: mathopt.SolverType, asked: Asked) -> Outcome:
    """Asked for a proof (no tolerated gap). It tells its answer only at the end."""
    stated = asked.stated
    model = mathopt.Model()
    numbers = [model.add_integer_variable(lb=0, ub=most) for most in stated.most]
    for row in stated.rows:
        constraint = model.add_linear_constraint(ub=row.most)
        for index, weight in zip(row.numbers, row.weights, strict=True):
            constraint.set_coefficient(numbers[index], weight)
    model.objective.is_maximize = True
    for index, weight in stated.value:
        model.objective.set_linear_coefficient(numbers[index], weight)
    hints = []
    if asked.hint is not None:
        values = map(float, stated.values(asked.hint))
        hints.append(mathopt.SolutionHint(variable_values=dict(zip(numbers, values, strict=True))))
    result = mathopt.solve(
        model,
        solver,
        params=mathopt.SolveParameters(
            time_limit=timedelta(seconds=max(0.1, asked.seconds())),
            random_seed=asked.seed,
            relative_gap_tolerance=0.0,
        ),
        model_params=mathopt.ModelSolveParameters(solution_hints=hints),
    )
    optimal = result.termination.reason == mathopt.TerminationReason.OPTIMAL
    bound = stated.bound(result.termination.objective_bounds.dual_bound)
    if result.has_primal_feasible_solution():
        found: Sequence[float] = result.variable_values(numbers)
        asked.tell(stated.choices(lambda index: round(found[index])), bound)
    return Outcome(bound, optimal)
