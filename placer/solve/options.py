"""What may become of one GPU at given prices: who of its VMs leave, and what comes in their place. Of all that may, the
best is kept for each amount of CPUs that it takes.

All numbers are rounded to parts of powers of 2 and in favour of the change, so sums are exact, and nothing is worth
more than is said here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from placer.solve.inventory import FINEST, WHOLE, Alike, Inventory, Row, Sort

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


@dataclass(frozen=True)
class Option:
    """What becomes of a GPU's row (or, without one, of the VMs without GPUs): who leaves, and pieces that come."""

    row: Row | None = None
    leaves: tuple[int, ...] = ()
    free: int = 0
    cells: int = 0
    comes: tuple[int, ...] = ()


class Piece(NamedTuple):
    """A VM that may come, on one GPU of several or none: the part of the GPU, the cells, and what it is worth."""

    kind: int
    size: int
    cells: int
    worth: float


class Grid:
    """What the hosts of an inventory are divided into: cells of the first amount, units of a GPU; and how free parts of
    a GPU are filled best, for pieces of some worth.
    """

    def __init__(self, inventory: Inventory) -> None:
        groups = inventory.groups
        self._filled: dict[tuple[Piece, ...], tuple[Numbers, npt.NDArray[np.int16]]] = {}
        self._most = max((group.sort.room[0] for group in groups if group.sort.room), default=0)
        self.cell = max(1, -(-self._most // CELLS))
        sizes = {size for group in groups for size, _ in group.sort.takes.values()}
        sizes |= {n for group in groups for row, _ in group.rows for n in (row.free, *(s for _, s in row.residents))}
        self.unit = max(FINEST, math.gcd(WHOLE, *sizes))

    def filled(self, pieces: tuple[Piece, ...]) -> tuple[Numbers, npt.NDArray[np.int16]]:
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


class Options:
    """What VMs bring and cost on hosts of one sort, by the prices of VMs of each kind, of a move, and of one of the
    further amounts (which one, and how high, `step` says; 0: none has any).
    """

    def __init__(self, grid: Grid, inventory: Inventory, sort: Sort, step: int, prices: Numbers, move: float) -> None:
        self._in, self._sort, self._move, self._unit, self._cell = inventory, sort, move, grid.unit, grid.cell
        self._prices = prices
        first = sort.room[0] if sort.room else 0
        self.width = first // self._cell + 1
        self._amounts = self._priced(step)
        dear = WHOLE * max(1, len(sort.host.gpus)) / self.width
        self.cheap: Numbers = np.round(dear * np.array(CHEAP) / PART) * PART
        self._points: dict[Row, Points] = {}
        self._caps: dict[Row, Numbers] = {}
        self._lone: dict[tuple[int, int], Points] = {}
        self._pieces: list[Piece] = []
        self.plain: list[Piece] = []
        for kind, (size, needs) in sort.takes.items():
            worth, gpus = self._worth(kind), inventory.kinds[kind].gpus
            if worth <= 0:
                continue
            cells = self._cells(needs)
            if gpus:
                share = math.ceil(worth / gpus / PART) * PART if gpus & (gpus - 1) else worth / gpus
                self._pieces.append(Piece(kind, max(1, size // self._unit), cells // gpus, share))
            else:
                self.plain.append(Piece(kind, 0, cells, worth))
        self._pieces = _unbeaten(self._pieces)
        self.plain = _unbeaten(self.plain)
        best, last = grid.filled(tuple(self._pieces))
        self._best, self._last = best[:, : self.width], last[:, : self.width]

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

    def further(self, needs: Sequence[int]) -> float:
        return sum(price * need for price, need in zip(self._amounts, needs[1:], strict=True) if price)

    def _worth(self, kind: int) -> float:
        return float(self._prices[kind]) - self.further(self._sort.takes[kind][1])

    def gone(self, kind: int) -> tuple[int, float]:
        """The cells that a VM's leaving takes (fewer than none), and what it is worth (mostly less than nothing)."""
        needs = self._sort.amounts.get(self._in.vm_kind(kind), ())
        cells = -(-needs[0] // self._cell) if needs else 0
        return -cells, self.further(needs or (0,)) - float(self._prices[kind]) - self._move

    def came(self, part: int, cells: int) -> Iterator[int]:
        """The kinds of the pieces that come into a free part of a GPU with so many cells."""
        while part > 0:
            number = int(self._last[part, cells])
            if number < 0:
                part -= 1
            else:
                kind, size, takes, _ = self._pieces[number]
                yield kind
                part, cells = part - size, cells - takes

    def row(self, row: Row) -> Points:
        """The options of a GPU in this row."""
        if row not in self._points:
            found: Points = []
            for leaves, size in _leavings(row):
                gone = [self.gone(kind) for kind in leaves]
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

    def leaving(self, kind: int, many: int) -> Points:
        """The options of so many VMs without GPUs: how many of them leave."""
        if (kind, many) not in self._lone:
            cells, worth = self.gone(kind)
            found = [(n * cells, n * worth, Option(None, (kind,) * n)) for n in range(many + 1)]
            self._lone[kind, many] = _pareto(found)
        return self._lone[kind, many]

    def free(self, group: Alike) -> int:
        """The cells that are free on such a host."""
        return -(-group.room[0] // self._cell) if group.room else 0

    def top(self, row: Row) -> Numbers:
        """What the best option of a GPU is worth at each of the cheap prices."""
        if row not in self._caps:
            points = self.row(row)
            cells = np.array([cells for cells, _, _ in points])
            worth = np.array([worth for _, worth, _ in points])
            self._caps[row] = (worth[:, None] - cells[:, None] * self.cheap).max(axis=0)
        return self._caps[row]


def _unbeaten(pieces: list[Piece]) -> list[Piece]:
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
