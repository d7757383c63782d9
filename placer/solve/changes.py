"""What a host's content should become at given prices of VMs and of a move: the best change of it.

A VM that comes brings its price; one that leaves costs its price, as it must be seated elsewhere, and a move. Which of
a GPU's VMs leave and what comes in their place is a row of options, the best for each amount of CPUs that it takes (the
first amount that rules count); hosts are sums of such rows. So one program over the first amount, split into `CELLS`
cells, finds the best change of a host exactly but for the rounding; further amounts (memory) have a price until what is
found keeps within them.

All numbers are rounded to parts of powers of 2 and in favour of the change, so sums are exact, and no change is worth
more than is said here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from placer.solve.inventory import EMPTY, FINEST, WHOLE, Alike, Inventory, Row, Sort

Numbers = npt.NDArray[np.float64]
Points = list[tuple[int, float, "Option"]]
"""Cells that an option takes more than now, what it is worth, and what it is: more and more of both."""

CELLS = 1280
"""Cells of the first amount of the largest host."""

PART = 2.0**-10
"""Prices are multiples of it, those of amounts of a millionth of it."""

TRIED = (0.1, 0.3, 0.8)
"""Prices of the further amounts, in shares of what a host's GPUs are worth for all that it has of them."""

CHEAP = (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5)
"""Prices of the first amount, likewise."""

TINY = 1e-6
"""A difference in worth that is none."""

NOT = -1e15
"""Worth of what cannot be."""

FEW = 3
"""Changes of one host that are kept from one look, at most."""


@dataclass(frozen=True)
class Option:
    """What becomes of a GPU's row (or, without one, of the VMs without GPUs): who leaves, and pieces that come."""

    row: Row | None = None
    leaves: tuple[int, ...] = ()
    free: int = 0
    cells: int = 0
    comes: tuple[int, ...] = ()


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


class _Piece(NamedTuple):
    """A VM that may come, on one GPU of several or none: the part of the GPU, the cells, and what it is worth."""

    kind: int
    size: int
    cells: int
    worth: float


