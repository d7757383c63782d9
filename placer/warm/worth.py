"""What the rest of a GPU is worth to what is expected: for each state that a GPU may be in, the best that the expected
items could make of it, at several prices of the host's CPUs and memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from placer.warm.rows import Rows
from placer.warm.states import Ints

Floats = npt.NDArray[np.float64]
MOST_STATES = 3000
"""GPUs that can be in more states than that (vGPUs of many sizes on one GPU) are worth what is free of them."""

GRID = (0.0, *(0.03 * 2**step for step in range(8)))
"""Prices of all CPUs (or all memory) that a GPU's worth of expected VMs takes, in GPUs."""

FINE = 10_000
"""Worths are whole numbers of ten-thousandths of a GPU where seats are compared."""


@dataclass(frozen=True)
class Expected:
    """The items that are expected (by their numbers in the rows): how often each is asked for, and the CPUs (in
    thousandths) and MiB of memory that come with one.
    """

    items: tuple[int, ...]
    demand: tuple[int, ...]
    cpu_milli: tuple[float, ...]
    memory_mib: tuple[float, ...]


@dataclass
class _Kind:
    """The states of GPUs of one kind, each with its turns (place of the item, next state) and what it leaves free."""

    root: int
    turns: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    rough: bool = False


class Worth:
    """What is left in each state, in the columns of `rest`: its worth at each of `at` pairs of prices (`cpu_price` of a
    thousandth of a CPU, `memory_price` of a MiB; one of them is 0), then how many more of each expected item it can
    take.
    """

    def __init__(self, rows: Rows, expected: Expected) -> None:
        self._rows, self.expected = rows, expected
        self._kinds: dict[int, _Kind] = {}
        self._prices: dict[int, Sequence[float]] = {}
        self._solved: dict[object, list[float] | None] = {}
        self.unit = [0] * len(expected.items)
        """Thousandths of a GPU that one item takes."""
        size = max(1, len(rows.states))
        self._known = np.zeros(size, dtype=np.bool_)
        self._known[0] = True
        self._learnt = 0
        self._size_prices()
        self.at = len(self.cpu_price)
        self.rest: Floats = np.zeros((size, self.at + len(expected.items)))
        self._values: Ints = np.zeros(size, dtype=np.int64)

    def _size_prices(self) -> None:
        """Prices are in proportion to what a GPU's worth of what is expected takes."""
        gpus = 0.0
        for place, item in enumerate(self.expected.items):
            self.unit[place] = self._rows.share(item)
            gpus += self.expected.demand[place] * self.unit[place] / 1000
        grid = np.array(GRID)
        prices = []
        for each in (self.expected.cpu_milli, self.expected.memory_mib):
            taken = sum(demand * one for demand, one in zip(self.expected.demand, each, strict=True))
            prices.append(grid * gpus / taken if taken else np.zeros(len(grid)))
        none = np.zeros(len(grid))
        self.cpu_price: Floats = np.concatenate([prices[0], none])
        self.memory_price: Floats = np.concatenate([none, prices[1]])
        cpu, memory = (np.array(one)[:, None] for one in (self.expected.cpu_milli, self.expected.memory_mib))
        self._cost: Floats = cpu * self.cpu_price + memory * self.memory_price

    def values(self) -> Ints:
        """By which seats are compared: what each state is worth; of equals an empty GPU is worth a little more than a
        used one, and one with much left more than two with a little each.
        """
        self.learn()
        return self._values

    def learn(self) -> None:
        """Work out what is not known yet of the rows' states."""
        if len(self._rows.states) == self._learnt:
            return
        self._grow()
        while not self._known.all():
            by_kind: dict[int, list[int]] = {}
            for number in np.flatnonzero(~self._known).tolist():
                by_kind.setdefault(self._rows.empty(number), []).append(number)
            for root, some in by_kind.items():
                kind = self._kinds.setdefault(root, _Kind(root))
                self._explore(kind, [root])
                self._price(kind)
                self._explore(kind, some)
                self._grow()
                self._fill(kind, some)
        self._learnt = len(self._known)

    def _grow(self) -> None:
        more = len(self._rows.states) - len(self._known)
        if more > 0:
            self._known = np.concatenate([self._known, np.zeros(more, dtype=np.bool_)])
        more = 2 * len(self._known) - len(self.rest)
        if more > len(self._known):  # seldom, for all of it is copied
            self.rest = np.concatenate([self.rest, np.zeros((more, self.rest.shape[1]))])
            self._values = np.concatenate([self._values, np.zeros(more, dtype=np.int64)])

    def _explore(self, kind: _Kind, states: Sequence[int]) -> None:
        """Find the states that the expected items lead to, if they are not too many."""
        waiting = [number for number in states if number not in kind.turns]
        while waiting and not kind.rough:
            number = waiting.pop()
            if number in kind.turns:
                continue
            kind.turns[number] = [
                (place, turn.state)
                for place, item in enumerate(self.expected.items)
                for turn in self._rows.turns(item, number)
            ]
            waiting.extend(after for _, after in kind.turns[number] if after not in kind.turns)
            kind.rough = len(kind.turns) > MOST_STATES

    def _price(self, kind: _Kind) -> None:
        """The items' prices on GPUs of one kind. Kinds that can be filled in the same ways share them."""
        if kind.root in self._prices or kind.rough:
            return
        places = {number: at for at, number in enumerate(kind.turns)}
        arcs = tuple((places[s], place, places[t]) for s, turns in kind.turns.items() for place, t in turns)
        able = {place for _, place, _ in arcs}
        demand = tuple(asked if at in able else 0 for at, asked in enumerate(self.expected.demand))
        if not any(demand):
            self._prices[kind.root] = [0.0] * len(demand)
            return
        key = arcs, demand
        if key not in self._solved:
            from placer.solve.prices import prices  # here, because it brings ortools

            self._solved[key] = prices(arcs, demand)
        found = self._solved[key]
        kind.rough = found is None
        self._prices[kind.root] = found or []

    def _fill(self, kind: _Kind, some: Sequence[int]) -> None:
        """The worth of each of these states; of all that they lead to before, the fullest first."""
        if kind.rough:
            for number in some:
                free = int(self._rows.free()[number])
                self._take(number, self._roughly(free), [free // max(1, unit) for unit in self.unit])
            return
        price = np.array(self._prices[kind.root])[:, None] - self._cost
        left = self._rows.free()
        for number in sorted(kind.turns, key=lambda one: int(left[one])):
            if self._known[number]:
                continue
            best, further = np.zeros(len(self.cpu_price)), [0] * len(self.unit)
            for place, after in kind.turns[number]:
                best = np.maximum(best, price[place] + self.rest[after, : self.at])
                further[place] = max(further[place], 1 + int(self.rest[after, self.at + place]))
            self._take(number, best, further)

    def _roughly(self, free: int) -> Floats:
        """What is free, at the mean cost of what is expected."""
        demand, unit = np.array(self.expected.demand), np.array(self.unit)
        each = demand @ self._cost / max(1, demand @ unit)
        found: Floats = np.maximum(0, free * (0.001 - each))
        return found

    def _take(self, number: int, worth: Floats, further: Sequence[int]) -> None:
        free = int(self._rows.free()[number])
        self._known[number] = True
        self.rest[number] = *worth, *further
        fine, empty = round(FINE * float(worth[0])), free == 1000
        self._values[number] = 1000 * fine + 10_000 * empty + free * free // 1000
