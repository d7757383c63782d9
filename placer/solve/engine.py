"""Which way to search. A small cluster is one board, solved and proven; a large one is answered at once and then made
better: by columns where many hosts are alike, by prices where far too much is asked for, by neighbourhoods everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from placer.memory import affordable
from placer.solve.alike import Alike
from placer.solve.anew import dealt_anew
from placer.solve.answer import Answer
from placer.solve.budget import Budget
from placer.solve.exchange import Exchanger
from placer.solve.improve import Improver
from placer.solve.known import Known
from placer.solve.market import Market
from placer.solve.moving import Summed, rearranged
from placer.solve.question import Question
from placer.solve.relaxed import Relaxed
from placer.solve.run import Outcome
from placer.solve.start import aligned, lopsided, tight
from placer.solve.survey import Survey
from placer.solve.whole import plain, solve_whole
from placer_models.scene import Stand

MOST_UNKNOWNS = 50_000
"""Unknowns of a board that is solved whole at most: beyond it CP-SAT's presolve takes longer than people wait."""

FEW_UNKNOWNS = 10_000
"""The same where many hosts are alike: columns do better there."""

TINY_UNKNOWNS = 2_000
"""Unknowns up to which the whole board may take all the time."""

SHARE = 0.6
"""The part of the time that one way of searching takes before the next has its turn."""

ANEW_SHARE = 0.3
"""The part of the time that a bound for any number of moves takes at most: it is had before all others."""

MANY_ASKED, FEW_STARTS = 5_000, 3
"""So many requests take fewer first answers: neighbourhoods do more with the time."""

FAR = 0.001
"""By what part of its bound a score is lower, at least, for hosts to choose at prices."""

PATIENCE = 10
"""Neighbourhoods in a row without a gain after which the search ends."""


def solve(question: Question) -> Outcome:
    """The best stands that are found in time. There is always an answer: nothing started, everything as it is. Ctrl-C
    ends the search as the deadline does.
    """
    movable, forbidden, goals = question.movable, question.forbidden, question.goals
    with Budget(question.deadline, question.spending) as budget:
        part = budget.spending.part
        with part("first answers"):
            survey = Survey(question.cluster, question.rules, goals)
            large = _Large(question, survey, budget)
            large.start(bounded=not movable and not forbidden)
        if large.known.closed(len(goals)):
            return large.outcome()
        pairs = large.pairs()
        if pairs <= large.affordable(few=large.alike and not movable):
            share = SHARE if pairs > TINY_UNKNOWNS else 1.0
            with part("the whole board"):
                outcome = solve_whole(question, survey, large.known, budget, large.affordable(), share)
            done = outcome.stopped == "proven" or (forbidden and outcome.tiers)
            if done and outcome.status == "optimal":
                return outcome
            large.known.take(outcome)
            if done and not large.beats(outcome):
                found = large.outcome()
                return found if found.status == "optimal" else replace(found, stopped=outcome.stopped)
        with part("neighbourhoods"):
            return large.search(() if forbidden else movable)