class Changes:
    """The best changes at some prices: of a VM of each kind, and of a move."""

    def __init__(self, inventory: Inventory, prices: Numbers, move: float) -> None:
        self._in, self._move = inventory, move
        self._prices = prices
        self._tables: dict[tuple[int, int], _Table] = {}
        self._filled: dict[tuple[_Piece, ...], tuple[Numbers, npt.NDArray[np.int16]]] = {}
        self._most = max((group.sort.room[0] for group in inventory.groups if group.sort.room), default=0)
        self.cell = max(1, -(-self._most // CELLS))
        sizes = {size for group in inventory.groups for size, _ in group.sort.takes.values()}
        sizes |= {
            n for group in inventory.groups for row, _ in group.rows for n in (row.free, *(s for _, s in row.residents))
        }
        self.unit = max(FINEST, math.gcd(WHOLE, *sizes))

    def of(self, number: int, enough: float) -> tuple[float, list[Change]]:
        """What no change of a host of this group exceeds (not looked at more closely where that is not more than
        `enough`), and some that are worth more than enough and keep within its amounts.
        """
        group, most = self._in.groups[number], math.inf
        for step in range(1 + len(TRIED) * (len(group.room) - 1)):
            table = self._table(group.sort, step)
            most = min(most, table.cap(group))
            if most <= enough:
                break
            bound, found = table.best(number, group, enough)
            most = min(most, bound)
            if found or most <= enough:
                return most, found
        return most, []

    def filled(self, pieces: tuple[_Piece, ...]) -> tuple[Numbers, npt.NDArray[np.int16]]:
        """The best that can come into each free part of a GPU with so many cells, and the piece that came last."""
        if pieces not in self._filled:
            parts, width = WHOLE // self.unit, self._most // self.cell + 1
            every = np.zeros((parts + 1, width))
            lasts = np.full((parts + 1, width), -1, dtype=np.int16)
            for part in range(1, parts + 1):
                best, last = every[part], lasts[part]
                best[:] = every[part - 1]
                for number, (_, size, cells, worth) in enumerate(pieces):
                    if size <= part and cells < width:
                        other = every[part - size, : width - cells] + worth
                        better = other > best[cells:]
                        best[cells:][better] = other[better]
                        last[cells:][better] = number
            self._filled[pieces] = every, lasts
        return self._filled[pieces]

    def _table(self, sort: Sort, step: int) -> _Table:
        key = (id(sort), step)
        if key not in self._tables:
            self._tables[key] = _Table(self, self._in, sort, step, self._prices, self._move)
        return self._tables[key]


class _Table:
    """What VMs bring and cost on hosts of one sort, with a price on one of the further amounts."""

    def __init__(self, of: Changes, inventory: Inventory, sort: Sort, step: int, prices: Numbers, move: float) -> None:
        self._in, self._sort, self._move, self._unit = inventory, sort, move, of.unit
        self._prices = prices
        first = sort.room[0] if sort.room else 0
        self._cell = of.cell
        self._width = first // self._cell + 1
        self._amounts = self._priced(step)
        dear = WHOLE * max(1, len(sort.host.gpus)) / self._width
        self._cheap: Numbers = np.round(dear * np.array(CHEAP) / PART) * PART
        self._points: dict[Row, Points] = {}
        self._caps: dict[Row, Numbers] = {}
        self._lone: dict[tuple[int, int], Points] = {}
        self._pieces: list[_Piece] = []
        self._plain: list[_Piece] = []
        for kind, (size, needs) in sort.takes.items():
            worth, gpus = self._worth(kind), inventory.kinds[kind].gpus
            if worth <= 0:
                continue
            cells = self._cells(needs)
            if gpus:
                share = math.ceil(worth / gpus / PART) * PART if gpus & (gpus - 1) else worth / gpus
                self._pieces.append(_Piece(kind, max(1, size // self._unit), cells // gpus, share))
            else:
                self._plain.append(_Piece(kind, 0, cells, worth))
        self._pieces = _unbeaten(self._pieces)
        self._plain = _unbeaten(self._plain)
        best, last = of.filled(tuple(self._pieces))
        self._best, self._last = best[:, : self._width], last[:, : self._width]

    def _priced(self, step: int) -> tuple[float, ...]:
        """The price of each further amount."""
        further = self._sort.room[1:]
        found = [0.0] * len(further)
        if step:
            at, share = divmod(step - 1, len(TRIED))
            gpus = max(1, len(self._sort.host.gpus))
            tiny = PART * 2.0**-20
            found[at] = round(TRIED[share] * WHOLE * gpus / max(1, further[at]) / tiny) * tiny
        return tuple(found)

    def _cells(self, needs: Sequence[int]) -> int:
        return needs[0] // self._cell if needs else 0

    def _further(self, needs: Sequence[int]) -> float:
        return sum(price * need for price, need in zip(self._amounts, needs[1:], strict=True) if price)

    def _worth(self, kind: int) -> float:
        return float(self._prices[kind]) - self._further(self._sort.takes[kind][1])

    def _gone(self, kind: int) -> tuple[int, float]:
        """The cells that a VM's leaving takes (fewer than none), and what it is worth (mostly less than nothing)."""
        needs = self._sort.amounts.get(self._in.vm_kind(kind), ())
        cells = -(-needs[0] // self._cell) if needs else 0
        return -cells, self._further(needs or (0,)) - float(self._prices[kind]) - self._move

    def _came(self, part: int, cells: int) -> Iterator[int]:
        """The kinds of the pieces that come into a free part of a GPU with so many cells."""
        while part > 0:
            number = int(self._last[part, cells])
            if number < 0:
                part -= 1
            else:
                kind, size, takes, _ = self._pieces[number]
                yield kind
                part, cells = part - size, cells - takes

    def _row(self, row: Row) -> Points:
        """The options of a GPU in this row."""
        if row not in self._points:
            found: Points = []
            for leaves, size in _leavings(row):
                gone = [self._gone(kind) for kind in leaves]
                freed, lost = sum(cells for cells, _ in gone), sum(worth for _, worth in gone)
                free = -(-(row.free + size) // self._unit)
                steps = self._steps(free)
                found += [(freed + cells, lost + worth, Option(row, leaves, free, cells)) for cells, worth in steps]
            self._points[row] = _pareto(found)
        return self._points[row]

    def _steps(self, part: int) -> list[tuple[int, float]]:
        """The cells from which more can come into a free part of a GPU, and what comes is worth."""
        best = self._best[part]
        at = np.flatnonzero(np.diff(best, prepend=-1.0) > 0)
        return list(zip(at.tolist(), best[at].tolist(), strict=True))

    def _leaving(self, kind: int, many: int) -> Points:
        """The options of so many VMs without GPUs: how many of them leave."""
        if (kind, many) not in self._lone:
            cells, worth = self._gone(kind)
            found = [(n * cells, n * worth, Option(None, (kind,) * n)) for n in range(many + 1)]
            self._lone[kind, many] = _pareto(found)
        return self._lone[kind, many]

    def cap(self, group: Alike) -> float:
        """What no change of such a host exceeds, by prices on its first amount."""
        total = self._cheap * self._free(group) + self._further((0, *group.room[1:]))
        for row, many in group.rows:
            total = total + many * self._top(row)
        for kind, many in group.plain:
            cells, worth = self._gone(kind)
            total = total + many * np.maximum(0.0, worth - self._cheap * cells)
        for kind, many in group.wide:
            cells, worth = self._gone(kind)
            freed = self._in.kinds[kind].gpus * self._top(EMPTY)
            total = total + many * np.maximum(0.0, worth - self._cheap * cells + freed)
        for _, _, cells, worth in self._plain:
            total = total + self._times(cells) * np.maximum(0.0, worth - self._cheap * cells)
        return max(0.0, float(np.min(total)))

    def _free(self, group: Alike) -> int:
        """The cells that are free on such a host."""
        return -(-group.room[0] // self._cell) if group.room else 0

    def _times(self, cells: int) -> int:
        """How often a VM of so many cells can come to a host at most."""
        return self._width // cells if cells else self._in.plain

    def _top(self, row: Row) -> Numbers:
        """What the best option of a GPU is worth at each of the cheap prices."""
        if row not in self._caps:
            points = self._row(row)
            cells = np.array([cells for cells, _, _ in points])
            worth = np.array([worth for _, worth, _ in points])
            self._caps[row] = (worth[:, None] - cells[:, None] * self._cheap).max(axis=0)
        return self._caps[row]

    def best(self, number: int, group: Alike, enough: float) -> tuple[float, list[Change]]:
        """What no change exceeds, and some of the best that keep within the amounts and are worth more than enough."""
        free = self._free(group)
        freed = -sum(many * self._row(row)[0][0] for row, many in group.rows)
        freed -= sum(self._leaving(kind, many)[0][0] for kind, many in group.plain)
        freed -= sum(many * self._gone(kind)[0] for kind, many in group.wide)
        width = free + 2 * freed + 1
        worth = np.full(width, NOT)
        worth[freed:] = 0.0
        steps: list[tuple[Points, npt.NDArray[np.int16]]] = []
        walks: list[tuple[Numbers, list[tuple[Points, npt.NDArray[np.int16]]]]] = []

        def go(worth: Numbers, steps: list[tuple[Points, npt.NDArray[np.int16]]], wide: list[tuple[int, int]]) -> None:
            if wide:
                (kind, many), rest = wide[0], wide[1:]
                cells, lost = self._gone(kind)
                for gone in range(many + 1):
                    one: Points = [(gone * cells, gone * lost, Option(None, (kind,) * gone))]
                    points = [one, *[self._row(EMPTY)] * (gone * self._in.kinds[kind].gpus)]
                    now, taken = worth, list(steps)
                    for some in points:
                        now, choice = _added(now, some, 0, width)
                        taken.append((some, choice))
                    go(now, taken, rest)
                return
            walks.append((worth, steps))

        every = [self._leaving(kind, many) for kind, many in group.plain]
        every += [self._row(row) for row, many in group.rows for _ in range(many)]
        done, left = 0, freed
        for points in every:
            if len(points) == 1 and points[0][:2] == (0, 0.0):
                continue
            done, left = done - points[0][0], left + points[0][0]
            worth, choice = _added(worth, points, freed - done, freed + free + left + 1)
            steps.append((points, choice))
        for kind, _, cells, value in self._plain:
            for _ in range(self._times(cells)):
                came: Points = [(0, 0.0, Option()), (cells, value, Option(comes=(kind,)))]
                more, choice = _added(worth, came, 0, freed + free + left + 1)
                if not choice.any():
                    break
                worth = more
                steps.append((came, choice))
        go(worth, steps, list(group.wide))
        extra = self._further((0, *group.room[1:]))
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

    def _change(
        self, number: int, group: Alike, steps: Sequence[tuple[Points, npt.NDArray[np.int16]]], at: int
    ) -> Change | None:
        """The change that led to a place; None where it does not keep within the amounts."""
        comes, leaves = Counter[int](), Counter[int]()
        rows: list[tuple[Row, tuple[int, ...]]] = []
        for points, choice in reversed(steps):
            cells, _, option = points[int(choice[at])]
            at -= cells
            leaves.update(option.leaves)
            comes.update(option.comes)
            if option.row is not None:
                comes.update(self._came(option.free, option.cells))
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


def _unbeaten(pieces: list[_Piece]) -> list[_Piece]:
    """The pieces without those of which another takes no more and is worth as much; of equal ones the first."""
    rows = np.array([(-piece.size, -piece.cells, piece.worth) for piece in pieces]).reshape(-1, 3)
    kept: list[int] = []
    for at in np.lexsort(rows.T[::-1])[::-1].tolist():  # who beats another comes before it
        if not (rows[kept] >= rows[at]).all(axis=1).any():
            kept.append(at)
    return [pieces[at] for at in sorted(kept)]


def _leavings(row: Row) -> Iterator[tuple[tuple[int, ...], int]]:
    """Each set of VMs that may leave a GPU, by kind, and the thousandths that they leave."""
    alike = Counter(row.residents)
    for chosen in product(*(range(many + 1) for many in alike.values())):
        some = list(zip(alike, chosen, strict=True))
        yield tuple(kind for (kind, _), n in some for _ in range(n)), sum(size * n for (_, size), n in some)


def _pareto(found: Points) -> Points:
    """The options that are worth more than all that take no more."""
    kept: Points = []
    for point in sorted(found, key=lambda point: (point[0], -point[1])):
        if not kept or point[1] > kept[-1][1]:
            kept.append(point)
    return kept


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
