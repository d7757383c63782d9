"""A cluster in plain numbers, for whoever must look at all its hosts many times: kinds of VMs that may leave or come,
hosts that are alike, what each has room for.

It allows whatever the rules allow, and more: amounts and GPUs in thousandths are kept, as are the hosts that a kind may
be on at all. Slots, and rules that look at more than one host, are not; so what is said of it bounds, and what is
found in it is checked before it is taken.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from placer.solve.board import CountBoard
from placer.solve.survey import Survey
from placer.warm.seats import simple
from placer_models.cluster import Host, Vm
from placer_models.goals.gpu_milli import GpuMilli, milli_of
from placer_models.goals.placed import Placed
from placer_models.gpus_use import use_for, use_of
from placer_models.rules.gpu import GpuRule
from placer_models.rules.rule import Rule, Term
from placer_models.scene import Scene, Stand

WHOLE, FINEST = 1000, 10
"""Thousandths of a GPU; and how many of them are told apart where sizes have no greater measure in common."""


@dataclass(frozen=True)
class Kind:
    """VMs that nothing tells apart but where they stand: on how many GPUs each is, what one of them counts for if it
    is started, and the names of those that wait.
    """

    vm: Vm
    gpus: int
    value: int
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """What a GPU holds: thousandths that stay held, and the VMs that may leave, as (kind, thousandths), ascending."""

    fixed: int
    residents: tuple[tuple[int, int], ...] = ()

    @property
    def free(self) -> int:
        """Thousandths that nobody holds."""
        return max(0, WHOLE - self.fixed - sum(size for _, size in self.residents))


EMPTY = Row(0)

MOST_LEAVINGS = 256
"""Sets of VMs that may leave one GPU at most; where there are more, its VMs count as staying."""


@dataclass(frozen=True)
class Sort:
    """Hosts of one make, whatever stands on them: which kinds they take, each as (thousandths of each of its GPUs, the
    amounts that it needs), what room they have when empty, and what VMs of each of the survey's kinds need.
    """

    host: Host
    takes: Mapping[int, tuple[int, tuple[int, ...]]]
    room: tuple[int, ...]
    amounts: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Alike:
    """Hosts that hold the same: their sort, the room that is left of each amount, how many GPUs of each row they have,
    the VMs that may leave and have no GPU, and those that have several GPUs to themselves, by kind.
    """

    hosts: tuple[str, ...]
    sort: Sort
    room: tuple[int, ...]
    rows: tuple[tuple[Row, int], ...]
    plain: tuple[tuple[int, int], ...]
    wide: tuple[tuple[int, int], ...]


class Inventory:
    """The kinds and hosts of a scene for one goal, `movable` VMs being those that may leave their hosts.

    `exact`: whether all that may leave or come is counted here, so that what is said of it bounds.
    """

    def __init__(
        self, scene: Scene, survey: Survey, rules: Sequence[Rule], goal: GpuMilli | Placed, movable: Collection[str]
    ) -> None:
        self.scene, self._survey, self.goal, self._movable = scene, survey, goal, movable
        self._rules = [rule for rule in rules if rule.by_host and not rule.soft and not isinstance(rule, GpuRule)]
        cluster = scene.cluster
        standing = [stand for stand in scene.stands() if stand.vm in movable]
        names = (*(stand.vm for stand in standing), *cluster.asked)
        self.number: dict[str, int] = {}
        self.kinds: list[Kind] = []
        self.exact = True
        self._kinds(names, standing)
        self._empty = Scene(cluster)
        self._ones = dict.fromkeys({survey.vm(name): name for name in cluster.vms}.values(), 0)
        sorts: dict[int, Sort] = {}
        groups: dict[Hashable, list[str]] = {}
        made: dict[Hashable, Alike] = {}
        for host in cluster.hosts.values():
            if host.state != "up":
                continue
            number = survey.host(host.name)
            if number not in sorts:
                sorts[number] = self._sort(host)
            one = self._alike(host, sorts[number])
            key = (number, one.room, one.rows, one.plain, one.wide)
            made.setdefault(key, one)
            groups.setdefault(key, []).append(host.name)
        self.groups = [
            Alike(tuple(hosts), made[key].sort, made[key].room, made[key].rows, made[key].plain, made[key].wide)
            for key, hosts in groups.items()
        ]

    def vm_kind(self, kind: int) -> int:
        """The survey's number of a kind."""
        return self._survey.vm(self.kinds[kind].vm.name)

    @property
    def plain(self) -> int:
        """How many VMs without GPUs there are that may come to a host."""
        return sum(many for kind, many in self._many.items() if not self.kinds[kind].gpus)

    def by_kind(self, worth: Mapping[str, float]) -> npt.NDArray[np.float64]:
        """What is said of VMs by name, by kind: the most that is said of one; nothing where none is named."""
        found = np.zeros(len(self.kinds))
        for name, value in worth.items():
            if name in self.number:
                found[self.number[name]] = max(found[self.number[name]], value)
        return found

    def most(self, kind: int) -> int:
        """How many VMs of a kind there are, on hosts or waiting."""
        return self._many[kind]

    def _kinds(self, names: Iterable[str], standing: Sequence[Stand]) -> None:
        cluster = self.scene.cluster
        numbers: dict[Hashable, int] = {}
        waiting: dict[int, list[str]] = {}
        values: list[int] = []
        for name in dict.fromkeys(names):
            vm = cluster.vms[name]
            if vm.gpus and simple(vm) is None:
                self.exact = False
                continue
            asked = name in cluster.asked
            value = self._value(vm, cluster.asked[name]) if asked else None
            key = self._survey.vm(name)
            number = numbers.setdefault(key, len(numbers))
            self.number[name] = number
            if value:
                waiting.setdefault(number, []).append(name)
            if number == len(self.kinds):
                one = simple(vm)
                self.kinds.append(Kind(vm, 0 if one is None else one[1], 0, ()))
                values.append(0)
            values[number] = max(values[number], value or 0)
        self._many = Counter(self.number.values())
        self.kinds = [
            Kind(kind.vm, kind.gpus, values[number], tuple(waiting.get(number, ())))
            for number, kind in enumerate(self.kinds)
        ]

    def _value(self, vm: Vm, priority: int) -> int:
        if isinstance(self.goal, GpuMilli):
            return milli_of(self.scene.cluster, vm)
        return int(self.goal.priority in (None, priority))

    def _sort(self, host: Host) -> Sort:
        """What hosts like this one take when they are empty."""
        room, amounts = _Conditions(self._empty, self._rules, self._ones, host.name, self._survey).amounts()
        takes = {
            number: (size, amounts[self._survey.vm(kind.vm.name)])
            for number, kind in enumerate(self.kinds)
            if self._survey.admits(kind.vm.name, host.name) and (size := self._size(kind, host)) is not None
        }
        return Sort(host, takes, room, amounts)

    def _size(self, kind: Kind, host: Host) -> int | None:
        """The least thousandths of a GPU of this host that one of a kind takes; None: it has no GPU for it."""
        if not kind.gpus:
            return 0
        (ask,) = kind.vm.wants
        uses = (
            use_for(self.scene.cluster, ask, kind.vm.needs, gpu, sharing)
            for gpu in host.gpus
            for sharing in gpu.sharings
        )
        size = min((use.share_milli for use in uses if use is not None), default=None)
        self.exact = self.exact and (size is None or size >= FINEST)  # what is smaller counts for more than it is
        return size

    def rows(self, host: str) -> dict[str, tuple[Row, list[str]]]:
        """The row of each GPU of a host, and the VMs that may leave it; a GPU of a VM that has several to itself is
        not named where that VM may leave.
        """
        scene, gpus = self.scene, self.scene.cluster.hosts[host].gpu
        found: dict[str, tuple[Row, list[str]]] = {}
        for name, gpu in gpus.items():
            fixed, residents, names = 0, [], []
            for stand, hold in scene.holders(host, name):
                use = use_of(scene.cluster, gpu, hold)
                share = WHOLE if use is None else use.share_milli
                number = self.number.get(stand.vm) if stand.vm in self._movable else None
                if number is None or (len(stand.holds) > 1 and not self._wide(scene.cluster.hosts[host], stand)):
                    fixed += share
                elif len(stand.holds) > 1:
                    break
                else:
                    residents.append((number, share))
                    names.append(stand.vm)
            else:
                found[name] = self._row(fixed, residents), names
        return found

    def _row(self, fixed: int, residents: Sequence[tuple[int, int]]) -> Row:
        if math.prod(many + 1 for many in Counter(residents).values()) > MOST_LEAVINGS:
            self.exact = False
            return Row(fixed + sum(size for _, size in residents))
        return Row(fixed, tuple(sorted(residents)))

    def _wide(self, host: Host, stand: Stand) -> bool:
        """Whether a VM has several GPUs, each to itself."""
        uses = [use_of(self.scene.cluster, host.gpu[hold.gpu], hold) for hold in stand.holds]
        return all(use is not None and use.share_milli == WHOLE for use in uses)

    def _alike(self, host: Host, sort: Sort) -> Alike:
        scene = self.scene
        room = list(sort.room)
        none = (0,) * len(room)
        plain, wide = Counter[int](), Counter[int]()
        for stand in scene.on(host.name):
            needs = sort.amounts.get(self._survey.vm(stand.vm), none)
            room = [left - need for left, need in zip(room, needs, strict=True)]
            number = self.number.get(stand.vm) if stand.vm in self._movable else None
            if number is not None and not stand.holds:
                plain[number] += 1
            elif number is not None and len(stand.holds) > 1 and self._wide(host, stand):
                wide[number] += 1
            elif number is not None and len(stand.holds) > 1:
                self.exact = False
        rows = Counter(row for row, _ in self.rows(host.name).values())
        return Alike(
            (host.name,),
            sort,
            tuple(max(0, left) for left in room),
            tuple(sorted(rows.items(), key=repr)),
            tuple(sorted(plain.items())),
            tuple(sorted(wide.items())),
        )


