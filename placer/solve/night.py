"""The night's target, searched for: block by block where the board is large, then the whole board where that can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from placer.memory import affordable
from placer.progress import Progress
from placer.solve.at_most import most_empty_at_most
from placer.solve.blocks import in_blocks
from placer.solve.board import TooLarge
from placer.solve.bound import Linear
from placer.solve.budget import Budget
from placer.solve.by_hand import by_hand, with_jobs
from placer.solve.dive import FEW_UNKNOWNS
from placer.solve.night_board import NightBoard
from placer.solve.run import Outcome, Tier, solve_board
from placer.solve.survey import Survey
from placer.solve.target import NightAsk, NightQuestion, Target
from placer.solve.value import Supply, most_value
from placer_models.decision import Search
from placer_models.goals.night import HostsFreed

SHARE = 0.5
"""The part of the time that is left which one goal takes at most."""

MOST = 0.8
"""The part of the time that is left which the whole board takes at most: bounds come after it."""

WORK_EACH = 0.05
"""Deterministic seconds that one goal takes at most for each second of the time limit: less than its share of that, so
that the search of a small board ends where it ends on any machine.
"""

PLAIN_UNKNOWNS = 8_000
"""Unknowns up to which a board without GPUs is searched whole from the beginning, and proven: 500 hosts, about."""

MOST_UNKNOWNS = 30_000
"""Unknowns up to which the whole board is searched at all."""

BUILT, BUILT_EXACT = 5_000, 1_000
"""Unknowns that are built for each second of the time limit (measured: a tenth to a half of that second), where no rule
looks at what is left of GPUs, and where one does.
"""

TOO_LARGE = "the whole board is too large for the memory or the time that may be taken"
"""Why a search stopped that could look at its parts alone, or at nothing."""

MOST_BUILT = 300_000
"""Unknowns up to which it is built: without it, only the blocks say what there is, and nothing is proven."""


@dataclass
class NightOutcome(Outcome):
    """What a search knows of a night's target. `always` are bounds by kind of goal that hold for every plan, whatever
    turns hosts take at being empty.
    """

    always: Mapping[str, int] = field(default_factory=dict)

    def most(self, kind: str, known: int) -> int:
        """What no target of this night has more of, in its first goal or where a bound holds for every plan; at most
        what is `known`.
        """
        first = [tier.bound for tier in self.tiers[:1] if tier.goal.kind == kind and tier.bound is not None]
        return min([known, *first, self.always.get(kind, known)])


def solve_target(
    question: NightQuestion, budget: Budget, progress: Progress | None = None
) -> tuple[NightOutcome, Target]:
    """The best target found within `budget`, goal by goal, and what is proven of each. Where the search finds no host
    that can be emptied, one is looked for by hand.
    """
    outcome, target = _searched(question, budget, progress)
    if target.emptied or outcome.status == "optimal":
        return outcome, target
    return _better(question, outcome, target, by_hand(question, budget=budget))


def _better(
    question: NightQuestion, outcome: NightOutcome, target: Target, other: Target
) -> tuple[NightOutcome, Target]:
    """The better of a search's target and another, with what is proven of it."""
    if question.scores(other) <= question.scores(target):
        return outcome, target
    tiers, known = list[Tier](), {tier.goal.kind: tier for tier in outcome.tiers}
    for goal in question.goals:
        score, tier = other.score(goal.kind, question.ask), known.get(goal.kind)
        holds = all(one.goal.kind in known and known[one.goal.kind].score == one.score for one in tiers)
        tiers.append(Tier(goal, score, tier.bound if tier is not None and holds else None))
    return replace(outcome, status="feasible", tiers=tiers), other


