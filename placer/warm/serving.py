"""What each host can still serve of one mix of expected VMs, and what it can serve no more once a VM stands on it; kept
for hosts that have not changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from placer.warm.columns import Bools, Columns
from placer.warm.rows import Rows
from placer.warm.sights import MOST_KEPT
from placer.warm.states import Ints
from placer.warm.worth import Floats, Worth

FILLED = 0.1
"""Weight of what is filled."""

KEPT_WHOLE = 0.0004
"""What each free GPU of a host counts against it."""

MICRO = 1_000_000
"""Losses are whole millionths of a GPU, so that equal hosts are equal."""

AT_FIRST = 16
"""Of how many hosts the loss is worked out at once, those that may lose least; then of those that may lose no more."""


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


class _Losses:
    """What VMs of one size would lose on each host, at the least; where it is `exact`, just so much."""

    def __init__(self, hosts: int, size: Size) -> None:
        self.values: Ints = np.zeros(hosts, dtype=np.int64)
        self.exact: Bools = np.zeros(hosts, dtype=np.bool_)
        self._seen: Ints = np.full(hosts, -1, dtype=np.int64)

    def forget(self, hosts: Ints, times: Ints) -> Ints:
        """Those of some hosts that have changed since they were seen, of which nothing is known now."""
        stale: Ints = hosts[self._seen[hosts] != times[hosts]]
        self.exact[stale] = False
        self._seen[stale] = times[stale]
        return stale


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
        per_cpu = np.array([just / max(1, shape.cpu_milli) for shape, _ in shapes])
        per_memory = np.array([just / max(1, shape.memory_mib) for shape, _ in shapes])
        none = np.zeros(len(shapes))
        self._prices: Floats = np.array([worth.cpu_price, worth.memory_price])
        self._per_each: Floats = np.concatenate([self._prices, [per_cpu, none], [none, per_memory]], axis=1)
        """By which CPUs (a row) and memory (a row) are multiplied: what they are worth at each price, and how many of
        each shape the CPUs are enough for, and the memory.
        """
        worth.learn()
        self._seen: Ints = np.full(size, -1, dtype=np.int64)
        self._rest: Floats = np.zeros((size, worth.rest.shape[1]))
        """What is left of each host's GPUs together, as the worth counts it."""
        self._free: Ints = np.zeros(size, dtype=np.int64)
        self._served: Floats = np.zeros(size)
        self._tightest: Ints = np.zeros(size, dtype=np.int64)
        """The price at which each host's GPUs are worth least."""
        self._losses = lru_cache(MOST_KEPT)(partial(_Losses, size))

    def lost(self, size: Size, hosts: Ints, gpus: Ints) -> Ints:
        """What is lost on these hosts if a VM of this size comes to these GPUs of theirs (a row for each item, of all
        hosts).
        """
        losses = self._losses(size)
        losses.forget(hosts, self._columns.times)
        self._work_out(size, losses, hosts[~losses.exact[hosts]], gpus)
        found: Ints = losses.values[hosts]
        return found

    def least(self, size: Size, hosts: Ints, gpus: Ints) -> Ints:
        """The places among these hosts at which least is lost: only those are looked at that may be."""
        losses = self._losses(size)
        stale = losses.forget(hosts, self._columns.times)
        if len(stale) > AT_FIRST:
            losses.values[stale] = self._at_least(size, stale, self._seated(size, stale, gpus))
        else:
            self._work_out(size, losses, stale, gpus)
        values, exact = losses.values[hosts], losses.exact[hosts]
        if not exact.any():
            some = hosts[values.argpartition(AT_FIRST)[:AT_FIRST]] if len(hosts) > AT_FIRST else hosts
            self._work_out(size, losses, some, gpus)
            values, exact = losses.values[hosts], losses.exact[hosts]
        maybe = hosts[~exact & (values <= np.minimum.reduce(values[exact]))]
        if len(maybe):
            self._work_out(size, losses, maybe, gpus)
            values = losses.values[hosts]
        found: Ints = (values == np.minimum.reduce(values)).nonzero()[0]
        return found

    def _work_out(self, size: Size, losses: _Losses, hosts: Ints, gpus: Ints) -> None:
        """Find exactly what is lost on some hosts."""
        if len(hosts):
            losses.values[hosts] = self._lost(size, hosts, self._seated(size, hosts, gpus))
            losses.exact[hosts] = True

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
        return self._turned(size, self._columns.by_gpu[gpus[:, hosts], hosts], self._free[hosts])

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
        prices, shapes = self.worth.at, len(self._place)
        enough = np.maximum(left, 0.0) @ self._per_each
        at_prices: Floats = rest[:, :prices] + enough[:, :prices]
        times = rest.take(self._place, axis=1)
        times *= self._per_count
        np.minimum(times, enough[:, prices : prices + shapes], out=times)
        np.minimum(times, enough[:, prices + shapes :], out=times)
        served: Floats = np.minimum.reduce(at_prices, axis=1) + np.floor(times, out=times) @ self._weight
        return served, at_prices
