"""Looking ahead: how much less of what is expected to be asked for a host can serve once a VM stands on it.

What a host can still serve is counted in GPUs, from its free CPUs, its memory and the states of its GPUs together:

- *worth*: the best that all expected items could make of its GPUs, each at its price, as far as its CPUs and memory go
  (the least over prices of CPUs and memory: the Lagrangian bound of filling the host);
- *filled*: the mean, over the expected VMs, of what as many as possible of one alone would use. It is FGD's fragment
  seen to the end, and keeps CPUs and memory beside GPUs where no price says that they are scarce.

A VM goes where worth + `FILLED` x filled (`placer.warm.serving`) falls least; of nearly equal hosts to the fuller one,
so that others stay whole.

Sources: Weng et al., "Beware of Fragmentation", USENIX ATC 2023 (the fragment); Talluri and van Ryzin, "An Analysis of
Bid-Price Controls for Network Revenue Management", 1998 (prices from a linear program).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from placer.warm.columns import Columns
from placer.warm.rows import Rows
from placer.warm.serving import Serving, Shape, Size
from placer.warm.states import Ints, Item
from placer.warm.worth import Expected, Worth
from placer_models.cluster import Ask, Vm
from placer_models.goals.stranded import item_of

COVER = 0.95
"""What is filled looks at the most frequent VMs that are so much of all (as FGD does) ..."""

MOST_SHAPES, MOST_ITEMS = 64, 48
"""... but at no more than so many different ones, and prices at so many different items."""

RENEWED = 8
"""Prices are found anew when one in so many of the VMs by which they were found has changed."""


class Ahead:
    """The expected VMs, and what each host can still serve of them. It `chooses_seats` where no goal does: then those
    whose GPUs keep most of their worth.
    """

    def __init__(self, rows: Rows, columns: Columns, *, chooses_seats: bool) -> None:
        self._rows, self._columns, self._chooses_seats = rows, columns, chooses_seats
        self._asked: dict[tuple[tuple[Ask, ...], bool, int, int], Sequence[Shape]] = {}
        self._counts: Counter[Shape] = Counter()
        self._changed: Counter[Shape] = Counter()
        """By how much the counts differ from those by which the prices were found."""
        self._drift = self._priced = 0
        self._hosts: Serving | None = None

    # what is expected

    def expect(self, item: Item, times: int) -> None:
        """Reckon with an item so many times more, of which no more is known."""
        self._count(Shape(self._rows.item(item), 1, 0, 0), times)

    def learn(self, vm: Vm, times: int) -> None:
        """Reckon with VMs like this so many times more."""
        for shape in self._shapes(vm):
            self._count(shape, times)

    def _shapes(self, vm: Vm) -> Sequence[Shape]:
        """The shape of each item that a VM asks for; VMs that are alike are looked at once."""
        alike = vm.wants, vm.needs.cuda, vm.cpu_milli, vm.memory_mib
        if alike not in self._asked:
            amounts: Counter[int] = Counter()
            for ask in vm.wants:
                amounts[self._rows.item(item_of(ask, vm))] += ask.count
            self._asked[alike] = [Shape(*one, vm.cpu_milli, vm.memory_mib) for one in amounts.items()]
        return self._asked[alike]

    def _count(self, shape: Shape, times: int) -> None:
        self._counts[shape] += times
        was = self._changed[shape]
        self._changed[shape] += times
        self._drift += abs(was + times) - abs(was)

    def ready(self) -> bool:
        """Whether anything is expected. Prices are found anew where what is has changed enough."""
        if self._drift * RENEWED > self._priced:
            able = {item for item in {shape.item for shape in self._counts} if self._rows.share(item)}
            counts = [(shape, times) for shape, times in self._counts.items() if times > 0 and shape.item in able]
            self._changed.clear()
            self._drift, self._priced = 0, sum(times for _, times in counts)
            self._hosts = None
            if counts:
                worth = Worth(self._rows, _expected(counts))
                self._hosts = Serving(self._rows, self._columns, worth, _frequent(counts))
            if self._chooses_seats:
                self._rows.values = None if self._hosts is None else self._hosts.worth.values
                self._rows.changes += 1
        return self._hosts is not None

    def look(self, vm: Vm, one: tuple[int | None, int], hosts: Ints, gpus: Ints) -> Look:
        """What is lost on these hosts, all of which have room for a VM that asks for so many of one item, each on
        another of these GPUs (a row for each, of all hosts). Nothing is lost where nothing is expected.
        """
        self.ready()
        return Look(self._hosts, Size(*one, vm.cpu_milli, vm.memory_mib), hosts, gpus)

    def lost_instead(self, vm: Vm, one: tuple[int | None, int] | None, hosts: Ints, gpus: Ints, left: Ints) -> Ints:
        """The same where the hosts' GPUs, CPUs and memory are left so by who makes room for the VM."""
        if not self.ready() or self._hosts is None or one is None or not len(hosts):
            return np.zeros(len(hosts), dtype=np.int64)
        return self._hosts.lost_instead(Size(*one, vm.cpu_milli, vm.memory_mib), hosts, gpus, left)


def _expected(counts: Sequence[tuple[Shape, int]]) -> Expected:
    """The items that are asked for most, with what comes with one of each in the mean."""
    demand: Counter[int] = Counter()
    cpu: Counter[int] = Counter()
    memory: Counter[int] = Counter()
    for shape, times in counts:
        demand[shape.item] += times * shape.amount
        cpu[shape.item] += times * shape.cpu_milli
        memory[shape.item] += times * shape.memory_mib
    items = sorted(sorted(demand, key=lambda item: -demand[item])[:MOST_ITEMS])
    return Expected(
        tuple(items),
        tuple(demand[item] for item in items),
        tuple(cpu[item] / demand[item] for item in items),
        tuple(memory[item] / demand[item] for item in items),
    )


def _frequent(counts: Sequence[tuple[Shape, int]]) -> list[tuple[Shape, float]]:
    """The most frequent shapes, each with its part of all."""
    total = sum(times for _, times in counts)
    left, found = COVER * total, []
    for shape, times in sorted(counts, key=lambda one: -one[1])[:MOST_SHAPES]:
        if left <= 0:
            break
        found.append((shape, times / total))
        left -= times
    return found


class Look:
    """What a VM of one size would lose on some hosts, which are called by their places (`placer.warm.order.Look`)."""

    def __init__(self, serving: Serving | None, size: Size, hosts: Ints, gpus: Ints) -> None:
        self._serving, self._size, self._hosts, self._gpus = serving, size, hosts, gpus

    def lost(self, some: Ints) -> Ints:
        """On each of them."""
        if self._serving is None:
            return np.zeros(len(some), dtype=np.int64)
        return self._serving.lost(self._size, self._hosts[some], self._gpus)

    def least(self, some: Ints) -> Ints:
        """Those of them on which least is lost."""
        if self._serving is None:
            return some
        found: Ints = some[self._serving.least(self._size, self._hosts[some], self._gpus)]
        return found
