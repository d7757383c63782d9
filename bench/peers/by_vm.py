"""The model that a newcomer would write: one Boolean for each VM on each host, and for each share on each GPU.

It is stated once and solved by CP-SAT as it comes, or by HiGHS or SCIP through OR-Tools MathOpt.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from ortools.math_opt.python import mathopt
from ortools.sat.python import cp_model

from bench.peers.instance import Instance
from bench.world import WHOLE, Choice, Pod

Tell = Callable[[Mapping[str, Choice], int | None], None]
"""Told of every better answer: the choices so far, and the bound on what is compared."""
Is = Callable[[int], bool]
"""Whether a Boolean is true in a solution."""


@dataclass(frozen=True)
class Outcome:
    """How a search ended: the bound on what is compared, and whether the last answer told is proven best."""

    bound: int | None
    optimal: bool


@dataclass
class Row:
    """A weighted sum of Booleans that is at most `most`."""

    most: int
    booleans: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)

    def add(self, boolean: int, weight: int) -> None:
        """One more term."""
        self.booleans.append(boolean)
        self.weights.append(weight)


class ByVm:
    """The model: `size` Booleans, rows that hold, and a weight for each Boolean whose sum is to be large."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.scale = len(instance.pods) + 1
        """GPU first, then VMs: a thousandth of a GPU weighs more than all VMs."""
        self.size = 0
        self.rows: list[Row] = []
        self.value: list[tuple[int, int]] = []
        self._places: list[list[tuple[int, int]]] = []
        self._shares: dict[int, list[tuple[int, int]]] = defaultdict(list)
        world = instance.world
        self._cpu = [Row(int(left)) for left in world.cpu]
        self._memory = [Row(int(left)) for left in world.memory]
        self._wholes = [Row(0) for _ in world.models]
        self._devices = [[Row(int(left)) for left in row] for row in world.free]
        for pod in instance.pods:
            self._pod(pod)
        for node, wholes in enumerate(self._wholes):
            if wholes.booleans:
                for row in self._devices[node]:
                    if row.most == WHOLE:  # a Boolean for each free GPU: all of it is given away
                        taken = self._boolean()
                        row.add(taken, WHOLE)
                        wholes.add(taken, -1)
        self.rows += [*self._cpu, *self._memory, *self._wholes, *(row for rows in self._devices for row in rows)]
        self.rows = [row for row in self.rows if row.booleans]

    def _boolean(self) -> int:
        self.size += 1
        return self.size - 1

    def _pod(self, pod: Pod) -> None:
        once, places = Row(1), []
        for node in self.instance.world.fits(pod).tolist():
            here = self._boolean()
            places.append((node, here))
            once.add(here, 1)
            self._cpu[node].add(here, pod.cpu_milli)
            self._memory[node].add(here, pod.memory_mib)
            self.value.append((here, pod.demand * self.scale + 1))
            if pod.milli == WHOLE:
                self._wholes[node].add(here, pod.gpus)
            elif pod.gpus:
                needs = Row(0)
                needs.add(here, pod.gpus)
                for device, row in enumerate(self._devices[node]):
                    if row.most >= pod.milli:
                        share = self._boolean()
                        self._shares[here].append((device, share))
                        row.add(share, pod.milli)
                        needs.add(share, -1)
                self.rows.append(needs)
        self.rows.append(once)
        self._places.append(places)

    def choices(self, true: Is) -> dict[str, Choice]:
        """What a solution says."""
        found: dict[str, Choice] = {}
        free = [[device for device, row in enumerate(rows) if row.most == WHOLE] for rows in self._devices]
        wholes: list[tuple[Pod, int]] = []
        for pod, places in zip(self.instance.pods, self._places, strict=True):
            for node, here in places:
                if true(here):
                    if pod.milli == WHOLE:
                        wholes.append((pod, node))
                        continue
                    shares = [device for device, share in self._shares.get(here, ()) if true(share)][: pod.gpus]
                    free[node] = [device for device in free[node] if device not in shares]
                    found[pod.name] = node, tuple(shares)
        for pod, node in wholes:
            found[pod.name] = node, tuple(free[node][: pod.gpus])
            del free[node][: pod.gpus]
        return found

    def bound(self, value: float) -> int | None:
        """What a bound on the weighted sum says of what is compared."""
        if not math.isfinite(value):
            return None
        most = math.floor(value + 1e-6 * max(1.0, abs(value) / 1e6))
        return most // self.scale if self.instance.by_gpu else most


def cp_sat(instance: Instance, seconds: Callable[[], float], seed: int, tell: Tell) -> Outcome:
    """CP-SAT with its own settings; `seconds` says how many are left."""
    stated = ByVm(instance)
    model = cp_model.CpModel()
    booleans = [model.new_bool_var("") for _ in range(stated.size)]
    for row in stated.rows:
        terms = [booleans[index] for index in row.booleans]
        model.add(cp_model.LinearExpr.weighted_sum(terms, row.weights) <= row.most)
    ours = [booleans[index] for index, _ in stated.value]
    model.maximize(cp_model.LinearExpr.weighted_sum(ours, [weight for _, weight in stated.value]))

    class Better(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            true = self.boolean_value
            tell(stated.choices(lambda index: true(booleans[index])), stated.bound(self.best_objective_bound))

    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.1, seconds())
    solver.parameters.random_seed = seed
    status = solver.solve(model, Better())
    known = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return Outcome(stated.bound(solver.best_objective_bound) if known else None, status == cp_model.OPTIMAL)


def math_opt(
    which: Literal["highs", "scip"], instance: Instance, seconds: Callable[[], float], seed: int, tell: Tell
) -> Outcome:
    """HiGHS or SCIP on the same model, asked for a proof (no tolerated gap)."""
    stated = ByVm(instance)
    model = mathopt.Model()
    booleans = [model.add_binary_variable() for _ in range(stated.size)]
    for row in stated.rows:
        constraint = model.add_linear_constraint(ub=row.most)
        for index, weight in zip(row.booleans, row.weights, strict=True):
            constraint.set_coefficient(booleans[index], weight)
    model.objective.is_maximize = True
    for index, weight in stated.value:
        model.objective.set_linear_coefficient(booleans[index], weight)
    parameters = mathopt.SolveParameters(
        time_limit=timedelta(seconds=max(0.1, seconds())), random_seed=seed, relative_gap_tolerance=0.0
    )
    solver = mathopt.SolverType.HIGHS if which == "highs" else mathopt.SolverType.GSCIP
    result = mathopt.solve(model, solver, params=parameters)
    optimal = result.termination.reason == mathopt.TerminationReason.OPTIMAL
    bound = stated.bound(result.termination.objective_bounds.dual_bound)
    if result.has_primal_feasible_solution():
        values: Sequence[float] = result.variable_values(booleans)
        tell(stated.choices(lambda index: values[index] > 0.5), bound)
    return Outcome(bound, optimal)
