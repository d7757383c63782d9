"""When each job runs on which freed host, for the most value: over all slots at once where they are few, else over some
at a time while the runs in the others stand still.

A run takes of its host's CPUs, memory and GPUs what it takes at least of any (`least.py`), a whole-host run all of
them. Which GPUs it has is found afterwards; so what comes out is tried in order of time, and who finds none is left
out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from random import Random

from placer.solve.budget import Budget
from placer.solve.choices import Begun, Choice
from placer.solve.intervals import best_intervals
from placer.solve.starts import best_starts

FEW_SLOTS = 6
"""Slots up to which all are searched at once."""

SOME_SLOTS = 4
"""Slots that are searched at a time where there are more."""

WORK, WORK_SOME = 0.5, 0.1
"""Deterministic seconds of a search at most, over all slots and over some."""

MOST_PASSES = 4
"""How often each slot is searched with others at most."""


def best_hours(
    choices: Sequence[Choice],
    rooms: Sequence[Sequence[int]],
    instances: Mapping[str, int],
    value: Mapping[str, int],
    known: Sequence[Begun],
    promised: float = math.inf,
    budget: Budget | None = None,
) -> list[Begun] | None:
    """The most valuable runs, in order of time; None where there is nothing better than what is `known`, or it is too
    much to search. It ends with what is worth as much as is `promised`.
    """
    budget = budget or Budget(math.inf)
    if any(choice.least for choice in choices):
        return best_intervals(choices, rooms, instances, value, known, budget)
    best = list(known)
    for some in _searches(sorted({choice.slot for choice in choices})):
        if budget.over() or sum(value[one.job] for one in best) >= promised:
            break
        stays = [one for one in best if one.slot not in some]
        elsewhere = Counter(one.job for one in stays)
        found = best_starts(
            [choice for choice in choices if choice.slot in some],
            {slot: rooms[slot] for slot in some},
            {job: many - elsewhere[job] for job, many in instances.items()},
            value,
            [one for one in best if one.slot in some],
            WORK if len(some) <= FEW_SLOTS else WORK_SOME,
            budget,
        )
        if found is not None:
            best = stays + found
    return _numbered(best) if sum(value[one.job] for one in best) > sum(value[one.job] for one in known) else None


def _searches(slots: Sequence[int]) -> Iterator[Collection[int]]:
    """The slots that are searched together, one search after the other."""
    if len(slots) <= FEW_SLOTS:
        yield slots
        return
    chance = Random(0)
    for _ in range(MOST_PASSES):
        order = chance.sample(slots, len(slots))
        yield from (order[number : number + SOME_SLOTS] for number in range(0, len(order), SOME_SLOTS))


def _numbered(runs: Sequence[Begun]) -> list[Begun]:
    """The runs in order of time, each of an instance of its own."""
    many: Counter[str] = Counter()
    found: list[Begun] = []
    for one in sorted(runs):
        found.append(one._replace(instance=many[one.job]))
        many[one.job] += 1
    return found
