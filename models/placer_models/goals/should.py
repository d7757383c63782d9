"""Goal `should`: fewest breaches of the rules that only should hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from placer_models.goals.goal import Goal
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class Should(Goal):
    """The breaches of the rules of strength "should" or "should-not", each by its own amount."""

    kind: Literal["should"] = "should"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "breaches"

    def encode(self, board: Board) -> tuple[list[Term], int]:
        return board.soft_breaches()

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        return sum(breach.amount for rule in rules if rule.soft for breach in rule.check(after))
