"""The row of units of one GPU: what may stand on it together, and where.

A GPU in a sharing is a row of units (`GpuModel.row_units`); an item takes an interval of it at one of its legal
starts, or, in the sharing `fraction`, an amount without a position. All functions look at one GPU in one sharing and
hold to the same three rules: intervals do not overlap (MIGUG, UG17 A.3), all items carry the same lock (UG8, UG17: one
type or one size in same-size mode), and no named limit is exceeded. :func:`lays` says what is wrong with an
arrangement; :func:`free_slots` and :func:`layouts` offer only what it accepts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

Pick = Literal["any", "first", "worst"]
Held = Sequence[tuple["Use", int | None]]
Counts = tuple[int, ...]
Seats = tuple[tuple[int, int | None], ...]

STATES_PER_LAYOUT = 2
"""The search gives up (as if there were too many layouts) after this many intermediate states for each layout of the
limit.
"""


@dataclass(frozen=True)
class Use:
    """What one item takes of one GPU's row of units in one sharing.

    `units` is the length of its interval (pass-through and same-size: 1; fraction: the thousandths). `starts` are its
    legal starts, ascending; None: it has no position. All items of a GPU must carry the same `lock`; items with a lock
    are interchangeable, each takes one slot. `caps` are named limits: while this item stands on a GPU, at most that
    many items that carry the name may. `share_milli` is how many thousandths of the GPU the item stands for (of its
    memory, for a profile).
    """

    units: int
    starts: tuple[int, ...] | None
    lock: str | None = None
    caps: tuple[tuple[str, int], ...] = ()
    share_milli: int = 1000


@dataclass(frozen=True)
class Layout:
    """One legal way to add items to a GPU.

    `counts[i]` items of `uses[i]`; `seats` are (index into uses, slot), ascending by slot, or in the order of arrival
    where the manager picks the slot. The slot is None where there are no positions.
    """

    counts: Counts
    seats: Seats


def lays(items: Held, row_units: int) -> list[str]:
    """The faults of an arrangement (each item's use and slot) on one GPU, a sentence for each; empty: it is legal.

    An item with a lock may leave its slot open (same-size slots are interchangeable); any other that has positions may
    not.
    """
    faults = []
    locks = sorted({use.lock or "" for use, _ in items})
    if len(locks) > 1:
        faults.append(
            f"{' and '.join(lock or 'other items' for lock in locks)} on one GPU; it takes one of them at a time"
        )
    for name, (number, limit) in sorted(_limits(use for use, _ in items).items()):
        if number > limit:
            faults.append(f"{number} x {name} on one GPU, at most {limit}")
    taken = 0
    for use, slot in sorted(items, key=lambda item: -1 if item[1] is None else item[1]):
        if use.starts is None:
            continue
        if slot is None:
            if use.lock is None:
                faults.append("an item has no slot")
        elif slot not in use.starts:
            faults.append(f"slot {slot} is no legal start; legal: {_listed(use.starts)}")
        elif slot + use.units > row_units:
            faults.append(f"slot {slot} ends at unit {slot + use.units} of {row_units}")
        else:
            interval = _interval(slot, use.units)
            if taken & interval:
                faults.append(f"slot {slot} ({_span(slot, use.units)}) overlaps what stands there")
            taken |= interval
    locked = [use for use, _ in items if use.lock is not None and use.starts is not None]
    if locked and len(locked) > max(len(use.starts or ()) for use in locked):
        faults.append(
            f"{len(locked)} items on one GPU, at most {max(len(use.starts or ()) for use in locked)} of {locks[-1]}"
        )
    amount = sum(use.units for use, _ in items if use.starts is None)
    if amount > row_units:
        faults.append(f"{amount} of {row_units} thousandths are taken")
    return faults


def free_slots(use: Use, row_units: int, held: Held) -> tuple[int | None, ...]:
    """The legal slots for one more item on a GPU that holds `held`, ascending; empty: there is none.

    `(None,)`: there is room, and no position to choose. Where the slot of a held item is not known, nothing is surely
    free (save among items with a lock, which are interchangeable: there the lowest free slots are offered, one fewer
    for each such item).
    """
    if any(other.lock != use.lock for other, _ in held) or not _within_limits(use, held):
        return ()
    if use.starts is None:
        return (None,) if sum(other.units for other, _ in held) + use.units <= row_units else ()
    unknown = sum(slot is None for _, slot in held)
    if unknown and use.lock is None:
        return ()
    taken = _taken(held)
    free = [start for start in use.starts if start + use.units <= row_units and not taken & _interval(start, use.units)]
    return tuple(free[: max(len(free) - unknown, 0)])


def layouts(
    uses: Sequence[Use],
    row_units: int,
    held: Held,
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
    uses: tuple[Use, ...], row_units: int, held: Held, maximal: bool, pick: Pick, limit: int
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
        row = _Row([uses[index] for index in group], row_units, held, limit)
        try:
            if lock is not None or row.uses[0].starts is None:
                ways: Iterable[Seats] = row.amounts(maximal)
            elif any(slot is None for _, slot in held):
                ways = [()]
            else:
                ways = _BY_PICK[pick](row, maximal)
            found += [_layout(len(uses), tuple((group[i], slot) for i, slot in seats)) for seats in ways if seats]
        except _TooMany:
            return None
        if len(found) > limit:
            return None
    return found if maximal and found else [_layout(len(uses), ()), *found]


class _TooMany(Exception):
    """More layouts, or more states of the search, than the caller wants."""


class _Row:
    """The search over one GPU's row for items of one lock."""

    def __init__(self, uses: list[Use], row_units: int, held: Held, limit: int) -> None:
        self.uses, self.units, self.held, self.limit = uses, row_units, held, limit
        self.taken = _taken(held)
        self.capped = [bool(use.caps) for use in uses]
        self.none: Counts = (0,) * len(uses)
        self.starts = [
            tuple(
                start
                for start in use.starts or ()
                if start + use.units <= row_units and not self.taken & _interval(start, use.units)
            )
            for use in uses
        ]

    def one_more(self, counts: Counts, index: int) -> Counts | None:
        """The counts with one more of a use; None: a named limit forbids it."""
        more = (*counts[:index], counts[index] + 1, *counts[index + 1 :])
        if self.capped[index]:
            standing = [(use, None) for use, number in zip(self.uses, counts, strict=True) for _ in range(number)]
            if not _within_limits(self.uses[index], [*self.held, *standing]):
                return None
        return more

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
                raise _TooMany
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
                raise _TooMany
            for start, i in reversed(at):
                if start < frontier:
                    break
                if (more := self.one_more(counts, i)) is not None:
                    units = self.uses[i].units
                    stack.append((start + units, more, mask | _interval(start, units), (*seats, (i, start))))
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
            self._bounded(len(ahead[unit]))
        others = [i for i in range(len(self.uses)) if i != filler]
        for number, (counts, fill) in enumerate(_tops(ahead[0], others)):
            if number >= self.limit:
                raise _TooMany
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

    def first_slots(self, maximal: bool) -> Iterable[Seats]:
        """What comes about when the manager gives each arriving item its first legal slot."""
        reached: dict[tuple[Counts, int], Seats] = {(self.none, self.taken): ()}
        queue = list(reached)
        for counts, mask in queue:
            for i in range(len(self.uses)):
                slot = next(self._free(i, mask), None)
                if slot is None or (more := self.one_more(counts, i)) is None:
                    continue
                state = more, mask | _interval(slot, self.uses[i].units)
                if state not in reached:
                    reached[state] = (*reached[counts, mask], (i, slot))
                    queue.append(state)
            self._bounded(len(queue), maximal)
        return _picked(((counts, seats) for (counts, _), seats in reached.items()), maximal)

    def worst_slots(self, maximal: bool) -> Iterable[Seats]:
        """What finds room in some order of arrival, whatever legal slots the manager takes: every row that can come
        about is kept.
        """
        if len(self.uses) == 1 and all(b - a >= self.uses[0].units for a, b in pairwise(self.starts[0])):
            return self.first_slots(maximal)  # whichever it takes, one slot is gone
        start = (self.none, frozenset([self.taken]))
        reached: dict[tuple[Counts, frozenset[int]], Seats] = {start: ()}
        queue, rows = [start], 1
        for counts, masks in queue:
            for i, use in enumerate(self.uses):
                if (more := self.one_more(counts, i)) is None:
                    continue
                after: set[int] = set()
                for mask in masks:
                    slots = list(self._free(i, mask))
                    if not slots:
                        break
                    after.update(mask | _interval(slot, use.units) for slot in slots)
                else:
                    state = more, frozenset(after)
                    if state not in reached:
                        seats = reached[counts, masks]
                        mask = self.taken | sum(_interval(s or 0, self.uses[j].units) for j, s in seats)
                        reached[state] = (*seats, (i, next(self._free(i, mask))))
                        queue.append(state)
                        rows += len(after)
                        self._bounded(rows)
        once = {counts: seats for (counts, _), seats in reversed(reached.items())}
        return _picked(reversed(once.items()), maximal)

    def _free(self, index: int, mask: int) -> Iterator[int]:
        units = self.uses[index].units
        return (start for start in self.starts[index] if not mask & _interval(start, units))

    def _bounded(self, states: int, maximal: bool = True) -> None:
        if states > self.limit * (STATES_PER_LAYOUT if maximal else 1):
            raise _TooMany


_BY_PICK: dict[Pick, Callable[[_Row, bool], Iterable[Seats]]] = {
    "any": _Row.any_slots,
    "first": _Row.first_slots,
    "worst": _Row.worst_slots,
}


def _layout(width: int, seats: Seats) -> Layout:
    numbers = Counter(index for index, _ in seats)
    return Layout(tuple(numbers[index] for index in range(width)), seats)


def _tops(most: dict[Counts, int], others: list[int]) -> Iterator[tuple[Counts, int]]:
    """The maximal vectors of a set with all that is below them: those that no single item can be added to."""
    for counts, fill in most.items():
        if all(most.get((*counts[:i], counts[i] + 1, *counts[i + 1 :]), -1) < fill for i in others):
            yield counts, fill


def _picked(reached: Iterable[tuple[Counts, Seats]], maximal: bool) -> list[Seats]:
    """All, or one for each maximal count vector (of a set that need not hold all that is below)."""
    if not maximal:
        return [seats for _, seats in reached]
    one: dict[Counts, Seats] = {}
    for counts, seats in reached:
        one.setdefault(counts, seats)
    below = {(*counts[:i], number - 1, *counts[i + 1 :]) for counts in one for i, number in enumerate(counts) if number}
    kept: list[Counts] = []
    for counts in sorted(one.keys() - below, key=lambda counts: (-sum(counts), counts)):
        if not any(all(a <= b for a, b in zip(counts, other, strict=True)) for other in kept):
            kept.append(counts)
    return [one[counts] for counts in kept]


def _limits(uses: Iterable[Use]) -> dict[str, tuple[int, int]]:
    """For each named limit: how many carry it, and the least limit that any of them states."""
    found: dict[str, tuple[int, int]] = {}
    for use in uses:
        for name, limit in use.caps:
            number, least = found.get(name, (0, limit))
            found[name] = number + 1, min(least, limit)
    return found


def _within_limits(use: Use, held: Held) -> bool:
    """Whether the limits that `use` carries allow it beside `held`; a limit that is broken already is not this item's
    matter.
    """
    if not use.caps:
        return True
    found = _limits([use, *(other for other, _ in held)])
    return all(found[name][0] <= found[name][1] for name, _ in use.caps)


def _taken(held: Held) -> int:
    mask = 0
    for use, slot in held:
        if slot is not None and use.starts is not None:
            mask |= _interval(slot, use.units)
    return mask


def _interval(start: int, units: int) -> int:
    return (1 << units) - 1 << start


def _span(start: int, units: int) -> str:
    return f"unit {start}" if units == 1 else f"units {start}-{start + units - 1}"


def _listed(starts: tuple[int, ...]) -> str:
    if len(starts) > 4 and starts == tuple(range(starts[0], starts[-1] + 1)):
        return f"{starts[0]}-{starts[-1]}"
    return ", ".join(map(str, starts))
