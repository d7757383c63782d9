"""A first answer for clusters that are asked for more than they have: hosts choose in turn what comes to them, at the
prices that the linear relaxation of the merged cluster puts on VMs.

A kind of VMs that asks little of what is scarce is wanted everywhere, and there are too few of it: its price is what it
brings anywhere else, so a host takes it only where it brings more. A few hosts of one sort choose at a time, those with
the least room first, as they have the least choice.

The prices are the relaxation's duals, as in Dantzig & Wolfe, "Decomposition principle for linear programs", 1960; that
nothing is chosen twice makes it a heuristic, as bid prices are (Talluri & van Ryzin, "An analysis of bid-price controls
for network revenue management", 1998).

For the first goal, hosts choose first as though nobody had chosen before them: what all of them gain so, and the prices
of all VMs, nobody beats (Geoffrion, "Lagrangean relaxation for integer programming", 1974). Those who took what is gone
choose again, among those who are left.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from ortools.sat.python import cp_model

from placer.memory import affordable
from placer.solve.board import CountBoard, TooLarge
from placer.solve.budget import Budget
from placer.solve.conditions import reading
from placer.solve.figures import free
from placer.solve.merged import Merged, MergedBoard
from placer.solve.patch import sort_of
from placer.solve.question import Question
from placer.solve.survey import Survey, tying
from placer_models.cluster import Vm
from placer_models.rules.gpu import GpuRule
from placer_models.scene import Stand

TOGETHER = 4
"""Hosts that choose together: more make no better answer, and take longer."""

SCALE = 1000
"""Prices are whole numbers of this part of what a goal counts."""

REBATE = 0.001
"""The part of its price by which a VM is cheaper: so that who brings just its price is taken rather than nobody."""

MOST_TWICE = 2_500
"""Hosts of which most choose twice, for the bound's sake: of more, all choose once in the time that twice takes."""

HELD = 1.1
"""By how much more goals before the last weigh than they would have to: so that their scores are reached."""

MOST_UNKNOWNS, WORK = 5_000, 0.1
"""Unknowns of one choice at most, and its deterministic seconds."""


@dataclass(frozen=True)
class Choice:
    """A board over some hosts, the unknowns that count VMs of each class there, and how many are left of them."""

    board: CountBoard
    spots: Mapping[int, Sequence[cp_model.IntVar]]
    left: Mapping[int, int]

    def possible(self, values: Sequence[int]) -> bool:
        """Whether no more are taken than are left, where the unknowns have these values."""
        return all(sum(values[one.index] for one in counts) <= self.left[n] for n, counts in self.spots.items())

    def limit(self) -> None:
        """Let no more be taken than are left."""
        for number, counts in self.spots.items():
            self.board.at_most([(1, count) for count in counts], self.left[number], eased=False)


