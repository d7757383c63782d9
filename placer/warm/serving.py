"""What each host can still serve of one mix of expected VMs, and what it can serve no more once a VM stands on it; kept
for hosts that have not changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from placer.warm.columns import Columns
from placer.warm.rows import Ints, Rows
from placer.warm.worth import Floats, Worth

FILLED = 0.1
"""Weight of what is filled."""

KEPT_WHOLE = 0.0004
"""What each free GPU of a host counts against it."""

MICRO = 1_000_000
"""Losses are whole millionths of a GPU, so that equal hosts are equal."""

MOST_KEPT = 256
"""Sizes of VMs whose losses on all hosts are remembered."""

AT_ONCE = 128
"""Of how many hosts more the loss is worked out in one go, those first that may lose least."""


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


class Serving:
    """`worth` is that of GPUs by the mix, `shapes` are its most frequent VMs, each with its part of all."""

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
        self._tightest: Ints = np.zeros(size, dtype=np.int64)
        """The price at which each host's GPUs are worth least."""
        self._kept: dict[Size, tuple[Ints, Ints]] = {}

    def lost(self, size: Size, hosts: Ints) -> Ints:
        """What is lost on these hosts if a VM of this size comes."""
        values, seen = self._of(size)
        now = self._columns.times
        stale = hosts[seen[hosts] != now[hosts]]
        if len(stale):
            values[stale] = self._lost(size, stale, self._seated(size, stale), np.arange(len(stale)))
            seen[stale] = now[stale]
        found: Ints = values[hosts]
        return found

    def least(self, size: Size, hosts: Ints) -> Ints:
        """The places among these hosts at which least is lost: only those are looked at that may be."""
        values, seen = self._of(size)
        now = self._columns.times
        known = seen[hosts] == now[hosts]
        stale = hosts[~known]
        best = int(values[hosts[known]].min()) if len(stale) < len(hosts) else None
        if len(stale):
            seated = self._seated(size, stale)
            at_least = self._at_least(size, stale, seated) if len(stale) > AT_ONCE else np.zeros(len(stale))
            order = at_least.argsort(kind="stable")
            for first in range(0, len(order), AT_ONCE):
                some = order[first : first + AT_ONCE]
                if best is not None and at_least[some[0]] > best:
                    break
                values[stale[some]] = lost = self._lost(size, stale, seated, some)
                seen[stale[some]] = now[stale[some]]
                best = int(lost.min()) if best is None else min(best, int(lost.min()))
        places: Ints = np.flatnonzero((seen[hosts] == now[hosts]) & (values[hosts] == best))
        return places

    def _of(self, size: Size) -> tuple[Ints, Ints]:
        """What is known of a size: the loss on each host, and when it was worked out."""
        if size not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            hosts = len(self._columns.hosts)
            self._kept[size] = np.zeros(hosts, dtype=np.int64), np.full(hosts, -1, dtype=np.int64)
        return self._kept[size]

    def lost_instead(self, size: Size, hosts: Ints, gpus: Ints, left: Ints) -> Ints:
        """What is lost on hosts whose GPUs (a row for each) are in these states, and whose CPUs and memory are left so,
        without another VM that stands there now, where one of this size comes.
        """
        self._refresh(hosts)
        seated = self._seated(size, hosts, gpus)
        worths = np.zeros((len(hosts), self._worths.shape[1]))
        further = np.zeros((len(hosts), self._further.shape[1]), dtype=np.int64)
        for states in gpus:
            worths += self.worth.worth[states]
            further += self.worth.further[states]
        return self._less(size, hosts, seated, worths, further, left)

    def _seated(self, size: Size, hosts: Ints, gpus: Ints | None = None) -> _Seated:
        """A VM of this size on the GPUs of each host (as they are, or in these states) where it is seated best."""
        self._refresh(hosts)
        states = self._columns.by_gpu[:, hosts] if gpus is None else gpus
        free = self._rows.free()[states]
        if size.item is None:
            return _Seated(states[:0], states[:0], free.sum(axis=0))
        costs, after = self._rows.best(size.item)
        on_each = 1024 * costs[states] + free  # of equals the fullest, as they are seated
        if size.gpus == 1:
            gpus = on_each.argmin(axis=0)[None]
        else:
            gpus = np.argpartition(on_each, size.gpus - 1, axis=0)[: size.gpus]
        old = states[gpus, np.arange(len(hosts))]
        self.worth.learn()
        return _Seated(old, after[old], free.sum(axis=0) - size.gpus * self._rows.share(size.item))

    def _at_least(self, size: Size, hosts: Ints, seated: _Seated) -> Ints:
        """What is lost at the least: what is lost of a host's worth at the price at which it is worth least now."""
        price, worth, left = self._tightest[hosts], self.worth.worth, self._left(hosts)
        taken = np.maximum(left, 0) - np.maximum(left - np.array((size.cpu_milli, size.memory_mib)), 0)
        lost = (taken * self._prices.T[price]).sum(axis=1)
        for old, new in zip(seated.old, seated.new, strict=True):
            lost += worth[old, price] - worth[new, price]
        found: Ints = np.floor(MICRO * (lost + KEPT_WHOLE / 1000 * seated.free)).astype(np.int64) - 1
        return found

    def _lost(self, size: Size, hosts: Ints, seated: _Seated, some: Ints) -> Ints:
        """What is lost on `some` of the hosts, by their places."""
        few = hosts[some]
        part = _Seated(seated.old[:, some], seated.new[:, some], seated.free[some])
        return self._less(size, few, part, self._worths[few], self._further[few], self._left(few))

    def _less(self, size: Size, hosts: Ints, seated: _Seated, worths: Floats, further: Ints, left: Ints) -> Ints:
        """By how much less hosts serve with a VM so seated than now, from what they are worth and take before it."""
        for old, new in zip(seated.old, seated.new, strict=True):
            worths += self.worth.worth[new] - self.worth.worth[old]
            further += self.worth.further[new] - self.worth.further[old]
        left = left - np.array((size.cpu_milli, size.memory_mib), dtype=np.int64)
        lost = self._served[hosts] - self._serves(worths, further, np.maximum(left, 0))[0]
        found: Ints = np.rint(MICRO * (lost + KEPT_WHOLE / 1000 * seated.free)).astype(np.int64)
        return found

    def _refresh(self, hosts: Ints) -> None:
        now = self._columns.times
        stale = hosts[self._seen[hosts] != now[hosts]]
        if len(stale):
            states = self._columns.gpus[stale]
            self.worth.learn()
            self._worths[stale] = self.worth.worth[states].sum(axis=1)
            self._further[stale] = self.worth.further[states].sum(axis=1)
            left = np.maximum(self._left(stale), 0)
            self._served[stale], self._tightest[stale] = self._serves(self._worths[stale], self._further[stale], left)
            self._seen[stale] = now[stale]

    def _left(self, hosts: Ints) -> Ints:
        """The free CPUs (thousandths) and MiB of memory of each host."""
        return self._columns.most[hosts] - self._columns.given[hosts]

    def _serves(self, worths: Floats, further: Ints, left: Ints) -> tuple[Floats, Ints]:
        """The GPUs that hosts can still serve, by what is left of them, and the price at which their GPUs are worth
        least.
        """
        at_prices = worths + left @ self._prices
        tightest = at_prices.argmin(axis=1)
        times = further[:, self._place] * self._per_count
        for free, per in ((left[:, :1], self._per_cpu), (left[:, 1:], self._per_memory)):
            np.minimum(times, free * per, out=times)
        worth = at_prices[np.arange(len(worths)), tightest]
        served: Floats = worth + np.floor(times, out=times) @ self._weight
        return served, tightest