def _searched(question: NightQuestion, budget: Budget, progress: Progress | None) -> tuple[NightOutcome, Target]:
    scene, goals, ask, search = question.scene, question.goals, question.ask, question.search
    board = _whole(question)
    if board is None:
        with budget.share(MOST):
            target = in_blocks(question, budget)
        always = _worth(most_empty_at_most(scene, ask), Survey(scene.cluster, question.rules, ()), ask, budget)
        tiers = [Tier(goal, target.score(goal.kind, ask), always.get(goal.kind)) for goal in goals]
        return NightOutcome("feasible", tiers=tiers, stopped=TOO_LARGE, always=always), target
    size = len(board.model.proto.variables)
    always = _always(board, ask, search, budget) if ask.work.spots else {}
    gpus = any(host.gpus for host in scene.cluster.hosts.values())
    if size <= (FEW_UNKNOWNS if gpus else PLAIN_UNKNOWNS):
        first, work = with_jobs(board.target, ask), WORK_EACH * search.time_limit_seconds
        board.hint_target(first)
        outcome = solve_board(board, goals, search, 0.0, progress, budget=budget, work=work, lns=False, share=SHARE)
        return _better(question, NightOutcome(**vars(outcome), always=always), board.target, first)
    linear = Linear(board, goals, budget)
    with budget.share(SHARE):
        target = in_blocks(question, budget)
    if size <= MOST_UNKNOWNS:
        if gpus:  # too much to search in any order
            board = NightBoard(scene, question.rules, replace(ask, drain=True))
            board.aims = [board.aim(goal.kind) for goal in goals]
        board.hint_target(target)
        with budget.share(MOST):
            solve_board(board, goals, search, 0.0, progress, budget=budget, lns=False, share=SHARE)
        target = max(target, board.target, key=question.scores)
    with budget.spending.part("bounds"):
        tiers = _relaxed(question, linear, target)
    closed = all(tier.closed for tier in tiers)
    status, stopped = ("optimal", "proven") if closed else ("feasible", budget.why)
    return NightOutcome(status, tiers=tiers, stopped=stopped, always=always), target


def _whole(question: NightQuestion) -> NightBoard | None:
    """The board of all hosts; None: it is too large for the memory or the time that there is."""
    search = question.search
    each = BUILT_EXACT if any(rule.exact for rule in question.rules) else BUILT
    most = min(MOST_BUILT, int(each * search.time_limit_seconds))
    try:
        most = affordable(search.memory_limit_mib, most)
        board = NightBoard(question.scene, question.rules, question.ask, most=most)
    except TooLarge:
        return None
    board.aims = [board.aim(goal.kind) for goal in question.goals]
    return board


def _relaxed(question: NightQuestion, linear: Linear, target: Target) -> list[Tier]:
    """What the linear relaxation of the whole board knows of a target: a bound for each goal, given the scores of those
    before it, up to the first that is open.
    """
    tiers: list[Tier] = []
    for number, goal in enumerate(question.goals):
        known = all(tier.closed for tier in tiers)
        bound = linear.bound(number, [tier.score for tier in tiers]) if known else None
        tiers.append(Tier(goal, target.score(goal.kind, question.ask), bound))
    return tiers


def _always(board: NightBoard, ask: NightAsk, search: Search, budget: Budget) -> dict[str, int]:
    """How many hosts can be empty at once, and what jobs can bring then, whatever turns hosts take.

    The first is said to the board as a redundant cut: without it the bound on job value counts on parts of hosts.
    """
    most = _most_empty(board, search, budget)
    if most is None:
        return {}
    board.at_most(board.aim("hosts-freed")[0], most, eased=False)
    return _worth(most, board.survey, ask, budget)


def _worth(most: int, survey: Survey, ask: NightAsk, budget: Budget) -> dict[str, int]:
    """No more hosts can be empty at once than so many, and no jobs bring more than on those."""
    kinds = {name: survey.host(name) for name in ask.work.rooms}
    with budget.spending.part("bounds"):
        value = most_value([Supply(ask.work, kinds, most)], budget)
    return {"hosts-freed": most, "job-value": value}


def most_empty(question: NightQuestion, budget: Budget) -> int | None:
    """No more hosts can be empty at once, whatever the goals; None: it is not known."""
    board = _whole(question)
    return None if board is None else _most_empty(board, question.search, budget)


def _most_empty(board: NightBoard, search: Search, budget: Budget) -> int | None:
    aims, board.aims = board.aims, [board.aim("hosts-freed")]
    with budget.spending.part("bounds"):
        with budget.share(SHARE):
            most = Linear(board, [HostsFreed()], budget).bound(0, [])
        if len(board.model.proto.variables) <= FEW_UNKNOWNS:
            with budget.share(SHARE):
                work = WORK_EACH * search.time_limit_seconds / 2
                tiers = solve_board(board, [HostsFreed()], search, 0.0, budget=budget, work=work, lns=False).tiers
            board.model.clear_objective()  # type: ignore[no-untyped-call]
            board.model.clear_hints()  # type: ignore[no-untyped-call]
            most = tiers[0].bound if tiers and tiers[0].bound is not None else most
    board.aims = aims
    return most
