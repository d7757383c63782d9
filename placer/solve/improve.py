"""An answer made better, some hosts at a time: a board over them, with all others standing still.

The next hosts are those with much left over, beside some by chance; how many, follows from how fast the last board was
solved. Every answer is counted over the whole cluster before it replaces the last one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random

import numpy as np
from ortools.sat.python import cp_model

from placer.memory import affordable
from placer.progress import Progress
from placer.solve.answer import Answer
from placer.solve.board import CountBoard, TooLarge
from placer.solve.budget import Budget
from placer.solve.figures import free, most_alone
from placer.solve.neighbours import neighbourhood
from placer.solve.orders import Orders
from placer.solve.patch import MOST_SIZE, Patch, Turns
from placer.solve.run import Outcome, solve_board
from placer.solve.start import Fit, Start, tight
from placer.solve.survey import Survey
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

FIRST_SIZE = 4
"""Hosts of the first neighbourhood where VMs may move."""

MOST_UNKNOWNS = 20_000
"""Unknowns of a neighbourhood's board at most."""

FILL_SECONDS = 1.0
"""How long is looked for room as it is when there is no time left."""

WORK = 0.3
"""Deterministic seconds for a goal on a neighbourhood at most."""


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
        self._lanes = min(2, search.workers)
        self.orders = Orders(survey)
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
        start.fill(groups, fit, lambda: self._budget.short(max(0, end)))
        self.adopt(list(self.answer.stands), start.stands)
        return start.stands

    def fill(self) -> None:
        """Start what finds room as it is, without moving anybody: also when the time is up, as it takes little."""
        off = set(self.answer.waiting())
        left = [kept for names in self.orders.biggest() if (kept := [name for name in names if name in off])]
        if not left or self._cluster.platform.slot_choice == "worst-case":
            return
        end = max(self._budget.deadline, time.monotonic() + FILL_SECONDS)
        answer = self.answer
        start = Start(answer.scene.copy(), self._survey, self._rules, self._open, answer.figures)
        start.fill(left, tight, lambda: self._budget.past(end))
        self.adopt((), start.stands)

    def completed(self, stands: Sequence[Stand], others: Iterable[Stand]) -> list[Stand]:
        """These stands, and those of others that still have room beside them."""
        scene = self.answer.before.copy()
        for stand in stands:
            scene.put(stand)
        figures = self.answer.first_figures.copy(scene)
        for host in dict.fromkeys(stand.host for stand in stands):
            figures.refresh(host)
        start = Start(scene, self._survey, self._rules, self._open, figures)
        taken = {stand.vm for stand in stands}
        start.keep((other for other in others if other.vm not in taken), self._budget.over)
        return [*stands, *start.stands]

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
            chosen = neighbourhood(self._chance, self._open, self._slack(), self._size)
            idle = 0 if self._solve(chosen) else idle + 1
            if len(chosen) == len(self._open):
                return

    def sweep(self, number: int, bound: int | None, *, patience: int) -> None:
        """Neighbourhoods of hosts of one sort for one goal, those before it held, nobody moving: two at a time, all
        hosts in turn. Ends as `run` does.
        """
        idle, turns = 0, Turns(self._cluster, self._open, self._chance)
        while idle < patience and not self._budget.over() and self.answer.counted()[number] != bound:
            chosen = turns.next(self._lanes)
            if not chosen:
                return
            patches = self._patches(number, [hosts for _, hosts in chosen])
            for (sort, hosts), patch, status in zip(chosen, patches, self._solved_at_once(patches), strict=True):
                turns.tell(sort, easy=patch is None or status == cp_model.OPTIMAL)
                better = patch is not None and patch.found is not None and self.adopt(patch.free, patch.found)
                idle = 0 if better else idle + 1
                if len(hosts) == len(self._open):
                    return

    def _patches(self, number: int, chosen: Sequence[Sequence[str]]) -> list[Patch | None]:
        """Boards over each of these sets of hosts; who waits is dealt out among them."""
        answer = self.answer
        free = [
            [stand.vm for host in hosts for stand in answer.scene.on(host) if not answer.before.of(stand.vm)]
            for hosts in chosen
        ]
        now = [[answer.stands[name] for name in names] for names in free]
        for stand in (stand for stands in now for stand in stands):
            answer.away(stand)
        try:
            waiting = [[name for name in names if name not in answer.stands] for names in self.orders.waiting]
            return [
                self._patch(number, hosts, free[at], now[at], [names[at :: len(chosen)] for names in waiting])
                for at, hosts in enumerate(chosen)
            ]
        finally:
            for stand in (stand for stands in now for stand in stands):
                answer.back(stand)

    def _patch(
        self,
        number: int,
        hosts: Sequence[str],
        free: Sequence[str],
        now: Sequence[Stand],
        waiting: Sequence[Sequence[str]],
    ) -> Patch | None:
        """The board over some hosts; None where nobody waits for them, or it would be too large."""
        figures, vms, asked = self.answer.figures, self._cluster.vms, self._cluster.asked
        numbers = np.array([figures.index[host] for host in hosts], dtype=np.int64)
        some: list[str] = []
        for names in waiting:
            if names and self._admitted(names[0], hosts):
                most = int(np.minimum(most_alone(figures, vms[names[0]], numbers), len(names)).sum())
                some.extend(names[:most])
        if not some:
            return None
        try:
            board = CountBoard(
                self.answer.scene,
                self._rules,
                self._goals[: number + 1],
                {name: asked[name] for name in (*some, *free)},
                (),
                hosts,
                survey=self._survey,
                most=affordable(self._search.memory_limit_mib, MOST_UNKNOWNS),
                loose=any(rule.exact for rule in self._rules),
                figures=figures,
                over=self._budget.over,
            )
        except TooLarge:
            return None
        return Patch.of(board, self._goals[: number + 1], free, now)

    def _admitted(self, name: str, hosts: Sequence[str]) -> bool:
        """Whether a VM may be on any of these hosts."""
        kinds = {self._survey.host(host): host for host in hosts}
        return any(self._survey.admits(name, host) for host in kinds.values())

    def _solved_at_once(self, patches: Sequence[Patch | None]) -> list[cp_model.CpSolverStatus | None]:
        """What became of each; the solvers run side by side, each with one worker."""
        jobs = [(patch.solver(self._search.seed), patch.board.model) for patch in patches if patch is not None]
        found = iter(self._budget.solve_all(jobs))
        done: list[cp_model.CpSolverStatus | None] = []
        solvers = iter(solver for solver, _ in jobs)
        for patch in patches:
            done.append(None if patch is None else next(found))
            if patch is not None:
                patch.read(next(solvers), done[-1])
        return done

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
                most=affordable(self._search.memory_limit_mib, MOST_UNKNOWNS),
                loose=any(rule.exact for rule in self._rules),
                figures=None if movable else self.answer.figures,
                over=self._budget.over,
            )
        except TooLarge:
            return None
        if movable:
            board.at_most(Moves().encode(board)[0], moves, eased=False)
        board.hint(now)
        outcome = solve_board(board, self._aims, self._search, 0.0, budget=self._budget, work=WORK)
        return outcome if outcome.tiers else None
