"""What nobody can beat where hosts differ by what stands on them: hosts of one kind merged into one large host.

What is free on all of them is added up, and their GPUs are counted by what each holds, so a cluster of a thousand
loaded hosts becomes a board of a few places that CP-SAT solves outright. Whatever can be placed can be placed there,
so its bound is a bound; being whole-numbered, it is mostly tighter than a linear relaxation of the whole cluster.

Two things keep it a relaxation: rules that are no matter of amounts are dropped, and a host on which a rule is broken
already stays by itself (what it has too much of must not be taken from the others' room).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from placer.judge.check import broken
from placer.memory import affordable
from placer.solve.board import CountBoard, TooLarge
from placer.solve.bound import Linear
from placer.solve.budget import Budget
from placer.solve.figures import most_alone
from placer.solve.pieces import pieces
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer.warm.columns import Columns
from placer.warm.states import Ints
from placer_models.cluster import Vm
from placer_models.gpus_together import zones
from placer_models.gpus_use import held
from placer_models.rules.gpu import GpuRule
from placer_models.rules.gpu_rows import Row
from placer_models.rules.rule import Place, Rule, VmClass
from placer_models.scene import Scene

MOST_UNKNOWNS, MOST_WHOLE = 100_000, 20_000
"""Unknowns of a merged board at most, and of one that is solved in whole numbers."""

LANES = 2
"""Pieces that are solved at the same time."""

WORK = 2.0
"""Deterministic seconds for the bound of one goal at most."""


class MergedBoard(CountBoard):
    """A board on which a place may stand for hosts of one kind whatever stands on them. `alone` says how many VMs of a
    kind (by the survey's number) each host takes at most, were there no others.
    """

    def __init__(self, alone: Alone, *args: Any, **kwargs: Any) -> None:
        self._alone = alone
        super().__init__(*args, **kwargs)

    def _make_places(self, groups: Sequence[Sequence[str]]) -> None:
        super()._make_places(groups)
        index = self._alone.index
        self._order = np.array([index[name] for place in self._places for name in place.names], dtype=np.int64)
        self.firsts = np.cumsum([0, *(place.m for place in self._places)])[:-1]

    def _roomy(self, vm: Vm, size: int) -> Iterable[tuple[Place, int]]:
        each = np.minimum(size, self._alone.of(vm)[self._order])
        most = np.add.reduceat(each, self.firsts) if len(each) else each
        return [(place, min(size, count)) for place, count in zip(self._places, most.tolist(), strict=True) if count]

    def rows(self, place: Place) -> Any:
        if place.m == 1:
            return None
        told_apart = any(
            zones(place.host, vms.vm.needs) is not None for vms, _ in self.here(place) if vms.vm.gpus and not vms.fixed
        )
        rows: dict[Hashable, Row] = {}
        for name in place.names:
            host = self.scene.cluster.hosts[name]
            for index, gpu in enumerate(host.gpus):
                fixed = held(self.scene, host, gpu)
                now = self.scene.sharing(name, gpu)
                sharings = (now,) if fixed else (now, *(other for other in gpu.sharings if other != now))
                mine = place.host.gpus[index]  # hosts of one kind have the same GPUs in the same order
                key = gpu.make, sharings, tuple(sorted(fixed, key=repr)), index if told_apart else None
                row = rows.setdefault(key, Row(mine, [], sharings, fixed, (), [], 0))
                row.ids.append(mine.id)
                row.size += 1
                row.most = row.size
        return list(rows.values())


class FreeSlots(MergedBoard):
    """The same where anybody may choose slots: it allows all that managers do with several vGPUs of a VM, and more."""

    slot_choice = "chosen"


class Alone:
    """How many VMs of each kind each host takes at most, were there no others."""

    def __init__(self, scene: Scene, survey: Survey, figures: Columns) -> None:
        self._survey, self.figures, self.index = survey, figures, figures.index
        self._all = np.arange(len(figures.hosts))
        self._kinds = np.array([survey.host(host.name) for host in figures.hosts], dtype=np.int64)
        self._up = np.array([host.state == "up" for host in figures.hosts], dtype=np.bool_)
        self.firsts = dict(zip(self._kinds[::-1].tolist(), figures.hosts[::-1], strict=True))
        self._found: dict[int, Ints] = {}
        for name in scene.cluster.asked:
            if not scene.of(name):
                self.of(scene.cluster.vms[name])

    def of(self, vm: Vm) -> Ints:
        """How many VMs of its kind each host takes."""
        kind = self._survey.vm(vm.name)
        if kind not in self._found:
            admitted = [self._survey.admits(vm.name, host.name) for host in self.firsts.values()]
            may = np.isin(self._kinds, [kind for kind, yes in zip(self.firsts, admitted, strict=True) if yes])
            self._found[kind] = np.where(may & self._up, most_alone(self.figures, vm, self._all), 0)
        return self._found[kind]

    def signature(self) -> Mapping[str, Hashable]:
        """Which kinds of VMs each host takes at all."""
        takes = np.array([counts > 0 for counts in self._found.values()], dtype=np.bool_)
        takes = takes.reshape(len(self._found), len(self._all)).T
        return {host.name: row.tobytes() for host, row in zip(self.figures.hosts, takes, strict=True)}


class Merged:
    """The merged relaxation of a question, nobody moving; `figures` are those of its scene. Raises TooLarge."""

    def __init__(self, question: Question, survey: Survey, budget: Budget, figures: Columns) -> None:
        scene, goals, search = question.scene, question.goals, question.search
        self._goals, self._search, self._budget = goals, search, budget
        local = [rule for rule in question.rules if not rule.soft and rule.by_host]
        kept = [rule for rule in local if _mergeable(rule, scene)]
        self.alone = Alone(scene, survey, figures)
        groups = merged_groups(scene, survey, local, self.alone)
        most = affordable(search.memory_limit_mib, MOST_UNKNOWNS)
        self._made = scene, kept, goals, scene.cluster.asked
        for kind in (MergedBoard, FreeSlots):
            self._board = kind(self.alone, *self._made, groups=groups, survey=survey, most=most, over=budget.over)
            if not self._board.narrow:
                break
        self._linear = Linear(self._board, goals, budget)
        self.first: int | None = None
        """The sharper bound of the first goal, which asks for no scores."""

    def weights(self, number: int, scores: Sequence[int]) -> list[float] | None:
        """As `Linear.weights`."""
        return self._linear.weights(number, scores)

    def prices(self, weights: Sequence[float]) -> Mapping[str, tuple[float, float]] | None:
        """What each VM counts for, the first goals weighing so much, and its price: what one more of its kind would
        bring. Only of VMs that count for anything.
        """
        worth = self._linear.worth(weights)
        spots: dict[VmClass, list[int]] = defaultdict(list)
        for vms, _, count in self._board.where():
            if not isinstance(count, int):
                spots[vms].append(count.index)
        found = self._linear.prices(worth, ((tuple(indexes), len(vms.names)) for vms, indexes in spots.items()))
        if found is None:
            return None
        prices: dict[str, tuple[float, float]] = {}
        for (vms, indexes), price in zip(spots.items(), found, strict=True):
            brings = max(worth.get(index, 0.0) for index in indexes)
            if brings > 0:
                prices |= dict.fromkeys(vms.names, (brings, price))
        return prices

    def bound(self, number: int, scores: Sequence[int]) -> int | None:
        """What nobody beats in a goal who reaches these scores in those before it, by the linear relaxation: known
        soon, and often as low as it can be. None where it is not known.
        """
        return self._linear.bound(number, scores)

    @property
    def size(self) -> int:
        """How many unknowns it has."""
        return len(self._board.model.proto.variables)

    @property
    def removable(self) -> bool:
        """Whether what stands stays legal when a VM is taken away: where the manager picks slots, others may then be
        without a seat.
        """
        return self._board.slot_choice == "chosen"

    def keep_first(self, bound: int) -> None:
        """Keep a bound of what is chosen for the first goal: sharper than what whole numbers of merged hosts say."""
        self.first = bound + self._expression(self._board, self._board.aims[0])[1]

    def sharper(self, number: int, scores: Sequence[int]) -> int | None:
        """The same in whole numbers, which takes longer. None where it is too large for that."""
        if not number and self._goals[0].sense == "most" and self.removable:
            self.first = self.first or self._in_pieces()
            if self.first is not None:
                return self.first
        if self._board.narrow or self.size > MOST_WHOLE:
            return None
        found = self._solved(number, scores[:number])
        return self._solved(number, ()) if found is None and number else found  # without floors it is a bound, too

    def _in_pieces(self) -> int | None:
        """The sharper bound of the first goal, without the VMs that bring it nothing: they tie all hosts together."""
        board, worth = self._board, self._linear.worth([1.0])
        index = {id(place): number for number, place in enumerate(board.places)}
        spots: dict[VmClass, list[int]] = defaultdict(list)
        for vms, place, count in board.where():
            if not isinstance(count, int) and worth.get(count.index, 0) > 0:
                spots[vms].append(index[id(place)])
        found = pieces(spots.items())
        total = self._expression(board, board.aims[0])[1]
        for first in range(0, len(found), LANES):
            try:
                some = [self._piece(*piece) for piece in found[first : first + LANES]]
            except TooLarge:
                return None
            jobs = [(self._solver(), piece.model) for piece in some]
            for status, (solver, _) in zip(self._budget.solve_all(jobs), jobs, strict=True):
                if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                    return None
                total += math.floor(solver.best_objective_bound + 1e-6)
        return total

    def _piece(self, numbers: Sequence[int], classes: Sequence[VmClass]) -> CountBoard:
        """Some of the merged hosts, for some of the VMs, with the first goal to be most."""
        scene, rules, goals, asked = self._made
        mine = {name: asked[name] for vms in classes for name in vms.names}
        groups = [self._board.places[number].names for number in numbers]
        made = self.alone, scene, rules, goals[:1], mine
        survey, over = self._board.survey, self._budget.over
        board = type(self._board)(*made, groups=groups, survey=survey, most=MOST_WHOLE, over=over)
        board.model.maximize(self._expression(board, board.aims[0])[0])
        return board

    def _solved(self, number: int, floors: Sequence[int]) -> int | None:
        board, model = self._board, self._board.model.clone()
        for goal, aim, score in zip(self._goals, board.aims, floors, strict=False):
            expression, constant = self._expression(board, aim)
            at_least = goal.sense == "most"
            model.add(expression >= score - constant if at_least else expression <= score - constant)
        expression, constant = self._expression(board, board.aims[number])
        most = self._goals[number].sense == "most"
        if most:
            model.maximize(expression)
        else:
            model.minimize(expression)
        solver = self._solver()
        if self._budget.solve(solver, model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        bound = solver.best_objective_bound
        return (math.floor(bound + 1e-6) if most else math.ceil(bound - 1e-6)) + constant

    def _solver(self) -> cp_model.CpSolver:
        solver = cp_model.CpSolver()
        solver.parameters.random_seed = self._search.seed
        solver.parameters.num_workers = 1
        solver.parameters.linearization_level = 2
        solver.parameters.max_deterministic_time = WORK
        return solver

    @staticmethod
    def _expression(board: CountBoard, aim: tuple[Any, int]) -> tuple[Any, int]:
        factors, unknowns, constant = board.merged(aim[0])
        return cp_model.LinearExpr.weighted_sum(unknowns, factors), constant + aim[1]


def merged_groups(scene: Scene, survey: Survey, rules: Sequence[Rule], alone: Alone) -> list[list[str]]:
    """The hosts that are up, grouped by kind and by which VMs they take at all; one on which a rule is broken already
    is a group by itself.
    """
    groups: dict[Hashable, list[str]] = {}
    sick = {host for host, found in _breaches(scene, rules).items() if found}
    takes = alone.signature()
    for host in scene.cluster.hosts.values():
        if host.state == "up":
            key = host.name if host.name in sick else (survey.host(host.name), takes.get(host.name))
            groups.setdefault(key, []).append(host.name)
    return list(groups.values())


def _breaches(scene: Scene, rules: Sequence[Rule]) -> Mapping[str, int]:
    """How many breaches there are on each host; none is looked for host by host where there is none at all."""
    if not any(broken(scene, rules)):
        return {}
    return {name: sum(map(len, broken(scene, rules, (name,)))) for name in scene.cluster.hosts}


def _mergeable(rule: Rule, scene: Scene) -> bool:
    """Whether what the rule posts for a place of several hosts allows whatever it allows on each of them: amounts,
    what does not look at the scene, and the GPUs whose rows a merged board adds up.
    """
    if isinstance(rule, GpuRule):
        return True
    hosts = scene.cluster.hosts.values()
    return all(rule.scene_key(scene, host) == () or rule.room(scene, host) is not None for host in hosts)
