"""The night's target, searched for: the whole board where it is small, block by block where it is large."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from placer.solve.dive import FEW_UNKNOWNS
from placer.solve.night_board import NightBoard
from placer.solve.run import Outcome, Progress, solve_board
from placer.solve.target import NightAsk, Target
from placer_models.decision import Search
from placer_models.goals.night import HostsFreed, NightGoal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene

SHARE = 0.5
"""The part of the time that is left which one goal takes at most."""


def solve_target(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    ask: NightAsk,
    search: Search,
    deadline: float,
    progress: Progress | None = None,
) -> tuple[Outcome, Target]:
    """The best target found before `deadline` (of `time.monotonic`), goal by goal.

    First one in which nobody waits for room that another leaves: what it needs of the night is sure to be had. One that
    makes room by moving others, too, is taken only where it is better; its bounds hold for both.
    """
    drained, target = _solved(scene, rules, goals, replace(ask, drain=True), search, _part(deadline), progress)
    if ask.drain:
        return drained, target
    any_order, other = _solved(scene, rules, goals, ask, search, deadline, progress)
    if not drained.tiers or _scores(any_order) > _scores(drained):
        return any_order, other
    return _bounded(drained, any_order), target


def _part(deadline: float) -> float:
    now = time.monotonic()
    return now + SHARE * max(0.0, deadline - now)


def _scores(outcome: Outcome) -> list[int]:
    """The scores, so that more is always better."""
    return [tier.score if tier.goal.sense == "most" else -tier.score for tier in outcome.tiers]


def _bounded(outcome: Outcome, other: Outcome) -> Outcome:
    """An outcome with the bounds of a search that was allowed more: each holds as long as the goals before it came out
    alike.
    """
    tiers, alike = [], True
    for number, tier in enumerate(outcome.tiers):
        free = other.tiers[number] if alike and number < len(other.tiers) else None
        tiers.append(replace(tier, bound=None if free is None else free.bound))
        alike = free is not None and free.score == tier.score
    closed = all(tier.closed for tier in tiers)
    stopped = other.stopped if not closed and outcome.stopped == "proven" else outcome.stopped
    return replace(outcome, tiers=tiers, status="optimal" if closed else "feasible", stopped=stopped)


def _solved(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    ask: NightAsk,
    search: Search,
    deadline: float,
    progress: Progress | None,
) -> tuple[Outcome, Target]:
    board = NightBoard(scene, rules, ask)
    if ask.work.spots and len(board.model.proto.variables) <= FEW_UNKNOWNS:
        _count_hosts(board, search, deadline)
    board.aims = [board.aim(goal.kind) for goal in goals]
    outcome = solve_board(board, goals, search, deadline, progress, lns=False, share=SHARE)
    return outcome, board.target


def _count_hosts(board: NightBoard, search: Search, deadline: float) -> None:
    """A redundant cut: no more hosts can be emptied than are proven to be. Without it the bound on job value counts on
    parts of hosts.
    """
    end = time.monotonic() + (1 - SHARE) * max(0.0, deadline - time.monotonic())
    board.aims = [board.aim("hosts-freed")]
    tiers = solve_board(board, [HostsFreed()], search, end, lns=False).tiers
    board.model.clear_objective()  # type: ignore[no-untyped-call]
    board.model.clear_hints()  # type: ignore[no-untyped-call]
    if tiers and tiers[0].bound is not None:
        board.at_most([(1, empty) for empty in board.leaders], tiers[0].bound, eased=False)
