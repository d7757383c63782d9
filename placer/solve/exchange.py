"""Room made by moves in a cluster that is too large for one board: exchanges among a few hosts at a time.

Each is a board over some hosts, on which their VMs may move, those that wait may start, and few moves are allowed:
first those bring in VMs that cost little; only when they are found no more, exchanges of more moves are looked for.
What a board finds is taken where its moves can be carried out one after the other, after those of the exchanges before
it: some VMs are moved aside for it. A VM takes part in one exchange. They go on from what has been found for the whole
cluster at once (`placer.solve.moving`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from placer.legs import in_sequence, legs
from placer.memory import affordable
from placer.solve.answer import Answer
from placer.solve.board import CountBoard, TooLarge
from placer.solve.budget import Budget
from placer.solve.figures import free, roomy
from placer.solve.improve import Improver
from placer.solve.neighbours import neighbourhood
from placer.solve.run import solve_board
from placer.solve.survey import Survey
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Stand

FIRST_SIZE, MOST_SIZE = 4.0, 8.0
"""Hosts of the first exchange, and of the largest."""

FIRST_MOVES, MOST_MOVES = 1, 16
"""Moves of one exchange at first, and at most."""

MOST_UNKNOWNS = 20_000
"""Unknowns of an exchange's board at most."""

OPENINGS = 24
"""Exchanges of one move at most that are tried before all others."""

WORK = 0.3
"""Deterministic seconds for a goal at most."""


@dataclass
class Exchange:
    """What happens among some hosts: the VMs that were to start there and are decided anew, and the stands found."""

    again: list[str]
    stands: list[Stand]


