"""Prices that do not jump: between those of the master problem and the best that are known.

A master problem of few columns puts prices on VMs that have little to do with the last ones. So contents are asked for
at prices in between, near those at which the least has been proven: more and more so as long as the bound is better
there, less where it is better at the master's.

Sources: Wentges, "Weighted Dantzig-Wolfe decomposition for linear mixed-integer programming", 1997; how near follows
from the slope as in Pessoa, Sadykov, Uchoa & Vanderbeck, "Automation and combination of linear-programming based
stabilization techniques in column generation", 2018.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from placer.solve.master import Column, Floor, Prices, Room, Values
from placer.solve.pricing import SCALE, Pricing

FIRST, MOST, STEP = 0.5, 0.95, 0.1
"""How near: at first, at most, and the step from one round to the next."""


@dataclass(frozen=True)
class Asked:
    """Prices that are asked about: of a VM of each class, and of each floor."""

    vms: tuple[float, ...]
    floors: tuple[float, ...] = ()


class Steady:
    """Prices in between, from a first `guess` on; without one they are the master's. `bound` is the least proven."""

    def __init__(self, guess: Asked | None, bound: float = math.inf) -> None:
        self.bound = bound
        self._best, self._share, self._tries = guess, FIRST, 0

    @property
    def guided(self) -> bool:
        """Whether there are prices to be near to."""
        return self._best is not None

    @property
    def _near(self) -> float:
        """How near: less with every try in which nothing was learnt."""
        return 0.0 if self._best is None else max(0.0, 1 - (1 + self._tries) * (1 - self._share))

    def between(self, prices: Prices) -> Asked:
        """The prices to ask about."""
        if self._best is None or not self._near:
            return Asked(prices.vms, prices.floors)
        return Asked(self._mixed(self._best.vms, prices.vms), self._mixed(self._best.floors, prices.floors))

    def _mixed(self, best: Sequence[float], prices: Sequence[float]) -> tuple[float, ...]:
        near = self._near
        return tuple(near * one + (1 - near) * other for one, other in zip(best, prices, strict=True))

    def tell(
        self,
        asked: Asked,
        prices: Prices,
        room: Room,
        values: Values,
        floors: Sequence[Floor],
        found: Collection[Pricing],
    ) -> None:
        """What every group would best hold at the prices asked about, and what the master's are."""
        if self._best is not None and not self._tries:
            nearer, farther = self._share + (1 - self._share) * STEP, self._share - STEP
            rising = _slope(asked, prices, room, _values(asked, room, values, floors), found) > 0
            self._share = min(MOST, nearer) if rising else max(0.0, farther)
        bound = _bound(asked, room, values, floors, found)
        if bound < self.bound:
            self.bound = bound
            self._best = None if self._best is None else asked

    def learnt(self) -> None:
        """The master has new columns."""
        self._tries = 0

    def closer(self) -> bool:
        """Nothing was learnt: ask about prices nearer to the master's; whether that is possible."""
        near = self._near
        self._tries += 1
        return near > 0


def worth(column: Column, prices: Prices | Asked) -> float:
    """What a column's VMs are worth."""
    return sum(prices.vms[number] * amount for number, amount in column.counts)


def _values(asked: Asked, room: Room, values: Values, floors: Sequence[Floor]) -> list[float]:
    """What a VM of each class counts for, the floors having their prices."""
    held = list(zip(asked.floors, floors, strict=True))
    return [
        values.get(number, 0) + sum(price * floor.values.get(number, 0) for price, floor in held)
        for number in range(len(room.vms))
    ]


def _slope(asked: Asked, prices: Prices, room: Room, values: Sequence[float], found: Iterable[Pricing]) -> float:
    """How the bound changes from the prices asked about towards those of the master: up (above 0), or down."""
    held = [0] * len(room.vms)
    for pricing in found:
        best = max((column for column, _ in pricing.found), key=lambda column: worth(column, asked), default=None)
        for number, amount in () if best is None else best.counts:
            held[number] += amount * room.hosts[pricing.group]
    wanted = [most if value > price else 0 for most, value, price in zip(room.vms, values, asked.vms, strict=True)]
    farther = [price - other for price, other in zip(prices.vms, asked.vms, strict=True)]
    return sum((has - want) * by for has, want, by in zip(held, wanted, farther, strict=True))


def _bound(asked: Asked, room: Room, values: Values, floors: Sequence[Floor], found: Iterable[Pricing]) -> int:
    """What no answer exceeds, by these prices: in whole numbers throughout."""
    held = [max(0, round(price * SCALE)) for price in asked.floors]
    total = sum(pricing.bound * room.hosts[pricing.group] for pricing in found)
    for number, most in enumerate(room.vms):
        value = SCALE * values.get(number, 0)
        value += sum(price * floor.values.get(number, 0) for price, floor in zip(held, floors, strict=True))
        total += most * max(0, value - round(asked.vms[number] * SCALE))
    total -= sum(price * floor.least for price, floor in zip(held, floors, strict=True))
    return total // SCALE
