"""An answer made better, some hosts at a time: a board over them, with all others standing still.

The next hosts are those with much left over, beside some by chance; how many, follows from how fast the last board was
solved. Every answer is counted over the whole cluster before it replaces the last one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random

import numpy as np

from placer.judge.check import broken, scores, worse
from placer.solve.board import CountBoard, TooLarge
from placer.solve.budget import Budget
from placer.solve.figures import figures_of, free
from placer.solve.run import Outcome, Progress, solve_board
from placer.solve.start import Fit, Start
from placer.solve.survey import Survey
from placer.warm.columns import Columns
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

FIRST_SIZE, MOST_SIZE = 4, 40
"""Hosts of the first neighbourhood, and of the largest."""

MOST_UNKNOWNS = 20_000
"""Unknowns of a neighbourhood's board at most."""

FILL_SECONDS = 1.0
"""How long is looked for room as it is when there is no time left."""

NOISE = 0.5
"""How far chance may bring a host forward among those with more left over, in shares of a host."""

WORK = 0.3
"""Deterministic seconds for a goal on a neighbourhood at most."""


class Answer:
    """An answer in the making: the stands of VMs that start or move, in the order in which they start on each host."""

    def __init__(self, before: Scene, rules: Sequence[Rule], goals: Sequence[Goal]) -> None:
        self.before, self._rules, self._goals = before, rules, goals
        self.scene = before.copy()
        self.stands: dict[str, Stand] = {}
        self.watched = [rule for rule in rules if rule.exact and not rule.soft]
        self._broken = broken(before, self.watched)
        self._figures = self._first_figures = figures_of(before, rules)
        self._stale: set[str] = set()
        self.scores = self._signed(scores(goals, before, self.scene, rules))

    def _signed(self, counted: Sequence[int]) -> list[int]:
        """Scores so that more is always better."""
        return [score if goal.sense == "most" else -score for goal, score in zip(self._goals, counted, strict=True)]

    @property
    def first_figures(self) -> Columns:
        """The figures of the scene before."""
        return self._first_figures

    @property
    def figures(self) -> Columns:
        """The figures of the scene as it is."""
        if self._stale and self._figures is self._first_figures:
            self._figures = self._first_figures.copy(self.scene)
        for host in sorted(self._stale):
            self._figures.refresh(host)
        self._stale.clear()
        return self._figures

    def counted(self) -> list[int]:
        """The goals' scores as they are told."""
        return [score if goal.sense == "most" else -score for goal, score in zip(self._goals, self.scores, strict=True)]

    def waiting(self) -> list[str]:
        """The requests that stay off."""
        return [name for name in self.before.cluster.asked if name not in self.stands]

    def change(self, away: Iterable[str], stands: Iterable[Stand]) -> bool:
        """Take some VMs back to where they were, and let others stand so; undone unless the scores get better
        and the rules that boards do not hold are kept."""
        old, away, stands = dict(self.stands), list(away), list(stands)
        names = dict.fromkeys((*away, *(stand.vm for stand in stands)))
        hosts = dict.fromkeys(stand.host for name in names for stand in (*self.before.of(name), *self.scene.of(name)))
        hosts.update((stand.host, None) for stand in stands)
        parts = self._parts(hosts)
        for name in away:
            self._drop(name)
        for stand in stands:
            self._put(stand)
        counted = self._counted_again(hosts, parts)
        if counted > self.scores and not worse(self.watched, self._broken, broken(self.scene, self.watched)):
            self.scores = counted
            return True
        for name in [name for name in self.stands if old.get(name) != self.stands[name]]:
            self._drop(name)
        for name, stand in old.items():
            if name not in self.stands:
                self._put(stand)
        self.stands = {name: self.stands[name] for name in old}
        return False

    def _parts(self, hosts: Iterable[str]) -> list[int | None]:
        """What these hosts add to each goal's score; None where it is no sum over hosts."""
        found: list[int | None] = []
        for goal in self._goals:
            parts = [goal.on_host(self.before, self.scene, host) for host in hosts]
            known = [part for part in parts if part is not None]
            found.append(sum(known) if len(known) == len(parts) else None)
        return found

    def _counted_again(self, hosts: Iterable[str], parts: Sequence[int | None]) -> list[int]:
        """The scores after a change on these hosts, which added so much before it; once it is known to be for the
        worse, the further ones are not looked at.
        """
        known, found = self.counted(), []
        for goal, score, was, now in zip(self._goals, known, parts, self._parts(hosts), strict=True):
            if was is None or now is None:
                found.append(goal.score(self.before, self.scene, self._rules))
            else:
                found.append(score + now - was)
            if self._signed([*found, *known[len(found) :]]) < self.scores:
                found.extend(known[len(found) :])
                break
        return self._signed(found)

    def _put(self, stand: Stand) -> None:
        for was in self.scene.of(stand.vm):
            self.away(was)
        self.back(stand)
        self.stands[stand.vm] = stand

    def _drop(self, name: str) -> None:
        self.away(self.stands.pop(name))
        for was in self.before.of(name):
            self.back(was)

    def away(self, stand: Stand) -> None:
        """Take a stand out of the scene."""
        self.scene.remove(stand)
        self._stale.add(stand.host)

    def back(self, stand: Stand) -> None:
        """Put a stand into the scene."""
        self.scene.put(stand)
        self._stale.add(stand.host)


