"""Looking ahead: how much less of what is expected to be asked for a host can serve once a VM stands on it.

What a host can still serve is counted in GPUs, from its free CPUs, its memory and the states of its GPUs together:

- *worth*: the best that all expected items could make of its GPUs, each at its price, as far as its CPUs and memory go
  (the least over prices of CPUs and memory: the Lagrangian bound of filling the host);
- *filled*: the mean, over the expected VMs, of what as many as possible of one alone would use. It is FGD's fragment
  seen to the end, and keeps CPUs and memory beside GPUs where no price says that they are scarce.

A VM goes where worth + `FILLED` x filled falls least; of nearly equal hosts to the fuller one, so that others stay
whole.

Sources: Weng et al., "Beware of Fragmentation", USENIX ATC 2023 (the fragment); Talluri and van Ryzin, "An Analysis of
Bid-Price Controls for Network Revenue Management", 1998 (prices from a linear program).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from placer.warm.columns import Columns
from placer.warm.rows import Ints, Item, Rows
from placer.warm.worth import Expected, Floats, Worth
from placer_models.cluster import Vm
from placer_models.goals.stranded import item_of

FILLED = 0.1
"""Weight of what is filled."""

KEPT_WHOLE = 0.0004
"""What each free GPU of a host counts against it."""

COVER = 0.95
"""What is filled looks at the most frequent VMs that are so much of all (as FGD does) ..."""

MOST_SHAPES, MOST_ITEMS = 64, 48
"""... but at no more than so many different ones, and prices at so many different items."""

RENEWED = 8
"""Prices are found anew when one in so many of the VMs by which they were found has changed."""

MICRO = 1_000_000
"""Losses are whole millionths of a GPU, so that equal hosts are equal."""

MOST_KEPT = 256
"""Sizes of VMs whose losses on all hosts are remembered."""


class Shape(NamedTuple):
    """What a VM asks for of one item (its number in the rows), and all that it takes of its host's CPUs and memory."""

    item: int
    amount: int
    cpu_milli: int
    memory_mib: int


class Ahead:
    """The expected VMs, and what each host can still serve of them. It `chooses_seats` where no goal does: then those
    whose GPUs keep most of their worth.
    """

    def __init__(self, rows: Rows, columns: Columns, *, chooses_seats: bool) -> None:
        self._rows, self._columns, self._chooses_seats = rows, columns, chooses_seats
        self._counts: Counter[Shape] = Counter()
        self._changed: Counter[Shape] = Counter()
        """By how much the counts differ from those by which the prices were found."""
        self._drift = self._priced = 0
        self._hosts: _Hosts | None = None

    # what is expected

    def expect(self, item: Item, times: int) -> None:
        """Reckon with an item so many times more, of which no more is known."""
        self._count(Shape(self._rows.item(item), 1, 0, 0), times)

    def learn(self, vm: Vm, times: int) -> None:
        """Reckon with VMs like this so many times more."""
        amounts: dict[int, int] = {}
        for ask in vm.wants:
            item = self._rows.item(item_of(ask, vm))
            amounts[item] = amounts.get(item, 0) + ask.count
        for item, amount in amounts.items():
            self._count(Shape(item, amount, vm.cpu_milli, vm.memory_mib), times)

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
                self._hosts = _Hosts(self._rows, self._columns, worth, _frequent(counts))
            if self._chooses_seats:
                self._rows.values = None if self._hosts is None else self._hosts.worth.values
                self._rows.changes += 1
        return self._hosts is not None

    def lost(self, vm: Vm, item: int | None, count: int, hosts: Ints) -> Ints:
        """What is lost on each of these hosts, all of which have room for a VM that asks for so many of one item, each
        on another GPU. Nothing is lost where nothing is expected.
        """
        if not self.ready() or self._hosts is None:
            return np.zeros(len(hosts), dtype=np.int64)
        return self._hosts.lost((item, count, vm.cpu_milli, vm.memory_mib), hosts)


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