class _Large:
    """The search in a cluster that is too large for one board."""

    def __init__(self, question: Question, survey: Survey, budget: Budget) -> None:
        self.question, self.survey, self.budget = question, survey, budget
        self.scene, self.cluster, self.rules = question.scene, question.cluster, question.rules
        self.goals, self.settings = question.goals, question.search
        self.answer = Answer(self.scene, self.rules, self.goals)
        self.known = Known(self.answer, self.goals)
        self.improver = Improver(self.answer, survey, self.rules, self.goals, self.settings, budget, question.progress)
        self.orders = self.improver.orders
        self.groups = survey.alike(
            self.scene, [host.name for host in self.cluster.hosts.values() if host.state == "up"]
        )
        self.firsts: list[list[Stand]] = []
        self.moves: list[Stand] = []
        self._plain = plain(self.goals)
        self.relaxed = Relaxed(question, self._plain, survey, self.known, budget)

    @property
    def alike(self) -> bool:
        """Whether most hosts have others like them."""
        return 2 * len(self.groups) <= sum(map(len, self.groups))

    def affordable(self, *, few: bool = False) -> int:
        """How many unknowns a board may have."""
        return affordable(self.settings.memory_limit_mib, FEW_UNKNOWNS if few else MOST_UNKNOWNS)

    def pairs(self) -> int:
        """How many pairs of a class of VMs and a host where it may be there are, about."""
        moving = len({self.survey.vm(name) for name in self.question.movable}) * sum(map(len, self.groups))
        kinds = Counter[int]()
        one: dict[int, str] = {}
        for hosts in self.groups:
            kind = self.survey.host(hosts[0])
            kinds[kind] += len(hosts)
            one[kind] = hosts[0]
        return moving + sum(
            count
            for names in self.orders.waiting
            for kind, count in kinds.items()
            if self.survey.admits(names[0], one[kind])
        )

    def _relaxed_size(self) -> int:
        """How many pairs of a class of VMs that wait and a group of hosts alike there are."""
        return sum(self.survey.admits(names[0], hosts[0]) for names in self.orders.waiting for hosts in self.groups)

    def outcome(self) -> Outcome:
        """What is known at the end."""
        return replace(self.known.outcome(self.budget), moves=self.moves)

    def beats(self, outcome: Outcome) -> bool:
        """Whether better is known, or found at once, than what was taken from a board: it may allow less than rules."""
        self.improver.fill()
        return self.answer.counted()[: self._plain] != [tier.score for tier in outcome.tiers[: self._plain]]

    # first answers

    def start(self, *, bounded: bool) -> None:
        """The best of several first answers; `bounded`: until one of them cannot be beaten."""
        most, orders = self.budget.left, self.orders
        big, light = orders.biggest(), orders.lightest()
        other = orders.smallest() if self.goals[0].kind == "placed" else orders.lightest(ranked=False)
        starts = ((big, lopsided), (light, lopsided), (other, lopsided), (big, tight), (light, aligned))
        for order, fit in starts[: FEW_STARTS if len(self.cluster.asked) > MANY_ASKED else None]:
            if self.budget.short((1 - SHARE) * most):
                return
            self.firsts.append(self.improver.first(order, fit, self.budget.left - (1 - SHARE) * most))
            if self.question.kept is not None and len(self.firsts) == 1:
                self.budget.deadline -= self.question.kept(self.answer.stands)
            if bounded and (self._beaten_by_nobody() or (len(self.firsts) == 1 and self._dealt())):
                return

    def _beaten_by_nobody(self) -> bool:
        """Whether the goals that need no exact layouts are closed, by merging hosts."""
        with self.budget.spending.part("bounds"):
            if len(self.firsts) == 1:
                self.relaxed.merge()
            self.relaxed.bound()
        return self.known.closed(self._plain)

    def _dealt(self) -> bool:
        """Whether hosts that choose at prices have made a better answer: asked where much more might be had."""
        number = self._first_open()
        bound, score = self.known.bounds[number], self.answer.counted()[number]
        merged = self.relaxed.merged
        if merged is None or self.alike or bound is None or bound - score <= FAR * bound:
            return False
        with self.budget.spending.part("prices"):
            question = replace(self.question, goals=self.goals[: number + 1])
            market = Market(question, self.survey, self.budget, merged)
            stands = market.deal(self.answer.counted(), SHARE * self.budget.left)
            if market.left:  # no time for all: they keep what they have
                others = (stand for stand in self.answer.stands.values() if stand.host in market.left)
                stands = self.improver.completed(stands, others)
            better = self.improver.adopt(list(self.answer.stands), stands)
            if better:
                self.improver.fill()
        with self.budget.spending.part("bounds"):
            self.relaxed.bound()
            self.relaxed.sharpen()
        return better

    def _first_open(self) -> int:
        """The first goal that is open, of those that need no exact layouts (the first of all, if none is)."""
        return next((number for number in range(self._plain) if self.known.open(number)), 0)

    # everything else

    def search(self, movable: Collection[str]) -> Outcome:
        """Columns or a relaxation, then neighbourhoods."""
        if self.budget.over():
            self.improver.fill()
            return self.outcome()
        columns = None if movable else Alike.of(self.question, self.budget)
        if columns is not None:
            for stands in self.firsts:
                columns.columns.take(stands)
            with self.budget.spending.part("columns"):
                columns.choose(self.known, self.improver, self.relaxed.merged)
        elif not movable and self.relaxed.merged is None:
            self.relaxed.relax(self._relaxed_size())
        if movable and self.cluster.platform.slot_choice != "worst-case":
            self._exchange(movable)
            return self.outcome()
        end = self.budget.deadline
        self.budget.deadline -= 0 if movable else self.relaxed.seconds()
        if not movable:
            self._sweep()
        self._run(self._plain, movable)
        if columns is not None:
            with self.budget.spending.part("bounds"):
                columns.bound(self.known)
        self.budget.deadline = end
        if not movable:
            with self.budget.spending.part("bounds"):
                self.relaxed.bound(further=True)
                self.relaxed.sharpen()
        if self._plain < len(self.goals):
            self._run(len(self.goals), movable)
        if self.budget.over():
            self.improver.fill()
        return self.outcome()

    def _run(self, goals: int, movable: Collection[str]) -> None:
        """Neighbourhoods for the first goals."""
        moves = self.question.most_moves
        self.improver.run(self.goals[:goals], self.known.bounds, patience=PATIENCE, movable=movable, moves=moves)

    def _sweep(self) -> None:
        """Neighbourhoods for one goal after the other, the first ones first."""
        for number in range(self._plain):
            if self.known.open(number):
                self.improver.sweep(number, self.known.bounds[number], patience=PATIENCE)
                self.improver.fill()

    def _exchange(self, movable: Collection[str]) -> None:
        """Room made by moves: all over the cluster for the first goal that is open, then by exchanges among a few hosts
        for one goal after the other, as long as those before it are closed.
        """
        spending, most = self.budget.spending, self.question.most_moves
        with spending.part("bounds"), self.budget.share(ANEW_SHARE):
            anew = dealt_anew(self.question, self.survey, self.budget)
        self.known.keep(0, anew.bound)
        exchanger = Exchanger(self.improver, self.survey, self.rules, self.settings, self.budget)
        number = self._first_open()
        if self.known.open(number):
            with spending.part("columns"):
                worth = {} if number else anew.prices
                found = rearranged(self.question, self.survey, number, self.budget, worth)
            self.known.keep(number, found.bound)
            spending.cut |= not found.settled
            exchanger.begin(found.carried.moves, found.carried.starts)
        for number, goal in enumerate(self.goals[: self._plain]):
            if self.known.open(number) and isinstance(goal, Summed):
                exchanger.run(self.goals[: number + 1], self.known.bounds[number], movable, most, patience=PATIENCE)
            if self.known.open(number):
                break
        self.moves = exchanger.moves
        self.improver.fill()
