"""What each host can still serve of one mix of expected VMs, and what it can serve no more once a VM stands on it; kept
for hosts that have not changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from placer.warm.columns import Columns
from placer.warm.rows import Rows
from placer.warm.states import Ints
from placer.warm.worth import Floats, Worth

FILLED = 0.1
"""Weight of what is filled."""

KEPT_WHOLE = 0.0004
"""What each free GPU of a host counts against it."""

MICRO = 1_000_000
"""Losses are whole millionths of a GPU, so that equal hosts are equal."""

MOST_KEPT = 256
"""Sizes of VMs whose losses on all hosts are remembered."""

AT_FIRST = 16
"""Of how many hosts the loss is worked out first, those that may lose least; then of all that may lose no more."""


class Shape(NamedTuple):
    """What a VM asks for of one item (its number in the rows), and all that it takes of its host's CPUs and memory."""

    item: int
    amount: int
    cpu_milli: int
    memory_mib: int


class Size(NamedTuple):
    """A VM's size: so many of one item (None: it asks for no GPU), each on another GPU, CPUs and memory."""

    item: int | None
    gpus: int
    cpu_milli: int
    memory_mib: int


@dataclass(frozen=True)
class _Seated:
    """A VM on some hosts: the states that the GPUs which it takes were and are in (a row for each), and how much of a
    host's GPUs is free then, in thousandths.
    """

    old: Ints
    new: Ints
    free: Ints

    def at(self, places: Ints) -> _Seated:
        """The same on some of the hosts."""
        return _Seated(self.old[:, places], self.new[:, places], self.free[places])


