"""What relaxations of a whole cluster say of its goals: hosts merged, or groups of hosts alike."""

from __future__ import annotations

import time
from dataclasses import replace

from placer.memory import affordable
from placer.solve.board import TooLarge
from placer.solve.bound import Relaxation
from placer.solve.budget import Budget
from placer.solve.known import Known
from placer.solve.merged import Merged
from placer.solve.question import Question
from placer.solve.survey import Survey

SHARE = 0.2
"""The part of the time that is left which bounds at the end take at most."""

UNKNOWNS_PER_SECOND = 1_200
"""Unknowns of a relaxation for each second of the time limit at most: so many are sure to be built and solved."""

SHARPENED_PER_SECOND = 3_000
"""How fast a bound in whole numbers is found, in unknowns."""


class Relaxed:
    """The bounds of the first `plain` goals of a question, told to `known`. A goal's bound holds for who reaches the
    scores of those before it, so they are looked for up to the first goal that is open.
    """

    def __init__(self, question: Question, plain: int, survey: Survey, known: Known, budget: Budget) -> None:
        self._question = replace(question, goals=question.goals[:plain])
        self._plain, self._survey, self._known, self._budget = plain, survey, known, budget
        self.merged: Merged | None = None
        self._linear: Relaxation | None = None
        self._seconds = 0.0

    def merge(self) -> None:
        """Merge the hosts, where that is not too much."""
        try:
            self.merged = Merged(self._question, self._survey, self._budget, self._known.answer.first_figures)
        except TooLarge:
            return

    def relax(self, size: int) -> None:
        """Relax groups of hosts that are alike, of about so many unknowns, where that is not too much; and bound."""
        question, search = self._question, self._question.search
        if size > affordable(search.memory_limit_mib, int(UNKNOWNS_PER_SECOND * search.time_limit_seconds)):
            return
        try:
            self._linear = Relaxation(question.scene, self._survey, question.rules, question.goals, self._budget)
        except TooLarge:
            return
        self.bound()

    def bound(self, *, further: bool = False) -> None:
        """The bounds up to the first goal that is open; the `further` ones, too, once the scores of those before them
        are final.
        """
        relaxation = self.merged or self._linear
        for number in range(self._plain):
            known = not number and self._known.bounds[0] is not None  # it asks for no scores
            if relaxation is not None and self._known.open(number) and not known and not self._budget.over():
                begun = time.monotonic()
                self._known.keep(number, relaxation.bound(number, self._known.answer.counted()))
                self._seconds = max(self._seconds, time.monotonic() - begun)
            if self._known.open(number) and not further:
                return

    def sharpen(self) -> None:
        """The bound of the first goal that is open, in whole numbers; where that closes it, of the next."""
        for number in range(self._plain):
            if self.merged is not None and self._known.open(number) and not self._budget.over():
                self._known.keep(number, self.merged.sharper(number, self._known.answer.counted()))
            if self._known.open(number):
                return

    def seconds(self) -> float:
        """The seconds that are to be kept for bounds once the search has ended."""
        merged = self.merged
        if merged is None and self._linear is None:
            return 0.0
        sharp = merged is not None and merged.first is not None and self._known.open(0)
        open_ = sum(map(self._known.open, range(self._plain)))
        whole = 0.0 if merged is None or sharp else merged.size / SHARPENED_PER_SECOND
        return min(SHARE * self._budget.left, open_ * self._seconds + whole)