class _Conditions(CountBoard):
    """The conditions that rules post about one host with nobody on it."""

    def __init__(
        self, scene: Scene, rules: Sequence[Rule], asked: Mapping[str, int], host: str, survey: Survey
    ) -> None:
        self.posted: list[tuple[dict[int, int], int]] = []
        super().__init__(scene, rules, (), asked, (), [host], survey=survey)

    def at_most(self, terms: Iterable[Term], bound: int, *, eased: bool = True) -> None:
        if eased:
            factors, unknowns, constant = self.merged(terms)
            self.posted.append(({u.index: f for u, f in zip(unknowns, factors, strict=True)}, bound - constant))

    def amounts(self) -> tuple[tuple[int, ...], dict[int, tuple[int, ...]]]:
        """What is at most there of each amount, and what a VM of each of the survey's kinds takes of it."""
        kinds = {count.index: self.survey.vm(vms.names[0]) for vms, count in self.here(self.places[0])}
        sums = [(terms, bound) for terms, bound in self.posted if terms.keys() <= kinds.keys()]
        sums = [(terms, bound) for terms, bound in sums if min(terms.values(), default=0) >= 0]
        takes = {kind: tuple(terms.get(index, 0) for terms, _ in sums) for index, kind in kinds.items()}
        return tuple(bound for _, bound in sums), takes