class Serving:
    """`worth` is that of GPUs by the mix, `shapes` are its most frequent VMs, each with its part of all."""

    def __init__(self, rows: Rows, columns: Columns, worth: Worth, shapes: Sequence[tuple[Shape, float]]) -> None:
        self._rows, self._columns, self.worth = rows, columns, worth
        size, items = len(columns.hosts), worth.expected.items
        shapes = [(shape, part) for shape, part in shapes if shape.item in items]
        places = [items.index(shape.item) for shape, _ in shapes]
        self._place = worth.at + np.array(places, dtype=np.int64)
        """In which column of the worth's rest each shape's item is counted."""
        just = 1 + 1e-12  # so that what fits exactly is not rounded off
        self._per_count = np.array([just / shape.amount for shape, _ in shapes])
        unit = [worth.unit[place] for place in places]
        self._weight = np.array([FILLED * part * shape.amount for shape, part in shapes]) * np.array(unit) / 1000
        self._per_cpu = np.array([just / max(1, shape.cpu_milli) for shape, _ in shapes])
        self._per_memory = np.array([just / max(1, shape.memory_mib) for shape, _ in shapes])
        self._prices: Floats = np.array([worth.cpu_price, worth.memory_price])
        worth.learn()
        self._seen: Ints = np.full(size, -1, dtype=np.int64)
        self._rest: Floats = np.zeros((size, worth.rest.shape[1]))
        """What is left of each host's GPUs together, as the worth counts it."""
        self._free: Ints = np.zeros(size, dtype=np.int64)
        self._served: Floats = np.zeros(size)
        self._tightest: Ints = np.zeros(size, dtype=np.int64)
        """The price at which each host's GPUs are worth least."""
        self._kept: dict[Size, tuple[Ints, Ints]] = {}

    def lost(self, size: Size, hosts: Ints, gpus: Ints) -> Ints:
        """What is lost on these hosts if a VM of this size comes to these of their GPUs (a row for each item)."""
        values, seen = self._of(size)
        now = self._columns.times[hosts]
        stale: Ints = np.flatnonzero(seen[hosts] != now)
        if len(stale):
            some = hosts[stale]
            values[some] = self._lost(size, some, self._seated(size, some, gpus[:, stale]))
            seen[some] = now[stale]
        found: Ints = values[hosts]
        return found

    def least(self, size: Size, hosts: Ints, gpus: Ints) -> Ints:
        """The places among these hosts at which least is lost: only those are looked at that may be."""
        values, seen = self._of(size)
        now = self._columns.times[hosts]
        known = seen[hosts] == now
        best = int(values[hosts[known]].min()) if known.any() else None
        stale: Ints = np.flatnonzero(~known)
        if len(stale):
            seated = self._seated(size, hosts[stale], gpus[:, stale])
            at_least = self._at_least(size, hosts[stale], seated)
            order = at_least.argsort(kind="stable")
            for places in (order[:AT_FIRST], order[AT_FIRST:]):
                if best is not None:
                    places = places[: np.searchsorted(at_least[places], best, side="right")]
                if len(places):
                    some = hosts[stale[places]]
                    values[some] = lost = self._lost(size, some, seated.at(places))
                    seen[some] = now[stale[places]]
                    best = int(lost.min()) if best is None else min(best, int(lost.min()))
        found: Ints = np.flatnonzero((seen[hosts] == now) & (values[hosts] == best))
        return found

    def _of(self, size: Size) -> tuple[Ints, Ints]:
        """What is known of a size: the loss on each host, and when it was worked out."""
        if size not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            hosts = len(self._columns.hosts)
            self._kept[size] = np.zeros(hosts, dtype=np.int64), np.full(hosts, -1, dtype=np.int64)
        return self._kept[size]

    def lost_instead(self, size: Size, hosts: Ints, gpus: Ints, left: Ints) -> Ints:
        """What is lost on hosts whose GPUs (a row for each) are in these states, and whose CPUs and memory (a row for
        each host) are left so, without another VM that stands there now, where one of this size comes.
        """
        self._refresh(hosts)
        free = self._rows.free()[gpus].sum(axis=0)
        if size.item is None:
            seated = _Seated(gpus[:0], gpus[:0], free)
        else:
            chosen = self._rows.spread(size.item, size.gpus, gpus)[1]
            seated = self._turned(size, gpus[chosen, np.arange(len(hosts))], free)
        rest = np.zeros((len(hosts), self._rest.shape[1]))
        for states in gpus:
            rest += self.worth.rest[states]
        return self._less(size, hosts, seated, rest, left)

    def _seated(self, size: Size, hosts: Ints, gpus: Ints) -> _Seated:
        """A VM of this size on these GPUs of each host."""
        self._refresh(hosts)
        return self._turned(size, self._columns.by_gpu[gpus, hosts], self._free[hosts])

    def _turned(self, size: Size, old: Ints, free: Ints) -> _Seated:
        """A VM of this size on GPUs that are in these states now, of hosts of which so much is free."""
        if size.item is None:
            return _Seated(old, old, free)
        after = self._rows.best(size.item)[1]
        self.worth.learn()
        return _Seated(old, after[old], free - size.gpus * self._rows.share(size.item))

    def _at_least(self, size: Size, hosts: Ints, seated: _Seated) -> Ints:
        """What is lost at the least: what is lost of a host's worth at the price at which it is worth least now."""
        price, rest = self._tightest[hosts], self.worth.rest
        cpu_milli, memory_mib = np.maximum(self._columns.left[:, hosts], 0)
        lost = np.minimum(cpu_milli, size.cpu_milli) * self._prices[0, price]
        lost += np.minimum(memory_mib, size.memory_mib) * self._prices[1, price]
        for old, new in zip(seated.old, seated.new, strict=True):
            lost += rest[old, price] - rest[new, price]
        found: Ints = np.floor(MICRO * (lost + KEPT_WHOLE / 1000 * seated.free)).astype(np.int64) - 1
        return found

    def _lost(self, size: Size, hosts: Ints, seated: _Seated) -> Ints:
        """What is lost on these hosts."""
        return self._less(size, hosts, seated, self._rest[hosts], self._columns.left[:, hosts].T)

    def _less(self, size: Size, hosts: Ints, seated: _Seated, rest: Floats, left: Ints) -> Ints:
        """By how much less hosts serve with a VM so seated than now, from what is left of them before it comes."""
        for old, new in zip(seated.old, seated.new, strict=True):
            rest += self.worth.rest[new] - self.worth.rest[old]
        left = left - np.array((size.cpu_milli, size.memory_mib))
        lost = self._served[hosts] - self._serves(rest, left)[0]
        found: Ints = np.rint(MICRO * (lost + KEPT_WHOLE / 1000 * seated.free)).astype(np.int64)
        return found

    def _refresh(self, hosts: Ints) -> None:
        now = self._columns.times
        stale = hosts[self._seen[hosts] != now[hosts]]
        if len(stale):
            states = self._columns.gpus[stale]
            self.worth.learn()
            self._rest[stale] = rest = self.worth.rest[states].sum(axis=1)
            self._free[stale] = self._rows.free()[states].sum(axis=1)
            self._served[stale], at_prices = self._serves(rest, self._columns.left[:, stale].T)
            self._tightest[stale] = at_prices.argmin(axis=1)
            self._seen[stale] = now[stale]

    def _serves(self, rest: Floats, left: Ints) -> tuple[Floats, Floats]:
        """The GPUs that hosts can still serve, by what is left of them, and what their GPUs are worth at each price."""
        free = np.maximum(left, 0.0)
        at_prices: Floats = rest[:, : self.worth.at] + free @ self._prices
        times = rest.take(self._place, axis=1)
        times *= self._per_count
        np.minimum(times, free[:, :1] * self._per_cpu, out=times)
        np.minimum(times, free[:, 1:] * self._per_memory, out=times)
        served: Floats = at_prices.min(axis=1) + np.floor(times, out=times) @ self._weight
        return served, at_prices
