"""What column generation over moves begins with: about what places are worth, and the simplest changes of hosts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from placer.solve.changes import Change
from placer.solve.inventory import WHOLE, Alike, Inventory, Row, Sort
from placer.solve.options import PART, Numbers
from placer.solve.prices import prices as shared

BESIDE = 0.05
"""What a host's CPUs and memory are worth beside its GPUs."""

FEW = 6
"""VMs that wait that are tried in the place of one that stands."""


def guessed(inventory: Inventory) -> Numbers:
    """What a place for a VM of each kind may cost, about: its part of the GPUs, as what all ask for shares them, and a
    bit of the host beside them.
    """
    kinds = inventory.kinds
    top = max((one.value / max(1, one.gpus) for one in kinds if one.waiting), default=0)
    shares, beside = [0] * len(kinds), [0.0] * len(kinds)
    for sort in {id(group.sort): group.sort for group in inventory.groups}.values():
        for kind, (size, needs) in sort.takes.items():
            share = max((n / max(1, room) for n, room in zip(needs, sort.room, strict=True)), default=0.0)
            shares[kind] = max(shares[kind], size)
            beside[kind] = max(beside[kind], BESIDE * share * len(sort.host.gpus))
    sizes = sorted({size for size in shares if size})
    asked = Counter[int]()
    for number, one in enumerate(kinds):
        asked[shares[number]] += one.gpus * inventory.most(number)
    unit = math.gcd(WHOLE, *sizes)
    arcs = [
        (used // unit, item, (used + size) // unit)
        for used in range(0, WHOLE, unit)
        for item, size in enumerate(sizes)
        if used + size <= WHOLE
    ]
    found = shared(arcs, [asked[size] for size in sizes]) if sizes else None
    part = dict(zip(sizes, found or [size / WHOLE for size in sizes], strict=True)) | {0: 0.0}
    worth = [top * (one.gpus * part[size] + more) for one, size, more in zip(kinds, shares, beside, strict=True)]
    return np.round(np.array(worth) / PART) * PART


def simple(inventory: Inventory, groups: Iterable[int]) -> Iterator[Change]:
    """The simplest changes of hosts of these groups: one VM leaves, one comes, or one that waits comes for one that
    leaves.
    """
    fits = {id(group.sort): _Fits(inventory, group.sort) for group in inventory.groups}
    for number in groups:
        group = inventory.groups[number]
        fit = fits[id(group.sort)]
        gone: list[tuple[Row | None, int, int]] = [
            (row, kind, size) for row, _ in group.rows for kind, size in row.residents
        ]
        gone += [(None, kind, 0) for kind, _ in group.plain]
        yield from (Change(number, ((kind, 1),), ()) for kind in fit.kinds(group))
        for row, kind, size in dict.fromkeys(gone):
            rows = () if row is None else ((row, (kind,)),)
            yield Change(number, (), ((kind, 1),), rows)
            come = [one for one in fit.kinds(group, row, kind, size) if inventory.kinds[one].waiting and one != kind]
            come.sort(key=lambda one: (-inventory.kinds[one].value, one))
            yield from (Change(number, ((one, 1),), ((kind, 1),), rows) for one in come[:FEW])


class _Fits:
    """Which kinds one more of fits on hosts of a sort."""

    def __init__(self, inventory: Inventory, sort: Sort) -> None:
        self._in, self._sort = inventory, sort
        self._kinds = np.array(list(sort.takes), dtype=np.int64)
        self._sizes = np.array([size for size, _ in sort.takes.values()], dtype=np.int64)
        self._needs = np.array([needs for _, needs in sort.takes.values()], dtype=np.int64).reshape(
            len(sort.takes), len(sort.room)
        )
        self._gpus = np.array([inventory.kinds[kind].gpus for kind in sort.takes], dtype=np.int64)

    def kinds(self, group: Alike, row: Row | None = None, gone: int | None = None, size: int = 0) -> list[int]:
        """Those that fit on a host as it is, or once one VM has `gone` that holds so much of a GPU in this row."""
        room = np.array(group.room, dtype=np.int64)
        if gone is not None:
            room = room + np.array(self._sort.amounts.get(self._in.vm_kind(gone), [0] * len(room)), dtype=np.int64)
        free = [one.free for one, many in group.rows for _ in range(many)]
        if row is not None:
            free.append(row.free + size)
        enough = np.zeros(1 + max([len(free), *self._gpus.tolist()]), dtype=np.int64) - 1
        enough[: len(free) + 1] = [WHOLE, *sorted(free, reverse=True)]
        fits = (self._needs <= room).all(axis=1) & (enough[self._gpus] >= self._sizes)
        return [int(kind) for kind in self._kinds[fits]]
