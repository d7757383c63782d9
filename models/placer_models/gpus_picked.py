"""What can be added to a GPU where the manager picks the slots: the first legal ones, or whichever it likes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from placer_models.gpus_row import units_at
from placer_models.gpus_search import Counts, Row, Seats


def first_slots(row: Row, maximal: bool) -> Iterable[Seats]:
    """What comes about when the manager gives each arriving item its first legal slot."""
    reached: dict[tuple[Counts, int], Seats] = {(row.none, row.taken): ()}
    queue = list(reached)
    for counts, mask in queue:
        for i in range(len(row.uses)):
            slot = next(row.free(i, mask), None)
            if slot is None or (more := row.one_more(counts, i)) is None:
                continue
            state = more, mask | units_at(slot, row.uses[i].units)
            if state not in reached:
                reached[state] = (*reached[counts, mask], (i, slot))
                queue.append(state)
        row.bounded(len(queue), maximal)
    return _picked(((counts, seats) for (counts, _), seats in reached.items()), maximal)


def worst_slots(row: Row, maximal: bool) -> Iterable[Seats]:
    """What finds room in some order of arrival, whatever legal slots the manager takes: every row that can come
    about is kept.
    """
    if len(row.uses) == 1 and all(b - a >= row.uses[0].units for a, b in pairwise(row.starts[0])):
        return first_slots(row, maximal)  # whichever it takes, one slot is gone
    start = (row.none, frozenset([row.taken]))
    reached: dict[tuple[Counts, frozenset[int]], Seats] = {start: ()}
    queue, rows = [start], 1
    for counts, masks in queue:
        for i, use in enumerate(row.uses):
            if (more := row.one_more(counts, i)) is None:
                continue
            after: set[int] = set()
            for mask in masks:
                slots = list(row.free(i, mask))
                if not slots:
                    break
                after.update(mask | units_at(slot, use.units) for slot in slots)
            else:
                state = more, frozenset(after)
                if state not in reached:
                    seats = reached[counts, masks]
                    mask = row.taken | sum(units_at(s or 0, row.uses[j].units) for j, s in seats)
                    reached[state] = (*seats, (i, next(row.free(i, mask))))
                    queue.append(state)
                    rows += len(after)
                    row.bounded(rows)
    once = {counts: seats for (counts, _), seats in reversed(reached.items())}
    return _picked(reversed(once.items()), maximal)


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
