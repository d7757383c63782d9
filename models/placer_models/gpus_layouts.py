"""Every legal way to add items to one GPU.

What is legal is said in `placer_models.gpus_row`. :func:`layouts` lists what may be added to a GPU that already holds
something, whoever picks the slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from placer_models.gpus_picked import first_slots, worst_slots
from placer_models.gpus_row import Items, Use, free_slots, units_at
from placer_models.gpus_search import Counts, Row, Seats, TooMany

Pick = Literal["any", "first", "worst"]


@dataclass(frozen=True)
class Layout:
    """One legal way to add items to a GPU.

    `counts[i]` items of `uses[i]`; `seats` are (index into uses, slot), ascending by slot, or in the order of arrival
    where the manager picks the slot. The slot is None where there are no positions.
    """

    counts: Counts
    seats: Seats


def layouts(
    uses: Sequence[Use],
    row_units: int,
    held: Items,
    *,
    maximal: bool,
    pick: Pick = "any",
    limit: int = 20000,
) -> list[Layout] | None:
    """Every legal way to add items of these uses (all of one sharing) to a GPU that already holds `held`.

    `maximal`: only the count vectors to which no item can be added, each with its lowest seats. Otherwise every
    distinct pair of counts and occupied units, the empty one first. Items with a lock, or without positions, differ
    only in their counts.

    `pick` says who chooses the slots: `any`, we do; `first`, the manager takes the first legal slot and the items come
    in some order; `worst`, only counts that, for one order of arrival, find room whatever legal slots the manager
    takes (their seats are an example: the first legal slots, in that order; counts differ, occupied units do not
    count).

    None: there would be more than `limit`, or the search would pass `limit` x `STATES_PER_LAYOUT` states.
    """
    found = _layouts(tuple(uses), row_units, tuple(held), maximal, pick, limit)
    return None if found is None else list(found)


@lru_cache(maxsize=512)
def _layouts(
    uses: tuple[Use, ...], row_units: int, held: Items, maximal: bool, pick: Pick, limit: int
) -> Sequence[Layout] | None:
    kinds = {use.lock for use, _ in held}
    if len(kinds) > 1:
        return [_layout(len(uses), ())]
    groups: dict[str | None, list[int]] = {}
    for index, use in enumerate(uses):
        if not kinds or use.lock in kinds:
            groups.setdefault(use.lock, []).append(index)
    found: list[Layout] = []
    for lock, group in groups.items():
        row = _Search([uses[index] for index in group], row_units, held, limit)
        try:
            if lock is not None or row.uses[0].starts is None:
                ways: Iterable[Seats] = row.amounts(maximal)
            elif any(slot is None for _, slot in held):
                ways = [()]
            else:
                ways = _seats(row, maximal, pick)
            found += [_layout(len(uses), tuple((group[i], slot) for i, slot in seats)) for seats in ways if seats]
        except TooMany:
            return None
        if len(found) > limit:
            return None
    return found if maximal and found else [_layout(len(uses), ()), *found]


class _Search(Row):
    """The ways to add items where we seat them."""

    # Items that differ only in how much they take: fractions, and items with a lock.

    def amounts(self, maximal: bool) -> Iterator[Seats]:
        """Every (maximal) count vector whose sum has room, seated on the lowest free slots."""
        positions = self.uses[0].starts is not None
        if positions:
            slots = free_slots(Use(1, self.uses[0].starts, self.uses[0].lock), self.units, self.held)
            room, weights = len(slots), [1] * len(self.uses)
        else:
            room, weights = self.units - sum(use.units for use, _ in self.held), [use.units for use in self.uses]
        order = sorted(range(len(weights)), key=lambda i: (-weights[i], self.capped[i] is False, i))
        for number, counts in enumerate(self._sums(order, weights, room, self.none, maximal)):
            if number >= self.limit:
                raise TooMany
            items = [i for i, count in enumerate(counts) for _ in range(count)]
            yield tuple((i, slots[at] if positions else None) for at, i in enumerate(items))

    def _sums(self, order: list[int], weights: list[int], room: int, counts: Counts, maximal: bool) -> Iterator[Counts]:
        """Count vectors with the uses in this order (heaviest first), each use as often as possible first."""
        if not order:
            if not maximal or not self._room_for_more(counts, weights, room):
                yield counts
            return
        index, rest = order[0], order[1:]
        chain = [counts]
        while (len(chain)) * weights[index] <= room and (more := self.one_more(chain[-1], index)) is not None:
            chain.append(more)
        for number in reversed(range(len(chain))):
            yield from self._sums(rest, weights, room - number * weights[index], chain[number], maximal)
            if maximal and not rest and not self.capped[index]:
                return  # fewer of the last and lightest always leave room for one more

    def _room_for_more(self, counts: Counts, weights: list[int], room: int) -> bool:
        return any(weight <= room and self.one_more(counts, i) is not None for i, weight in enumerate(weights))

    # Items with positions.

    def any_slots(self, maximal: bool) -> Iterable[Seats]:
        """What we can seat when we choose the slots."""
        return self._most() if maximal else self._every()

    def _every(self) -> list[Seats]:
        """Each pair of counts and occupied units once: a walk over the seats in ascending order, the lowest ones
        first.
        """
        seen: set[tuple[Counts, int]] = set()
        found: list[Seats] = []
        at = sorted((start, i) for i, starts in enumerate(self.starts) for start in starts)
        stack: list[tuple[int, Counts, int, Seats]] = [(0, self.none, 0, ())]
        while stack:
            frontier, counts, mask, seats = stack.pop()
            if (counts, mask) in seen:
                continue
            seen.add((counts, mask))
            found.append(seats)
            if len(found) > self.limit:
                raise TooMany
            for start, i in reversed(at):
                if start < frontier:
                    break
                if (more := self.one_more(counts, i)) is not None:
                    units = self.uses[i].units
                    stack.append((start + units, more, mask | units_at(start, units), (*seats, (i, start))))
        return found

    def _most(self) -> Iterator[Seats]:
        """The maximal count vectors, each with its lowest seats.

        `ahead[p]` holds what can stand on the units from p on. Fewer items always fit as well, so of one use (the one
        with most starts among those without caps) only the highest number is kept for each vector of the others.
        """
        free = [i for i, capped in enumerate(self.capped) if not capped]
        filler = max(free, key=lambda i: len(self.starts[i]), default=-1)
        ahead: list[dict[Counts, int]] = [{self.none: 0}] * (self.units + 1)
        for unit in reversed(range(self.units)):
            fresh: dict[Counts, int] | None = None
            for i, starts in enumerate(self.starts):
                if unit not in starts:
                    continue
                if fresh is None:
                    fresh = dict(ahead[unit + 1])
                for counts, number in ahead[unit + self.uses[i].units].items():
                    more = counts if i == filler else self.one_more(counts, i)
                    if more is not None and fresh.get(more, -1) < number + (i == filler):
                        fresh[more] = number + (i == filler)
            ahead[unit] = ahead[unit + 1] if fresh is None else fresh
            self.bounded(len(ahead[unit]))
        others = [i for i in range(len(self.uses)) if i != filler]
        for number, (counts, fill) in enumerate(_tops(ahead[0], others)):
            if number >= self.limit:
                raise TooMany
            yield self._lowest(ahead, filler, counts, fill)

    def _lowest(self, ahead: list[dict[Counts, int]], filler: int, counts: Counts, fill: int) -> Seats:
        seats: list[tuple[int, int | None]] = []
        unit = 0
        while fill or any(counts):
            for i, starts in enumerate(self.starts):
                if unit in starts:
                    less = counts if i == filler else (*counts[:i], counts[i] - 1, *counts[i + 1 :])
                    if ahead[unit + self.uses[i].units].get(less, -1) >= fill - (i == filler) >= 0:
                        seats.append((i, unit))
                        counts, fill, unit = less, fill - (i == filler), unit + self.uses[i].units
                        break
            else:
                unit += 1
        return tuple(seats)


def _seats(row: _Search, maximal: bool, pick: Pick) -> Iterable[Seats]:
    match pick:
        case "any":
            return row.any_slots(maximal)
        case "first":
            return first_slots(row, maximal)
        case "worst":
            return worst_slots(row, maximal)


def _layout(width: int, seats: Seats) -> Layout:
    numbers = Counter(index for index, _ in seats)
    return Layout(tuple(numbers[index] for index in range(width)), seats)


def _tops(most: dict[Counts, int], others: list[int]) -> Iterator[tuple[Counts, int]]:
    """The maximal vectors of a set with all that is below them: those that no single item can be added to."""
    for counts, fill in most.items():
        if all(most.get((*counts[:i], counts[i] + 1, *counts[i + 1 :]), -1) < fill for i in others):
            yield counts, fill
