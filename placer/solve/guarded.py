"""The search where a rule looks at what is left of every host (rule `reserve`): boards that hold it exactly are far too
large beyond a few hosts.

So boards leave it away, or allow more than it does: what such a board proves bounds the answer, and what it finds is
asked about with the rule's own check before it is taken. First answers keep the rule VM by VM.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from placer.judge.check import broken, worse
from placer.solve import engine
from placer.solve.answer import Answer
from placer.solve.board import TooLarge
from placer.solve.budget import Budget
from placer.solve.improve import Improver
from placer.solve.question import Question
from placer.solve.run import Outcome, Tier, solve_board
from placer.solve.start import FITS, Start, tight
from placer.solve.survey import Survey
from placer_models.goals.gpu_milli import milli_of
from placer_models.scene import Scene, Stand

FEW = 300
"""Up to so many (host lost, host, kind of VM) the rule is held exactly."""

MOST_UNKNOWNS = 60_000
"""Unknowns of a board that allows more, at most."""

MANY = 40_000
"""The same in (host lost, host, kind of VM): beyond that such a board is not even begun."""

SHARE = 0.3
"""The part of the time that is left which each way of searching takes at most before the next has its turn."""

PATIENCE = 10
"""Neighbourhoods in a row without a gain after which the search ends."""


def solve(question: Question) -> Outcome:
    """As `placer.solve.engine.solve`, which does it where no rule is of this sort, or the cluster is tiny."""
    return _Guarded(question).solve()


class _Guarded:
    def __init__(self, question: Question) -> None:
        self._question, self._scene, self._rules = question, question.scene, question.rules
        self._goals, self._settings = question.goals, question.search
        self._survey = Survey(question.cluster, question.rules, question.goals)
        self._known: list[list[Tier]] = []
        self._not_shown: set[str] = set()
        self._work = 0.0

    def solve(self) -> Outcome:
        """The best that is found."""
        if not any(rule.exact for rule in self._rules):
            return self._engine(self._question)
        with Budget(self._question.deadline, self._question.spending) as budget:
            if self._size() <= FEW:
                outcome = self._engine(self._question)
                if not self._breaks(outcome.stands):
                    return outcome
                self._known.append(outcome.tiers)
            loose = [rule for rule in self._rules if not rule.exact]
            free = self._engine(replace(self._question, rules=loose, deadline=self._turn(), progress=None))
            self._known.append(free.tiers)
            if self._question.kept is not None:
                budget.deadline -= self._question.kept({stand.vm for stand in free.stands})
            budget.interrupted = budget.interrupted or free.stopped == "interrupted"
            return self._search(budget, free)

    def _search(self, budget: Budget, free: Outcome) -> Outcome:
        self._budget, self._orders = budget, (self._order(1), self._order(-1))
        self._answer = Answer(self._scene, self._rules, self._goals)
        progress = self._question.progress
        self._improver = Improver(
            self._answer, self._survey, self._rules, self._goals, self._settings, budget, progress
        )
        self._improver.adopt((), free.stands)
        if not self._proven():
            self._starts()
        if not self._proven() and not budget.over():
            found = self._loose()
            if found is not None:
                self._known.append(found.tiers)
                self._take(found.stands)
        if not self._proven() and not budget.over():
            bounds = [tier.bound for tier in self._tiers()]
            self._improver.run(self._goals, bounds, patience=PATIENCE)
        tiers = self._tiers()
        proven = all(tier.closed for tier in tiers)
        stopped = "proven" if proven else budget.why if budget.over() else "no neighbourhood of hosts could be improved"
        stands = list(self._answer.stands.values())
        return Outcome("optimal" if proven else "feasible", stands, tiers, stopped, self._work + budget.work)

    def _engine(self, question: Question) -> Outcome:
        outcome = engine.solve(question)
        self._work += outcome.seconds
        return outcome

    def _turn(self) -> float:
        """Until when the next way of searching has its turn."""
        now = time.monotonic()
        return now + SHARE * max(0.0, self._question.deadline - now)

    def _size(self) -> int:
        """How many pairs of a lost host and a host, for each kind of VM, there are."""
        kinds = {self._survey.vm(name) for name in self._scene.cluster.vms}
        return len(kinds) * len(self._scene.cluster.hosts) ** 2

    def _breaks(self, stands: Sequence[Stand]) -> bool:
        """Whether a rule of this sort is broken (further) by an answer, as far as it can show."""
        watched = [rule for rule in self._rules if rule.exact]
        after = self._scene.copy()
        for stand in stands:
            for was in after.of(stand.vm):
                after.remove(was)
            after.put(stand)
        return bool(worse(watched, broken(self._scene, watched), broken(after, watched)))

    def _take(self, stands: Sequence[Stand]) -> None:
        """Take an answer where it is better: whole, or else what of it can be kept, and what has room beside that."""
        cluster = self._scene.cluster
        if self._improver.adopt(list(self._answer.stands), stands) or not self._breaks(stands):
            return
        if cluster.platform.slot_choice == "worst-case" or any(self._scene.of(stand.vm) for stand in stands):
            return
        end = self._turn()
        start = self._start(self._scene)
        start.keep(sorted(stands, key=lambda stand: -cluster.asked[stand.vm]), lambda: self._budget.past(end))
        self._adopt(start.stands)
        self._fill(end)

    def _start(self, scene: Scene) -> Start:
        hosts = [host.name for host in scene.cluster.hosts.values() if host.state == "up"]
        return Start(scene.copy(), self._survey, self._rules, hosts)

    def _fill(self, end: float) -> None:
        """Start what has room beside the answer, as far as the rule's own check can show, again and again."""
        while self._scene.cluster.platform.slot_choice != "worst-case":
            count = len(self._answer.stands)
            off = set(self._answer.waiting()) - self._not_shown
            left = [some for names in self._orders[0] if (some := [name for name in names if name in off])]
            start = self._start(self._answer.scene)
            start.fill(left, tight, lambda: self._budget.over() or self._budget.past(end))
            self._adopt([*self._answer.stands.values(), *start.stands])
            if len(self._answer.stands) == count or self._budget.over() or self._budget.past(end):
                return

    def _adopt(self, stands: Sequence[Stand]) -> None:
        """Take an answer where it is better, or else as much of its beginning as the rule's own check can show."""
        if self._improver.adopt(list(self._answer.stands), stands) or not self._breaks(stands):
            return
        shown, broken_with = 0, len(stands)
        while broken_with - shown > 1:
            half = (shown + broken_with) // 2
            if self._breaks(stands[:half]):
                broken_with = half
            else:
                shown = half
        self._not_shown.add(stands[shown].vm)
        self._improver.adopt(list(self._answer.stands), stands[:shown])

    def _starts(self) -> None:
        """First answers that keep every rule."""
        budget = self._budget
        end = budget.left * (1 - 2 * SHARE)
        for fit in FITS:
            for order in self._orders:
                if budget.short(end):
                    return
                self._adopt(self._improver.first(order, fit, budget.left - end))
        self._fill(self._turn())

    def _order(self, sign: int) -> list[tuple[str, ...]]:
        """The VMs to be started, kind by kind: by priority, then the big or the small first."""
        cluster = self._scene.cluster

        def rank(names: Sequence[str]) -> tuple[int, int, int]:
            vm = cluster.vms[names[0]]
            return -cluster.asked[vm.name], -sign * milli_of(cluster, vm), -sign * vm.cpu_milli

        return sorted(self._survey.waiting(cluster.asked, list(cluster.asked)), key=rank)

    def _loose(self) -> Outcome | None:
        """The whole cluster on a board that allows more."""
        if self._size() > MANY:
            return None
        try:
            board = self._question.board(self._goals, MOST_UNKNOWNS, survey=self._survey, loose=True)
        except TooLarge:
            return None
        board.hint(self._answer.stands.values())
        end, self._budget.deadline = self._budget.deadline, self._turn()
        outcome = solve_board(board, self._goals, self._settings, 0.0, budget=self._budget)
        self._budget.deadline = end
        return outcome

    def _tiers(self) -> list[Tier]:
        """What is known of each goal: bounds hold for who reaches the same in all goals before."""
        counted = self._answer.counted()
        tiers = []
        for number, (goal, score) in enumerate(zip(self._goals, counted, strict=True)):
            bounds = [
                tiers_[number].bound
                for tiers_ in self._known
                if number < len(tiers_) and [tier.score for tier in tiers_[:number]] == counted[:number]
            ]
            if goal.sense == "least" and score == 0:
                bounds.append(0)
            said = [bound for bound in bounds if bound is not None]
            best = (min(said) if goal.sense == "most" else max(said)) if said else None
            tiers.append(Tier(goal, score, best))
        return tiers

    def _proven(self) -> bool:
        return all(tier.closed for tier in self._tiers())