class Exchanger:
    """Makes an answer better by exchanges until its budget ends, or until nothing has helped for a while."""

    def __init__(
        self, improver: Improver, survey: Survey, rules: Sequence[Rule], search: Search, budget: Budget
    ) -> None:
        self._improver, self._survey, self._rules = improver, survey, rules
        self._answer: Answer = improver.answer
        self._search, self._budget = search, budget
        self._chance = Random(search.seed)
        self.moves: list[Stand] = []
        """All moves, in an order that can be carried out."""
        self._staged = self._answer.before.copy()
        cluster = self._answer.before.cluster
        self._open = [host.name for host in cluster.hosts.values() if host.state == "up"]
        self._size = FIRST_SIZE
        self._first: list[list[str]] = []

    def run(
        self, goals: Sequence[Goal], bound: int | None, movable: Collection[str], moves: int, *, patience: int
    ) -> None:
        """Exchange after exchange for these goals, with so many moves in all, until the last of them reaches its
        `bound`, or `patience` exchanges in a row have brought nothing even where many moves are allowed.
        """
        idle, step = 0, FIRST_MOVES
        self._first = self._openings(movable)
        while self._open and not self._budget.over() and self._answer.counted()[len(goals) - 1] != bound:
            left = moves - len(self.moves)
            hosts = self._pick()
            found = self._found(goals, hosts, movable if left else (), min(step, left))
            better = found is not None and self._take(found, left)
            idle = 0 if better or self._first else idle + 1
            if idle >= patience:
                if step >= min(MOST_MOVES, left):
                    return
                idle, step = 0, 2 * step

    def begin(self, moves: Sequence[Stand], starts: Sequence[Stand]) -> bool:
        """Begin with these moves, in an order that can be carried out, and these starts after them, if they make the
        answer better.
        """
        ends = {stand.vm: stand for stand in moves}
        found = Exchange(list(self._answer.stands), [*ends.values(), *starts])
        if not self._startable(moves, found) or not self._improver.adopt(found.again, found.stands):
            return False
        self._stage(moves)
        return True

    def _stage(self, moves: Sequence[Stand]) -> None:
        for stand in moves:
            self._staged.remove(self._staged.of(stand.vm)[0])
            self._staged.put(stand)
        self.moves += moves

    def _take(self, found: Exchange, most: int) -> bool:
        """Take an exchange if it makes the answer better and so many moves at most reach it."""
        targets = [stand for stand in found.stands if self._staged.of(stand.vm)]
        moves = legs(self._staged, self._rules, targets, most)
        if moves is None or not self._startable([*self.moves, *moves], found):
            return False
        if not self._improver.adopt(found.again, found.stands):
            return False
        self._stage(moves)
        return True

    def _startable(self, moves: Sequence[Stand], found: Exchange) -> bool:
        """Whether those who start find their room after these moves: only where the manager picks slots may they not
        although the board says so.
        """
        if self._answer.before.cluster.platform.slot_choice == "chosen":
            return True
        again = {*found.again, *(stand.vm for stand in found.stands)}
        stands = [stand for name, stand in self._answer.stands.items() if name not in again] + found.stands
        starts = [stand for stand in stands if not self._answer.before.of(stand.vm)]
        return not in_sequence(self._answer.before, self._rules, moves, starts).stuck

    def _openings(self, movable: Collection[str]) -> list[list[str]]:
        """Where VMs with GPUs stand that have room elsewhere as it is, each with some hosts that have it: those with
        the largest asks last. What they leave is room for all exchanges after them.
        """
        answer, figures = self._answer, self._answer.figures
        every = np.array([figures.index[name] for name in self._open], dtype=np.int64)
        names, cluster = list(figures.index), answer.before.cluster
        found: dict[str, tuple[int, list[str]]] = {}
        rooms: dict[int, list[str]] = {}
        for stand in answer.before.stands():
            vm, kind = cluster.vms[stand.vm], self._survey.vm(stand.vm)
            if not vm.gpus or stand.vm not in movable:
                continue
            if kind not in rooms:
                rooms[kind] = [names[number] for number in roomy(figures, vm, every)]
            there = [name for name in rooms[kind] if name != stand.host][: int(FIRST_SIZE) - 1]
            if there and milli_of(cluster, vm) > found.get(stand.host, (0, []))[0]:
                found[stand.host] = milli_of(cluster, vm), there
        ranked = sorted(found, key=lambda host: found[host][0])
        return [[host, *found[host][1]] for host in ranked[-OPENINGS:]]

    def _pick(self) -> list[str]:
        """Some hosts with much GPU left over, and others by chance: what stands in the way on the ones may have room on
        the others.
        """
        if self._first:
            return self._first.pop()
        figures = self._answer.figures
        left = free(figures, np.array([figures.index[name] for name in self._open], dtype=np.int64))[:, 2]
        return neighbourhood(self._chance, self._open, left.tolist(), self._size)

    def _found(
        self, goals: Sequence[Goal], hosts: Sequence[str], movable: Collection[str], moves: int
    ) -> Exchange | None:
        answer = self._answer
        again = [stand.vm for host in hosts for stand in answer.scene.on(host) if not answer.before.of(stand.vm)]
        now = [answer.stands[name] for name in again]
        for stand in now:
            answer.away(stand)
        try:
            stands = self._solved(goals, hosts, [*answer.waiting(), *again], movable, moves, now)
            return None if stands is None else Exchange(again, stands)
        finally:
            for stand in now:
                answer.back(stand)

    def _solved(
        self,
        goals: Sequence[Goal],
        hosts: Sequence[str],
        asked: Sequence[str],
        movable: Collection[str],
        moves: int,
        now: Sequence[Stand],
    ) -> list[Stand] | None:
        """What a board over these hosts finds best: for these goals, and then with fewest moves."""
        scene, aims = self._answer.scene, (*goals, Moves())
        moved = {stand.vm for stand in self.moves}
        may = {stand.vm for host in hosts for stand in scene.on(host) if stand.vm in movable and stand.vm not in moved}
        try:
            board = CountBoard(
                scene,
                self._rules,
                aims,
                {name: scene.cluster.asked[name] for name in asked},
                may,
                hosts,
                survey=self._survey,
                most=affordable(self._search.memory_limit_mib, MOST_UNKNOWNS),
                loose=any(rule.exact for rule in self._rules),
            )
        except TooLarge:
            self._size = max(2.0, self._size * 0.7)
            return None
        if may:
            board.at_most(Moves().encode(board)[0], moves, eased=False)
        board.hint(now)
        outcome = solve_board(board, aims, self._search, 0.0, budget=self._budget, work=WORK)
        easy = outcome.status == "optimal"
        self._size = min(MOST_SIZE, self._size * 1.1) if easy else max(2.0, self._size * 0.9)
        return outcome.stands if outcome.tiers else None