class Improver:
    """Improves an answer until its budget ends, or until nothing has helped for a while."""

    def __init__(
        self,
        answer: Answer,
        survey: Survey,
        rules: Sequence[Rule],
        goals: Sequence[Goal],
        search: Search,
        budget: Budget,
        progress: Progress | None = None,
    ) -> None:
        self.answer, self._survey, self._rules, self._goals = answer, survey, rules, goals
        self._search, self._budget, self._progress = search, budget, progress
        self._chance = Random(search.seed)
        self._cluster = answer.before.cluster
        self._open = [host.name for host in self._cluster.hosts.values() if host.state == "up"]
        index = answer.first_figures.index
        self._numbers = np.array([index[name] for name in self._open], dtype=np.int64)
        self._size = float(FIRST_SIZE)
        self._aims: Sequence[Goal] = goals
        self._movable: Collection[str] = ()
        self._moves = 0

    def first(self, groups: Sequence[Sequence[str]], fit: Fit, seconds: float) -> list[Stand]:
        """One first answer, from the beginning, in so many seconds at most; adopted where it is better."""
        if self._cluster.platform.slot_choice == "worst-case":
            return []
        end = self._budget.left - seconds
        answer = self.answer
        start = Start(answer.before.copy(), self._survey, self._rules, self._open, answer.first_figures)
        start.fill(groups, fit, lambda: self._budget.left <= max(0, end))
        self.adopt(list(self.answer.stands), start.stands)
        return start.stands

    def fill(self, groups: Sequence[Sequence[str]], fit: Fit) -> None:
        """Start what finds room as it is, without moving anybody: also when the time is up, as it takes little."""
        off = set(self.answer.waiting())
        left = [kept for names in groups if (kept := [name for name in names if name in off])]
        if not left or self._cluster.platform.slot_choice == "worst-case":
            return
        end = max(self._budget.deadline, time.monotonic() + FILL_SECONDS)
        answer = self.answer
        start = Start(answer.scene.copy(), self._survey, self._rules, self._open, answer.figures)
        start.fill(left, fit, lambda: time.monotonic() > end)
        self.adopt((), start.stands)

    def adopt(self, away: Iterable[str], stands: Sequence[Stand]) -> bool:
        """Change the answer where that makes it better, and tell."""
        if not self.answer.change(away, stands):
            return False
        if self._progress is not None:
            for goal, score in zip(self._goals[:1], self.answer.counted(), strict=False):
                self._progress(goal.label, score, None)
        return True

    def run(
        self,
        goals: Sequence[Goal],
        bounds: Sequence[int | None],
        *,
        patience: int,
        movable: Collection[str] = (),
        moves: int = 0,
    ) -> None:
        """Neighbourhood after neighbourhood for these goals (the first ones of all), until `patience` of them in a row
        have brought nothing, or nothing better can be.
        """
        idle, self._size = 0, float(FIRST_SIZE)
        self._aims, self._movable, self._moves = goals, movable, moves
        while idle < patience and not self._budget.over():
            if self.answer.counted()[: len(goals)] == list(bounds[: len(goals)]) or not self._open:
                return
            chosen = self._pick()
            idle = 0 if self._solve(chosen) else idle + 1
            if len(chosen) == len(self._open):
                return

    def _pick(self) -> list[str]:
        """Some hosts with much left over, and others by chance."""
        size = min(int(self._size), len(self._open))
        slack = [share + self._chance.random() * NOISE for share in self._slack()]
        ranked = [self._open[number] for number in sorted(range(len(slack)), key=lambda number: -slack[number])]
        first = ranked[: (size + 1) // 2]
        return first + self._chance.sample(ranked[len(first) :], size - len(first))

    def _slack(self) -> list[float]:
        """What is left over on each host that is up: of its GPUs where it has any, else the less of the rest."""
        figures = self.answer.figures
        left = free(figures, self._numbers)
        gpus = (figures.gpus[self._numbers] > 0).any(axis=1)
        shares: list[float] = np.where(gpus, left[:, 2], left[:, :2].min(axis=1)).tolist()
        return shares

    def _solve(self, hosts: Sequence[str]) -> bool:
        answer, live = self.answer, set(hosts)
        free = [name for name, stand in answer.stands.items() if stand.host in live and self._frees(name, live)]
        scene = answer.scene
        now = [answer.stands[name] for name in free]
        was = [stand for name in free for stand in answer.before.of(name)]
        asked = {name: self._cluster.asked[name] for name in [*answer.waiting(), *free] if name in self._cluster.asked}
        for stand in now:
            answer.away(stand)
        for stand in was:
            answer.back(stand)
        moved = {name for name in answer.stands if name not in asked and name not in free}
        may = {
            name for host in hosts for name in (stand.vm for stand in scene.on(host)) if name in self._movable
        } - moved
        try:
            outcome = self._solved(scene, now, asked, may, hosts, self._moves - len(moved))
        finally:
            for stand in was:
                answer.away(stand)
            for stand in now:
                answer.back(stand)
        if outcome is None:
            self._size = max(2.0, self._size * 0.7)
            return False
        self._size = min(MOST_SIZE, self._size * 1.15) if outcome.status == "optimal" else max(2.0, self._size * 0.9)
        return self.adopt(free, outcome.stands)

    def _frees(self, name: str, live: Collection[str]) -> bool:
        """Whether a VM of the answer may be decided anew: one that moved only where its old host is there too."""
        return all(was.host in live for was in self.answer.before.of(name))

    def _solved(
        self,
        scene: Scene,
        now: Sequence[Stand],
        asked: Mapping[str, int],
        movable: Collection[str],
        hosts: Sequence[str],
        moves: int,
    ) -> Outcome | None:
        try:
            board = CountBoard(
                scene,
                self._rules,
                self._aims,
                asked,
                movable,
                hosts,
                survey=self._survey,
                most=MOST_UNKNOWNS,
                loose=any(rule.exact for rule in self._rules),
                figures=None if movable else self.answer.figures,
            )
        except TooLarge:
            return None
        if movable:
            board.at_most(Moves().encode(board)[0], moves, eased=False)
        board.hint(now)
        outcome = solve_board(board, self._aims, self._search, 0.0, budget=self._budget, work=WORK)
        return outcome if outcome.tiers else None
