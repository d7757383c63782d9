"""Room made by moves all over a cluster at once: which hosts change their content, and how, for so many moves at most.

A master problem chooses changes of hosts (`placer.solve.moving_master`). Which further changes would help is asked of
every host with the master's prices, until none does. For any prices,

    moves x price of a move + sum over groups of (hosts x best change) + sum over who waits of max(0, value - price)

bounds what anybody can reach with so many moves. What is asked with are means of the master's prices, as these swing
from one round to the next.

Source: the bound is the Lagrangian one (Luebbecke & Desrosiers, "Selected topics in column generation", 2005).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from placer.solve.budget import Budget
from placer.solve.changes import Change, Changes
from placer.solve.inventory import Inventory
from placer.solve.moving_first import guessed, simple
from placer.solve.moving_master import Master, Prices
from placer.solve.options import PART, Numbers

FIRST_MOVE = 100.0
"""What a move costs at first."""

LEAST_MOVE, STEP = 20.0, 1.4
"""Where the price of a move that bounds best is looked for: the least above nothing, and the next one's factor."""

DEAR, SPARE, DEARER = 1.1, 0.05, 1.3
"""What the master may buy a place for: parts of the first guess, and of the highest of all; and how much more, where it
still does so later.
"""

CLOSE = 1e-3
"""The part of the total to which bound and master are brought together."""

SAMPLE, MANY_GROUPS = 8, 256
"""Of so many groups every eighth is looked at first, with its part of the moves and of those who wait: prices are
settled there eight times as fast, and are nearly those of all.
"""

SAMPLE_SHARE = 0.4
"""The part of the time that this may take."""

STEADY, STEADY_ALL = (4, 1e-2), (16, 1e-3)
"""Prices are settled when so many rounds have brought no more than this part: there, and on all hosts."""

NEAR = 0.5
"""The bound is near when it is at most this part above the master: then prices are sought near the best so far."""

LEAST = 0.5
"""The part of the first guess below which no price falls there."""

LIKED = 20.0
"""How much less than nothing the simplest changes of all hosts may be worth at these prices to be taken in."""

SMOOTH = 0.5
"""The part of the prices asked with before in those that are asked with next."""

MANY, KEPT = 60_000, 30_000
"""So many changes make the linear master slow; then so many are kept."""