class Market:
    """Hosts and VMs, for the last of a question's goals, of which more is better; `merged` is its relaxation."""

    def __init__(self, question: Question, survey: Survey, budget: Budget, merged: Merged) -> None:
        self._scene, self._survey, self._rules = question.scene.copy(), survey, question.rules
        self._goals, self._search = question.goals, question.search
        self._budget, self.merged, self._alone = budget, merged, merged.alone
        self._stands: list[Stand] = []
        vms = self._survey.cluster.vms
        self._tied = bool(tying(self._rules, [vms[name] for name in self._survey.cluster.asked]))
        first = len(self._goals) == 1 and self._goals[0].sense == "most" and len(survey.cluster.hosts) <= MOST_TWICE
        self._gain: int | None = 0 if first and merged.removable and not self._tied else None
        """What all who have chosen gain at most beyond the prices, in parts of `SCALE`; None: it is not known."""
        self.left: set[str] = set()
        """The hosts that had no turn."""

    def deal(self, scores: Sequence[int], seconds: float) -> list[Stand]:
        """The stands of those who were chosen, in so many seconds at most; these scores are to be reached in the goals
        before the last.
        """
        end = max(0.0, self._budget.left - seconds)
        weights = self.merged.weights(len(self._goals) - 1, scores)
        if weights is None:
            return []
        weights = [*(HELD * weight for weight in weights[:-1]), weights[-1]]
        prices = self.merged.prices(weights)
        if not prices:
            return []
        self._waiting = self._kinds(prices)
        self._class = {name: number for number, names in enumerate(self._waiting) for name in names}
        least = (min(prices[name][1] for name in names) for names in self._waiting)
        self._prices = [math.floor(SCALE * (1 - REBATE) * price) / SCALE for price in least]
        self._first = [names[0] for names in self._waiting]
        self._taken: list[list[str]] = [[] for _ in self._waiting]
        many = [len(names) for names in self._waiting]
        vms = [self._survey.cluster.vms[names[0]] for names in self._waiting]
        self._most = np.array([self._alone.of(vm) for vm in vms], dtype=np.int64)  # on each host, were there no others
        brings = [prices[names[0]][0] - price for names, price in zip(self._waiting, self._prices, strict=True)]
        self._better = self._preferred(vms, brings)
        several = self._turns()
        self.left = {host for turns in several for hosts in turns for host in hosts}
        for turns in several:
            if self._budget.short(end):
                break
            self._choose(turns, weights)
            self.left.difference_update(host for hosts in turns for host in hosts)
        if self._gain is not None and not self.left:
            sold = sum(round(SCALE * price) * number for price, number in zip(self._prices, many, strict=True))
            self.merged.keep_first((self._gain + sold) // SCALE)
        return self._stands

    def _kinds(self, prices: Mapping[str, tuple[float, float]]) -> list[list[str]]:
        """The VMs that count for anything: those alike that bring as much, whatever their priority, together; the more
        urgent ones first.
        """
        asked = self._survey.cluster.asked
        kinds: dict[Hashable, list[str]] = defaultdict(list)
        for name in sorted(asked, key=lambda name: -asked[name]):
            if name in prices:
                kinds[self._survey.vm(name), round(prices[name][0], 9)].append(name)
        return list(kinds.values())

    def _turns(self) -> list[list[list[str]]]:
        """The hosts that choose together, of each sort those with the least room first; beside them some of another
        sort (they hardly want the same VMs), as long as there are.
        """
        hosts = self._survey.cluster.hosts
        open_ = [host.name for host in hosts.values() if host.state == "up"]
        numbers = np.array([self._alone.index[name] for name in open_], dtype=np.int64)
        room = free(self._alone.figures, numbers)[:, 0]
        sorts: dict[Hashable, list[str]] = defaultdict(list)
        for number in np.argsort(room, kind="stable").tolist():
            sorts[sort_of(hosts[open_[number]])].append(open_[number])
        ranked = sorted(
            (at / len(names), number, names[at : at + TOGETHER])
            for number, names in enumerate(sorts.values())
            for at in range(0, len(names), TOGETHER)
        )
        turns: list[list[list[str]]] = []
        alone: deque[tuple[int, list[str]]] = deque()
        for _, sort, some in ranked:
            if self._search.workers > 1 and alone and alone[0][0] != sort:
                turns.append([alone.popleft()[1], some])
            else:
                alone.append((sort, some))
        return turns + [[some] for _, some in alone]

    def _preferred(self, vms: Sequence[Vm], brings: Sequence[float]) -> list[list[int]]:
        """For each class of VMs those that are as good in all ways: told apart from it by amounts only, of which they
        take no more, taken by each host as often, and bringing as much.
        """
        rooms = self._alone.figures.rooms
        counted = {id(room.rule) for room in rooms}
        others = [rule for rule in self._rules if id(rule) not in counted and not isinstance(rule, GpuRule)]
        sorts: dict[Hashable, list[int]] = defaultdict(list)
        takes: list[list[int]] = []
        for number, vm in enumerate(vms):
            sorts[vm.wants, vm.needs, *(rule.vm_key(vm) for rule in others)].append(number)
            mine = (room.rule.takes(vm) if room.rule.concerns(vm) else (0,) * room.left.shape[1] for room in rooms)
            takes.append([amount for several in mine for amount in several])
        amounts, worth = np.array(takes, dtype=np.int64), np.round(brings, 6)
        better: list[list[int]] = [[] for _ in vms]
        for some in sorts.values():
            numbers = np.array(some)
            for number in some:
                pairs = amounts[numbers] - amounts[number], self._most[number] - self._most[numbers]
                lighter = np.column_stack([*pairs, (worth[number] - worth[numbers])[:, None]])
                same = ~lighter.any(axis=1)
                better[number] = numbers[(lighter <= 0).all(axis=1) & (~same | (numbers < number))].tolist()
        return better

    def _choose(self, turns: Sequence[Sequence[str]], weights: Sequence[float]) -> None:
        """Let some hosts choose, each few by themselves, at the same time; again where what they took is gone."""
        choices = self._choices(turns)
        again = []
        for choice, values in self._solved(choices, weights):
            if choice.possible(values):
                self._take(choice.board, values)
            else:
                choice.limit()
                again.append(choice)
        for choice, values in self._solved(again, weights, bounding=False):
            self._take(choice.board, values)

    def _solved(
        self, choices: Sequence[Choice], weights: Sequence[float], *, bounding: bool = True
    ) -> list[tuple[Choice, Sequence[int]]]:
        """The choices that were made, and the values of their unknowns."""
        jobs = [(self._solver(choice.board, weights), choice.board.model) for choice in choices]
        made: list[tuple[Choice, Sequence[int]]] = []
        for choice, (solver, _), status in zip(choices, jobs, self._budget.solve_all(jobs), strict=True):
            known = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
            if known:
                made.append((choice, list(solver.response_proto.solution)))
            if bounding and self._gain is not None:
                sure = known and not choice.board.narrow
                self._gain = self._gain + math.floor(solver.best_objective_bound + 1e-6) if sure else None
        return made

    def _take(self, board: CountBoard, values: Sequence[int]) -> None:
        """Let VMs come where they were chosen."""
        for stand in board.read(reading(values)):
            number = self._class[stand.vm]
            self._waiting[number].remove(stand.vm)
            self._taken[number].append(stand.vm)
            self._stands.append(stand)
            if self._tied:  # else what others hold is nobody's concern
                self._scene.put(stand)

    def _choices(self, turns: Sequence[Sequence[str]]) -> list[Choice]:
        """The choices of some hosts each; who could come to more than one of them is dealt out. Classes are left out
        of which others are as good, and more than enough.
        """
        at = [[self._alone.index[host] for host in hosts] for hosts in turns]
        most = np.column_stack([self._most[:, numbers].sum(axis=1) for numbers in at])
        some: list[dict[int, list[str]]] = [{} for _ in turns]
        for number in np.flatnonzero(most.any(axis=1)).tolist():
            names, takers = self._waiting[number], np.flatnonzero(most[number]).tolist()
            for turn, taker in enumerate(takers):
                some[taker][number] = names[turn :: len(takers)][: most[number, taker]]
        choices = []
        for turn, (hosts, classes) in enumerate(zip(turns, some, strict=True)):
            plenty = {number for number, names in classes.items() if len(names) == most[number, turn]}
            kept = {number: names for number, names in classes.items() if plenty.isdisjoint(self._better[number])}
            wanted = {number: self._with_others(number, names, most[number, turn]) for number, names in kept.items()}
            board = self._board(hosts, wanted)
            if board is not None:
                spots: dict[int, list[cp_model.IntVar]] = defaultdict(list)
                for vms, _, count in board.where():
                    if not isinstance(count, int):
                        spots[self._class[vms.names[0]]].append(count)
                choices.append(Choice(board, spots, {number: len(names) for number, names in kept.items()}))
        return choices

    def _with_others(self, number: int, names: list[str], most: int) -> list[str]:
        """These VMs of a class, and others of it that hosts might have had."""
        if self._gain is None:
            return names
        taken = set(names)
        others = (name for name in (*self._waiting[number], *self._taken[number]) if name not in taken)
        return [*names, *islice(others, max(0, most - len(names)))]

    def _board(self, hosts: Sequence[str], classes: Mapping[int, Sequence[str]]) -> CountBoard | None:
        """The board over some hosts and VMs, those of a class equally urgent; None where there would be too many."""
        most = affordable(self._search.memory_limit_mib, MOST_UNKNOWNS)
        priorities = self._survey.cluster.asked
        asked = {name: priorities[self._first[number]] for number, names in classes.items() for name in names}
        loose = any(rule.exact for rule in self._rules)
        made = self._scene, self._rules, self._goals, asked
        try:
            return MergedBoard(self._alone, *made, hosts=hosts, survey=self._survey, most=most, loose=loose)
        except TooLarge:
            self._gain = None
            return None

    def _solver(self, board: CountBoard, weights: Sequence[float]) -> cp_model.CpSolver:
        """A solver for a board whose VMs bring what the goals count, and cost their prices."""
        worth: dict[int, float] = defaultdict(float)
        unknowns: dict[int, cp_model.IntVar] = {}
        for goal, weight, (terms, _) in zip(self._goals, weights, board.aims, strict=True):
            for factor, unknown in zip(*board.merged(terms)[:2], strict=True):
                worth[unknown.index] += weight * (factor if goal.sense == "most" else -factor)
                unknowns[unknown.index] = unknown
        for vms, _, count in board.where():
            if not isinstance(count, int) and count.index in unknowns:
                worth[count.index] -= self._prices[self._class[vms.names[0]]]
        factors = [round(SCALE * worth[index]) for index in unknowns]
        board.model.maximize(cp_model.LinearExpr.weighted_sum(list(unknowns.values()), factors))
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.random_seed, parameters.num_workers = self._search.seed, 1
        parameters.max_deterministic_time, parameters.linearization_level = WORK, 2
        parameters.symmetry_level, parameters.cp_model_probing_level = 0, 0
        return solver