class _Hosts:
    """What each host can still serve of one mix; kept for hosts that have not changed."""

    def __init__(self, rows: Rows, columns: Columns, worth: Worth, shapes: Sequence[tuple[Shape, float]]) -> None:
        self._rows, self._columns, self.worth = rows, columns, worth
        size, items = len(columns.hosts), worth.expected.items
        shapes = [(shape, part) for shape, part in shapes if shape.item in items]
        self._place = np.array([items.index(shape.item) for shape, _ in shapes], dtype=np.int64)
        just = 1 + 1e-12  # so that what fits exactly is not rounded off
        self._per_count = np.array([just / shape.amount for shape, _ in shapes])
        unit = [worth.unit[place] for place in self._place]
        self._weight = np.array([FILLED * part * shape.amount for shape, part in shapes]) * np.array(unit) / 1000
        self._per_cpu = np.array([just / max(1, shape.cpu_milli) for shape, _ in shapes])
        self._per_memory = np.array([just / max(1, shape.memory_mib) for shape, _ in shapes])
        self._prices: Floats = np.array([worth.cpu_price, worth.memory_price])
        worth.learn()
        self._seen: Ints = np.full(size, -1, dtype=np.int64)
        self._worths: Floats = np.zeros((size, len(worth.cpu_price)))
        self._further: Ints = np.zeros((size, len(items)), dtype=np.int64)
        self._served: Floats = np.zeros(size)
        self._kept: dict[tuple[int | None, int, int, int], tuple[Ints, Ints]] = {}

    def lost(self, size: tuple[int | None, int, int, int], hosts: Ints) -> Ints:
        """What is lost on these hosts if a VM of this size (item, count, CPUs, memory) comes."""
        now = self._columns.times
        if size not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[size] = np.zeros(len(now), dtype=np.int64), np.full(len(now), -1, dtype=np.int64)
        values, seen = self._kept[size]
        stale = hosts[seen[hosts] != now[hosts]]
        if len(stale):
            values[stale] = self._with(size, stale)
            seen[stale] = now[stale]
        found: Ints = values[hosts]
        return found

    def _with(self, size: tuple[int | None, int, int, int], hosts: Ints) -> Ints:
        item, count, cpu_milli, memory_mib = size
        self._refresh(hosts)
        states = self._columns.gpus[hosts]
        worths, further, taken = self._worths[hosts], self._further[hosts], 0
        if item is not None:
            costs, after = self._rows.best(item)
            self.worth.learn()
            on_each = 1024 * costs[states] + self._rows.free()[states]  # of equals the fullest, as they are seated
            gpus = on_each.argmin(axis=1)[:, None]
            if count > 1:
                gpus = np.argpartition(on_each, count - 1, axis=1)[:, :count]
            old = np.take_along_axis(states, gpus, axis=1)
            new = after[old]
            worths += (self.worth.worth[new] - self.worth.worth[old]).sum(axis=1)
            further += (self.worth.further[new] - self.worth.further[old]).sum(axis=1)
            taken = count * self._rows.share(item)
        left = self._left(hosts) - np.array((cpu_milli, memory_mib), dtype=np.int64)
        lost = self._served[hosts] - self._serves(worths, further, left)
        free = (self._rows.free()[states].sum(axis=1) - taken) / 1000
        found: Ints = np.rint(MICRO * (lost + KEPT_WHOLE * free)).astype(np.int64)
        return found

    def _refresh(self, hosts: Ints) -> None:
        now = self._columns.times
        stale = hosts[self._seen[hosts] != now[hosts]]
        if len(stale):
            states = self._columns.gpus[stale]
            self.worth.learn()
            self._worths[stale] = self.worth.worth[states].sum(axis=1)
            self._further[stale] = self.worth.further[states].sum(axis=1)
            self._served[stale] = self._serves(self._worths[stale], self._further[stale], self._left(stale))
            self._seen[stale] = now[stale]

    def _left(self, hosts: Ints) -> Ints:
        """The free CPUs (thousandths) and MiB of memory of each host."""
        return self._columns.most[hosts] - self._columns.given[hosts]

    def _serves(self, worths: Floats, further: Ints, left: Ints) -> Floats:
        """The GPUs that hosts can still serve, by what is left of them."""
        left = np.maximum(left, 0)
        worth = (worths + left @ self._prices).min(axis=1)
        times = further[:, self._place] * self._per_count
        for free, per in ((left[:, :1], self._per_cpu), (left[:, 1:], self._per_memory)):
            np.minimum(times, free * per, out=times)
        found: Floats = worth + np.floor(times, out=times) @ self._weight
        return found
