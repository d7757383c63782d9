"""One board solved, goal by goal: each is brought to its best, held there, and the next is taken up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ortools.sat.python import cp_model

from placer.progress import Progress
from placer.solve.board import CountBoard
from placer.solve.budget import Budget
from placer.solve.conditions import reading
from placer.solve.dive import better
from placer_models.decision import Search
from placer_models.goals.goal import Wish
from placer_models.scene import Stand

SUBSOLVERS = ("max_lp", "reduced_costs")
"""The two CP-SAT subsolvers that prove packing fastest on two workers; its default portfolio is made for eight."""


@dataclass
class Tier:
    """What a search knows of one goal: the score that it reached, and the bound that it proved (None: nothing)."""

    goal: Wish
    score: int
    bound: int | None

    @property
    def closed(self) -> bool:
        """Whether nothing better can exist."""
        return self.bound == self.score


@dataclass
class Outcome:
    """What a search found: the stands of VMs that start or move, what it knows of each goal, and why it stopped.

    `moves` are the moves in an order that can be carried out, where the search knows one: a VM may be moved aside
    first.
    """

    status: str
    stands: list[Stand] = field(default_factory=list)
    tiers: list[Tier] = field(default_factory=list)
    stopped: str = ""
    seconds: float = 0.0
    moves: list[Stand] = field(default_factory=list)

    def without_bounds(self) -> Outcome:
        """The same stands, claiming nothing about what else there could be."""
        return replace(self, status="feasible", tiers=[replace(tier, bound=None) for tier in self.tiers])


class Watch(cp_model.CpSolverSolutionCallback):
    """Passes better scores on while CP-SAT searches."""

    def __init__(self, label: str, progress: Progress, constant: int = 0) -> None:
        super().__init__()
        self._label, self._progress, self._constant = label, progress, constant

    def on_solution_callback(self) -> None:
        score, bound = round(self.objective_value), round(self.best_objective_bound)
        self._progress(self._label, score + self._constant, bound + self._constant)


def solve_board(
    board: CountBoard,
    goals: Sequence[Wish],
    search: Search,
    deadline: float,
    progress: Progress | None = None,
    *,
    budget: Budget | None = None,
    work: float | None = None,
    last: float | None = None,
    held: Sequence[Tier] = (),
    lns: bool = True,
    share: float = 1.0,
) -> Outcome:
    """Solve a board tier by tier until `deadline` (of `time.monotonic`), or until `budget` is used up.

    The first goals may be solved already: their `held` scores are kept. `work` bounds the deterministic time of each
    tier (`last`: that of the last one), so that the same search ends in the same place on any machine. Without `lns`
    (CP-SAT's own large neighbourhoods) its workers do nothing but prove: better where the linear relaxation says nearly
    everything. A goal takes at most this `share` of the time that is left.
    """
    model, budget = board.model, budget or Budget(deadline)
    outcome = Outcome("unknown")
    values: list[int] | None = None
    begun, guessed = budget.work, False
    for number, (goal, (terms, constant)) in enumerate(zip(goals, board.aims, strict=True)):
        factors, unknowns, fixed = board.merged(terms)
        aim = cp_model.LinearExpr.weighted_sum(unknowns, factors)
        constant += fixed
        if number < len(held):
            _hold(model, goal, aim, held[number].score - constant)
            outcome.tiers.append(held[number])
            continue
        if not any(factors) and (values is not None or number + 1 < len(goals)):  # nothing to decide for this goal
            guessed = guessed or (goal.exact and bool(board.rough_places()))
            outcome.tiers.append(Tier(goal, constant, None if guessed else constant))
            continue
        if goal.sense == "most":
            model.maximize(aim)
        else:
            model.minimize(aim)
        if values is not None and not budget.over():
            values = better(model, board.leaders, values, search, budget)
            model.clear_hints()  # type: ignore[no-untyped-call]
            for index, value in enumerate(values):
                model.add_hint(model.get_int_var_from_proto_index(index), value)
        if budget.over():
            outcome.stopped = budget.why
            break
        solver = _solver(search, hinted=values is not None)
        solver.parameters.use_lns = lns
        most = last if last is not None and number + 1 == len(goals) else work
        if most is not None:
            solver.parameters.max_deterministic_time = most
        with budget.share(share):
            status = budget.solve(solver, model, None if progress is None else Watch(goal.label, progress, constant))
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            outcome.stopped = budget.why if status == cp_model.UNKNOWN else "no arrangement keeps every rule"
            break
        values = list(solver.response_proto.solution)
        score = sum(f * values[u.index] for f, u in zip(factors, unknowns, strict=True)) + constant
        bound = score if status == cp_model.OPTIMAL else _rounded(solver.best_objective_bound, goal) + constant
        guessed = guessed or (goal.exact and bool(board.rough_places()))  # then its score is an estimate
        outcome.tiers.append(Tier(goal, score, None if guessed else bound))
        if number + 1 < len(goals):
            _hold(model, goal, aim, score - constant)
        if status != cp_model.OPTIMAL:
            outcome.stopped = budget.why
    outcome.seconds = budget.work - begun
    if values is not None:
        outcome.stands = board.read(reading(values))
        proven = len(outcome.tiers) == len(goals) and all(tier.closed for tier in outcome.tiers)
        outcome.status = "optimal" if proven else "feasible"
        outcome.stopped = outcome.stopped or "proven"
    else:
        outcome.tiers = outcome.tiers[: len(held)]  # of an arrangement that was not found nothing is known
    return outcome.without_bounds() if board.narrow else outcome


def _hold(model: cp_model.CpModel, goal: Wish, aim: cp_model.LinearExprT, score: int) -> None:
    model.add(aim >= score) if goal.sense == "most" else model.add(aim <= score)


def _rounded(bound: float, goal: Wish) -> int:
    return math.floor(bound + 1e-6) if goal.sense == "most" else math.ceil(bound - 1e-6)


def _solver(search: Search, *, hinted: bool) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.random_seed = search.seed
    parameters.num_workers = search.workers
    if search.workers > 1:
        parameters.subsolvers.extend(SUBSOLVERS)
        parameters.interleave_search = True  # so that the same search gives the same answer
    if hinted:
        parameters.symmetry_level = 0  # with symmetry, presolve can lose the hinted solution
    return solver
