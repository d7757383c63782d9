"""Whole numbers of columns: a dive from the linear master, with columns made anew for what is left.

The linear master takes most columns a whole number of times. These are kept; for the hosts and VMs that are left, fewer
by each step, columns are generated afresh and the one that the master likes most is kept, until no host is left. As
long as new contents bring the master back to where it was nothing is lost by that.

Source: Sadykov, Vanderbeck, Pessoa, Tahiri & Uchoa, "Primal heuristics for branch and price", 2019 (a pure diving
heuristic).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from placer.solve.columns import Columns
from placer.solve.master import Column, Floor, Prices, Values, linear
from placer_models.scene import Stand

LOSS = 1e-5
"""The part of the total that a step may lose before columns are generated for it."""

SHARE = 0.5
"""The part of the time in which columns are generated; then those that are known have to do."""

SURE = 0.9
"""How often a column is taken by the master, at least, that is kept beside the one it likes most."""


def rounded(columns: Columns, values: Values, floors: Sequence[Floor], prices: Prices) -> list[Stand]:
    """The stands of a good choice of whole columns, from the master's `prices` over them."""
    return _Dive(columns, values, floors).down(prices)


class _Dive:
    def __init__(self, columns: Columns, values: Values, floors: Sequence[Floor]) -> None:
        self._columns, self._values, self._floors = columns, values, list(floors)
        self._hosts = [list(names) for names in columns.groups]
        self._left = [list(names) for names in columns.waiting]
        self._until = (1 - SHARE) * columns.budget.left
        self.stands: list[Stand] = []

    def down(self, prices: Prices | None) -> list[Stand]:
        """Take columns until nothing is left to take."""
        total = 0.0 if prices is None else prices.total
        while prices is not None and (chosen := _liked(self._columns.columns, prices, self._hosts)):
            total -= sum(self._keep(column) for column in chosen if self._hosts[column.group])
            self._columns = self._columns.rest(self._left, self._hosts)
            prices = self._priced(total)
            total = 0.0 if prices is None else min(total, prices.total)
        return self.stands

    def _priced(self, total: float) -> Prices | None:
        """The master's prices for what is left, as good as it was before if new columns can do that."""
        if self._columns.budget.short(self._until):
            room = self._columns.room
            return linear(room, self._columns.columns, self._values, self._floors)
        return self._columns.generate(self._values, self._floors, enough=total * (1 - LOSS))[0]

    def _keep(self, column: Column) -> int:
        """Let a column come about on one host; what that counts for."""
        before = list(map(len, self._left))
        self.stands += self._columns.seated(column, self._hosts[column.group].pop(), self._left)
        came = [many - len(names) for many, names in zip(before, self._left, strict=True)]

        def worth(values: Values) -> int:
            return sum(value * came[number] for number, value in values.items())

        self._floors = [replace(floor, least=floor.least - worth(floor.values)) for floor in self._floors]
        return worth(self._values)


def _liked(columns: Sequence[Column], prices: Prices, hosts: Sequence[Sequence[str]]) -> list[Column]:
    """The columns that the master takes a whole number of times, so often; if there are none, the one that it takes
    most, and those that it nearly takes.
    """
    often = [(column, int(taken + 1e-6)) for column, taken in zip(columns, prices.taken, strict=True)]
    whole = [column for column, times in often for _ in range(times)]
    ranked = sorted(range(len(columns)), key=lambda number: -prices.taken[number])
    parts = [number for number in ranked if prices.taken[number] > 1e-6]
    return whole or [columns[number] for number in parts if number == parts[0] or prices.taken[number] >= SURE]
