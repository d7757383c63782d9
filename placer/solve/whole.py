"""The cluster as one board: first for the goals that need no exact layouts, then for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from placer.solve.board import TooLarge
from placer.solve.budget import Budget
from placer.solve.known import Known
from placer.solve.question import Question
from placer.solve.run import Outcome, solve_board
from placer.solve.survey import Survey
from placer_models.goals.goal import Goal


def plain(goals: Sequence[Goal]) -> int:
    """How many goals come before the first that looks at what is left of GPUs: boards without it are much smaller."""
    return next((number for number, goal in enumerate(goals) if goal.exact and number), len(goals))


def solve_whole(question: Question, survey: Survey, known: Known, budget: Budget, most: int, share: float) -> Outcome:
    """What boards of so many unknowns at most say, which take this share of the time that is left."""
    end, goals = budget.deadline, question.goals
    budget.deadline -= (1 - share) * budget.left
    first, outcome = plain(goals), Outcome("feasible")
    if known.closed(first):  # the first answer is the best for these already
        outcome = known.outcome(budget)
        outcome = replace(outcome, tiers=outcome.tiers[:first])
    for number in dict.fromkeys((first, len(goals))):
        if number <= len(outcome.tiers):
            continue
        found = _solved(question, survey, known, budget, most, number, outcome)
        if found is None or len(found.tiers) <= len(outcome.tiers):
            break
        tiers = [*outcome.tiers, *found.tiers[len(outcome.tiers) :]]  # a narrow board knows no bounds, another may
        outcome = replace(found, tiers=tiers)
        if len(found.tiers) < number:
            break
    done = len(outcome.tiers) == len(goals)
    stopped = outcome.stopped if done else budget.why if budget.over() else "too many unknowns for one board"
    budget.deadline = end
    return replace(outcome, status=outcome.status if done else "feasible", stopped=stopped, seconds=budget.work)


def _solved(
    question: Question, survey: Survey, known: Known, budget: Budget, most: int, number: int, before: Outcome
) -> Outcome | None:
    """The board for so many goals, of which some are solved `before`; None where it would be too large."""
    goals = question.goals[:number]
    try:
        board = question.board(goals, most, survey=survey, figures=known.answer.first_figures, over=budget.over)
    except TooLarge:
        return None
    if before.tiers:
        board.hint(before.stands)
    return solve_board(board, goals, question.search, 0.0, question.progress, budget=budget, held=before.tiers)
