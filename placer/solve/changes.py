"""What a host's content should become at given prices of VMs and of a move: the best change of it.

A VM that comes brings its price; one that leaves costs its price, as it must be seated elsewhere, and a move. Which of
a GPU's VMs leave and what comes in their place is a row of options (`placer.solve.options`), the best for each amount
of CPUs that it takes (the first amount that rules count); hosts are sums of such rows. So one program over the first
amount, split into cells, finds the best change of a host exactly but for the rounding; further amounts (memory) have a
price until what is found keeps within them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from placer.solve.inventory import EMPTY, Alike, Inventory, Row, Sort
from placer.solve.options import TRIED, Grid, Numbers, Option, Options, Points

Steps = list[tuple[Points, npt.NDArray[np.int16]]]
"""The options that were chosen from one after the other, and which of them is best for each place."""

TINY = 1e-6
"""A difference in worth that is none."""

NOT = -1e15
"""Worth of what cannot be."""

FEW = 3
"""Changes of one host that are kept from one look, at most."""


@dataclass(frozen=True)
class Change:
    """A new content for one host of a group of hosts alike: VMs that come and leave by kind, ascending; and, beside
    that, what leaves each row's GPUs.
    """

    group: int
    comes: tuple[tuple[int, int], ...]
    leaves: tuple[tuple[int, int], ...]
    rows: tuple[tuple[Row, tuple[int, ...]], ...] = field(default=(), compare=False)

    @property
    def moves(self) -> int:
        """How many VMs leave."""
        return sum(many for _, many in self.leaves)


class Changes:
    """The best changes at some prices: of a VM of each kind, and of a move."""

    def __init__(self, inventory: Inventory, prices: Numbers, move: float) -> None:
        self._in, self._prices, self._move = inventory, prices, move
        self._grid = Grid(inventory)
        self._searches: dict[tuple[int, int], _Search] = {}

    def of(self, number: int, enough: float) -> tuple[float, list[Change]]:
        """What no change of a host of this group exceeds (not looked at more closely where that is not more than
        `enough`), and some that are worth more than enough and keep within its amounts.
        """
        group, most = self._in.groups[number], math.inf
        for step in range(1 + len(TRIED) * (len(group.room) - 1)):
            search = self._search(group.sort, step)
            most = min(most, search.cap(group))
            if most <= enough:
                break
            bound, found = search.best(number, group, enough)
            most = min(most, bound)
            if found or most <= enough:
                return most, found
        return most, []

    def _search(self, sort: Sort, step: int) -> _Search:
        key = (id(sort), step)
        if key not in self._searches:
            options = Options(self._grid, self._in, sort, step, self._prices, self._move)
            self._searches[key] = _Search(self._in, sort, options)
        return self._searches[key]


class _Search:
    """The best changes of hosts of one sort, by what options there are."""

    def __init__(self, inventory: Inventory, sort: Sort, options: Options) -> None:
        self._in, self._sort, self._of = inventory, sort, options

    def cap(self, group: Alike) -> float:
        """What no change of such a host exceeds, by prices on its first amount."""
        total = self._of.cheap * self._of.free(group) + self._of.further((0, *group.room[1:]))
        for row, many in group.rows:
            total = total + many * self._of.top(row)
        for kind, many in group.plain:
            cells, worth = self._of.gone(kind)
            total = total + many * np.maximum(0.0, worth - self._of.cheap * cells)
        for kind, many in group.wide:
            cells, worth = self._of.gone(kind)
            freed = self._in.kinds[kind].gpus * self._of.top(EMPTY)
            total = total + many * np.maximum(0.0, worth - self._of.cheap * cells + freed)
        for _, _, cells, worth in self._of.plain:
            total = total + self._times(cells) * np.maximum(0.0, worth - self._of.cheap * cells)
        return max(0.0, float(np.min(total)))

    def _times(self, cells: int) -> int:
        """How often a VM of so many cells can come to a host at most."""
        return self._of.width // cells if cells else self._in.plain

    def best(self, number: int, group: Alike, enough: float) -> tuple[float, list[Change]]:
        """What no change exceeds, and some of the best that keep within the amounts and are worth more than enough."""
        free = self._of.free(group)
        freed = -sum(many * self._of.row(row)[0][0] for row, many in group.rows)
        freed -= sum(self._of.leaving(kind, many)[0][0] for kind, many in group.plain)
        freed -= sum(many * self._of.gone(kind)[0] for kind, many in group.wide)
        width = free + 2 * freed + 1
        worth = np.full(width, NOT)
        worth[freed:] = 0.0
        steps: Steps = []
        every = [self._of.leaving(kind, many) for kind, many in group.plain]
        every += [self._of.row(row) for row, many in group.rows for _ in range(many)]
        done, left = 0, freed
        for points in every:
            if len(points) == 1 and points[0][:2] == (0, 0.0):
                continue
            done, left = done - points[0][0], left + points[0][0]
            worth, choice = _added(worth, points, freed - done, freed + free + left + 1)
            steps.append((points, choice))
        for kind, _, cells, value in self._of.plain:
            for _ in range(self._times(cells)):
                came: Points = [(0, 0.0, Option()), (cells, value, Option(comes=(kind,)))]
                more, choice = _added(worth, came, 0, freed + free + left + 1)
                if not choice.any():
                    break
                worth = more
                steps.append((came, choice))
        walks = list(self._walks(worth, steps, group.wide))
        extra = self._of.further((0, *group.room[1:]))
        end = freed + free + 1
        bound = max(float(worth[:end].max()) for worth, _ in walks) + extra
        found: list[Change] = []
        for worth, steps in sorted(walks, key=lambda walk: -float(walk[0][:end].max()))[:FEW]:
            for at in _tops(worth[:end]):
                if worth[at] + extra > enough + TINY:
                    change = self._change(number, group, steps, at)
                    if change is not None and change not in found:
                        found.append(change)
        return max(0.0, bound), found

    def _walks(self, worth: Numbers, steps: Steps, wide: Sequence[tuple[int, int]]) -> Iterator[tuple[Numbers, Steps]]:
        """How it goes on for each number of VMs with several GPUs that leave: their GPUs are empty then."""
        if not wide:
            yield worth, steps
            return
        (kind, many), rest = wide[0], wide[1:]
        cells, lost = self._of.gone(kind)
        for gone in range(many + 1):
            one: Points = [(gone * cells, gone * lost, Option(None, (kind,) * gone))]
            now, taken = worth, list(steps)
            for points in (one, *[self._of.row(EMPTY)] * (gone * self._in.kinds[kind].gpus)):
                now, choice = _added(now, points, 0, len(worth))
                taken.append((points, choice))
            yield from self._walks(now, taken, rest)

    def _change(self, number: int, group: Alike, steps: Steps, at: int) -> Change | None:
        """The change that led to a place; None where it does not keep within the amounts."""
        comes, leaves = Counter[int](), Counter[int]()
        rows: list[tuple[Row, tuple[int, ...]]] = []
        for points, choice in reversed(steps):
            cells, _, option = points[int(choice[at])]
            at -= cells
            leaves.update(option.leaves)
            comes.update(option.comes)
            if option.row is not None:
                comes.update(self._of.came(option.free, option.cells))
                if option.leaves:
                    rows.append((option.row, option.leaves))
        for kind in [kind for kind in comes if self._in.kinds[kind].gpus > 1]:
            comes[kind] //= self._in.kinds[kind].gpus
        comes = +comes
        needs = [0] * len(group.room)
        for kind, many in comes.items():
            needs = [n + many * need for n, need in zip(needs, self._sort.takes[kind][1], strict=True)]
        for kind, many in leaves.items():
            gone = self._sort.amounts.get(self._in.vm_kind(kind), (0,) * len(needs))
            needs = [n - many * need for n, need in zip(needs, gone, strict=True)]
        if not comes or any(need > room for need, room in zip(needs, group.room, strict=True)):
            return None
        return Change(
            number, tuple(sorted(comes.items())), tuple(sorted(leaves.items())), tuple(sorted(rows, key=repr))
        )


def _added(worth: Numbers, points: Points, low: int, high: int) -> tuple[Numbers, npt.NDArray[np.int16]]:
    """What is best for each place from `low` to before `high` once one of these options is taken, and which."""
    best = np.full(len(worth), NOT)
    choice = np.zeros(len(worth), dtype=np.int16)
    for number, (cells, value, _) in enumerate(points):
        first, end = max(low, cells), min(high, len(worth) + cells)
        if first >= end:
            continue
        other, at = worth[first - cells : end - cells] + value, slice(first, end)
        better = other > best[at]
        best[at][better] = other[better]
        choice[at][better] = number
    return best, choice


def _tops(worth: Numbers) -> list[int]:
    """The first places of the best few worths."""
    at = np.flatnonzero(np.diff(worth, prepend=2 * NOT) > 0)
    return [int(number) for number in at[::-1][:FEW]]