class MovingColumns:
    """Column generation over an inventory's hosts, for so many moves."""

    def __init__(self, inventory: Inventory, moves: int, budget: Budget) -> None:
        self._in, self._moves, self._budget = inventory, moves, budget
        self.changes: list[Change] = []
        self._known: set[Change] = set()
        self._every = 1
        guess = guessed(inventory)
        self._dear = DEAR * guess + SPARE * guess.max(initial=1.0)
        self._first = Prices(guess, FIRST_MOVE, np.zeros(0))
        self.bound: float = math.inf
        self.settled = False
        """Whether all ended by itself, nothing for want of time."""

    def add(self, changes: Iterable[Change]) -> int:
        """Let these changes be chosen; how many of them were not known."""
        new = [change for change in dict.fromkeys(changes) if change not in self._known]
        self._known.update(new)
        self.changes += new
        return len(new)

    def bounded_at(self, kinds: Numbers) -> None:
        """Bound at these prices of VMs, with a price of a move that bounds about best: the bound is convex in it."""
        kinds, move, least = np.round(kinds / PART) * PART, 0.0, math.inf
        while (bound := self._round(Prices(kinds, move, np.zeros(0)), learning=False)[0]) < least:
            least, move = bound, max(LEAST_MOVE, STEP * move)
        self._keep(least)

    def _keep(self, bound: float) -> None:
        """Keep what nobody beats, in whole numbers."""
        if math.isfinite(bound):
            self.bound = min(self.bound, math.floor(bound + 1e-6))

    def generate(self, until: float) -> Prices | None:
        """Add changes until none helps any more, or the budget's `left` has come down to `until`; the last prices."""
        asked, prices = self._first, None
        for every in (SAMPLE, 1) if len(self._in.groups) >= MANY_GROUPS else (1,):
            self._every = every
            first = simple(self._in, self._sampled())
            self.add(first if every > 1 else (one for one in first if asked.worth(one) > -LIKED))
            end = until if every == 1 else until + (1 - SAMPLE_SHARE) * max(0.0, self._budget.left - until)
            asked, prices = self._settled(asked, end)
        return prices

    def _settled(self, asked: Prices, until: float) -> tuple[Prices, Prices | None]:
        """The prices that were asked with last and the master's, once nothing helps any more (or hardly)."""
        prices = self.linear()
        rounds, slow = STEADY_ALL if self._every == 1 else STEADY
        bound, best, totals = math.inf, asked, [-math.inf] * rounds
        while prices is not None and not self._budget.short(until):
            reached = not prices.bought and prices.total >= self._part() * self.bound
            if reached or prices.total < (1 + slow) * totals[-rounds]:
                self.settled = self._every == 1
                break
            totals.append(prices.total)
            most, new = self._round(asked)
            if most < bound:
                bound, best = most, asked
            if new == 0 or bound - prices.total <= CLOSE * max(1.0, bound):
                if asked is prices and not prices.bought:
                    self.settled = self._every == 1
                    break
                self._dear[list(prices.bought)] *= DEARER
                asked = prices = self.linear() or prices
                continue
            self._forget(prices)
            prices = self.linear()
            if prices is not None:
                near = bound - prices.total <= NEAR * prices.total
                asked = self._kept(_between(best if near else asked, prices))
        if self._every == 1:
            self._keep(bound)
        return asked, prices

    def _kept(self, asked: Prices) -> Prices:
        """Prices that are not far below the first guess, while only a part of the hosts is looked at: what is not yet
        known to be of use is not given away.
        """
        if self._every == 1:
            return asked
        least = np.round(LEAST * self._first.kinds / PART) * PART
        return replace(asked, kinds=np.maximum(asked.kinds, least), move=max(asked.move, LEAST * FIRST_MOVE))

    def _sampled(self) -> range:
        """The groups that are looked at."""
        return range(0, len(self._in.groups), self._every)

    def _part(self) -> float:
        """The part of all hosts that is looked at."""
        groups = self._in.groups
        some = sum(len(groups[number].hosts) for number in self._sampled())
        return some / max(1, sum(len(group.hosts) for group in groups))

    def _forget(self, prices: Prices) -> None:
        """Keep the changes that these prices like best where there are very many."""
        if len(self.changes) > MANY:
            self.changes = prices.ranked(self.changes)[:KEPT]
            self._known = set(self.changes)

    def _round(self, asked: Prices, *, learning: bool = True) -> tuple[float, int]:
        """Ask every host for its best change; the bound at these prices, and how many changes are new."""
        changes = Changes(self._in, asked.kinds, asked.move)
        part = self._part()
        total = asked.move * self._moves * part
        for kind, price in zip(self._in.kinds, asked.kinds, strict=True):
            total += part * len(kind.waiting) * max(0.0, kind.value - price)
        new, known = 0, self._best(asked) if learning else np.zeros(len(self._in.groups))
        for number in self._sampled():
            if self._budget.over():
                return math.inf, new
            most, found = changes.of(number, float(known[number]))
            total += len(self._in.groups[number].hosts) * most
            new += self.add(found) if learning else 0
        return total, new

    def _best(self, asked: Prices) -> Numbers:
        """What the best change known so far of each group is worth at these prices."""
        best = np.zeros(len(self._in.groups))
        groups = np.array([change.group for change in self.changes], dtype=np.int64)
        np.maximum.at(best, groups, np.array([asked.worth(change) for change in self.changes]))
        return best

    def linear(self) -> Prices | None:
        """The linear master's prices; None where the linear solver ends without any."""
        return Master(self._in, self.changes, self._moves, self._dear, self._part()).prices(self._budget)

    def whole(self, prices: Prices, seconds: float, most: int) -> list[tuple[Change, int]]:
        """Changes chosen a whole number of times, from the `most` that the master's prices like best."""
        master = Master(self._in, prices.ranked(self.changes)[:most], self._moves)
        chosen, best = master.chosen(self._budget, seconds)
        self.settled = self.settled and best
        return chosen or self._rounded(prices)

    def _rounded(self, prices: Prices) -> list[tuple[Change, int]]:
        """The changes that the linear master takes most of a time, where no time was left for a better choice."""
        left = [len(group.hosts) for group in self._in.groups]
        chosen: list[tuple[Change, int]] = []
        for change, taken in zip(self.changes, prices.taken, strict=False):
            times = min(left[change.group], round(taken))
            if times:
                left[change.group] -= times
                chosen.append((change, times))
        return chosen


def _between(asked: Prices, prices: Prices) -> Prices:
    """The master's prices, smoothed with those that were asked with before."""
    kinds = np.round((SMOOTH * asked.kinds + (1 - SMOOTH) * prices.kinds) / PART) * PART
    return replace(prices, kinds=kinds, move=round((SMOOTH * asked.move + (1 - SMOOTH) * prices.move) / PART) * PART)
