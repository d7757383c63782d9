"""What a search knows of each goal: the score of its answer, and what nobody beats."""

from __future__ import annotations

from collections.abc import Sequence

from placer.solve.answer import Answer
from placer.solve.budget import Budget
from placer.solve.run import Outcome, Tier
from placer_models.goals.goal import Goal


class Known:
    """Scores and bounds of an answer in the making. A bound holds for who reaches the same in all goals before."""

    def __init__(self, answer: Answer, goals: Sequence[Goal]) -> None:
        self.answer, self.goals = answer, goals
        self.bounds: list[int | None] = [None] * len(goals)
        self._boards: Sequence[Tier] = ()

    def open(self, number: int) -> bool:
        """Whether a goal's bound is not reached."""
        return self.bounds[number] != self.answer.counted()[number]

    def closed(self, goals: int) -> bool:
        """Whether the first goals have all reached their bounds."""
        return self.bounds[:goals] == self.answer.counted()[:goals]

    def keep(self, number: int, bound: int | None) -> None:
        """Keep a goal's bound where it says more than the one that is known (all before it are closed)."""
        known = self.bounds[number]
        if bound is not None and known is not None:
            bound = min(bound, known) if self.goals[number].sense == "most" else max(bound, known)
        self.bounds[number] = known if bound is None else bound

    def take(self, outcome: Outcome) -> None:
        """Go on from what boards have found."""
        self.answer.change(list(self.answer.stands), outcome.stands)
        self._boards = outcome.tiers
        for number, tier in enumerate(outcome.tiers):
            self.keep(number, tier.bound)
            if self.open(number):
                return

    def outcome(self, budget: Budget) -> Outcome:
        """What is known at the end."""
        counted = self.answer.counted()
        for number, tier in enumerate(self._boards):
            if self.bounds[number] is None and counted[:number] == [one.score for one in self._boards[:number]]:
                self.bounds[number] = tier.bound
        for number, goal in enumerate(self.goals):
            self.keep(number, goal.limit(self.answer.before))
            if goal.sense == "least" and counted[number] == 0:
                self.bounds[number] = 0  # no goal counts less than nothing
        tiers = [Tier(goal, score, bound) for goal, score, bound in zip(self.goals, counted, self.bounds, strict=True)]
        proven = all(tier.closed for tier in tiers)
        ended = budget.why if budget.over() or budget.spending.cut else "no neighbourhood of hosts could be improved"
        return Outcome(
            "optimal" if proven else "feasible",
            list(self.answer.stands.values()),
            tiers,
            "proven" if proven else ended,
            budget.work,
        )
