"""Hours of jobs that run without a break: how many of each begin at which of a few instants, for the most value.

Runs can be moved earlier until each begins with its host's hours, when its job may, or when another ends. So it begins
so many times the common measure of all lengths after one of the instants before which somebody may not begin. Where
those would be too many, lengths are rounded up to a coarser measure: what is found then can be carried out, too, but
need not be the best. On so few instants the linear relaxation says nearly everything, which it does not of intervals.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ortools.sat.python import cp_model

from placer.solve.budget import Budget
from placer.solve.choices import Begun, Choice

MOST_TERMS = 20_000
"""Up to so many times that somebody may be under way when somebody may begin it is worth a search."""


class _May(NamedTuple):
    """So many instances may begin with `choice` at `start`."""

    choice: Choice
    start: int
    many: cp_model.IntVar


def best_starts(
    choices: Sequence[Choice],
    rooms: Mapping[int, Sequence[int]],
    instances: Mapping[str, int],
    value: Mapping[str, int],
    known: Sequence[Begun],
    work: float,
    budget: Budget,
) -> list[Begun] | None:
    """The most valuable runs in these slots; None where nothing better than what is `known` is found in so many
    deterministic seconds, or it is too much to search.
    """
    origins = {slot: sorted({one.earliest for one in choices if one.slot == slot}) for slot in rooms}
    tick = _tick(choices, origins)
    if tick is None:
        return None
    model = cp_model.CpModel()
    before = {(one.job, one.slot, one.start): 0 for one in known}
    for one in known:
        before[one.job, one.slot, one.start] += 1
    mays: list[_May] = []
    for choice in choices:
        most = min(choice.most, instances[choice.job])
        for start in _starts(choice, origins[choice.slot], tick):
            may = _May(choice, start, model.new_int_var(0, most, ""))
            mays.append(may)
            model.add_hint(may.many, min(most, before.get((choice.job, choice.slot, start), 0)))
    for slot, room in rooms.items():
        _fit(model, [may for may in mays if may.choice.slot == slot], room, tick)
    by_job: dict[str, list[cp_model.IntVar]] = defaultdict(list)
    for may in mays:
        by_job[may.choice.job].append(may.many)
    for job, counts in by_job.items():
        model.add(sum(counts) <= instances[job])
    aim = sum(value[may.choice.job] * may.many for may in mays)
    model.add(aim > sum(value[one.job] for one in known))
    model.maximize(aim)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_deterministic_time = 1, work
    solver.parameters.linearization_level = 2
    if budget.solve(solver, model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return [
        Begun(may.start, may.choice.job, may.choice.slot, may.start + may.choice.seconds, 0)
        for may in mays
        for _ in range(solver.value(may.many))
    ]


def _tick(choices: Sequence[Choice], origins: Mapping[int, Sequence[int]]) -> int | None:
    """The common measure of all lengths, or so many times it that a search is worth it; None: it never is."""
    tick = math.gcd(*(choice.seconds for choice in choices))
    longest = max((choice.latest - choice.earliest for choice in choices), default=0)
    while sum(_terms(choice, origins[choice.slot], tick) for choice in choices) > MOST_TERMS:
        if tick > longest:
            return None
        tick *= 2
    return tick


def _terms(choice: Choice, origins: Sequence[int], tick: int) -> int:
    """How many starts there are, times how many ticks each run takes."""
    last = choice.latest - choice.seconds
    return sum(max(0, (last - origin) // tick + 1) for origin in origins) * -(-choice.seconds // tick)


def _starts(choice: Choice, origins: Sequence[int], tick: int) -> list[int]:
    """When instances may begin."""
    last = choice.latest - choice.seconds
    return sorted({start for origin in origins for start in range(origin, last + 1, tick) if start >= choice.earliest})


def _fit(model: cp_model.CpModel, mays: Collection[_May], room: Sequence[int], tick: int) -> None:
    """What is under way in a slot fits whenever something begins there."""
    for instant in sorted({may.start for may in mays}):
        under_way = [may for may in mays if may.start <= instant < may.start - (-may.choice.seconds // tick) * tick]
        for what, has in enumerate(room):
            takes = [(may.many, may.choice.takes[what]) for may in under_way if may.choice.takes[what]]
            unit = math.gcd(*(amount for _, amount in takes)) or 1
            if takes:
                model.add(sum(amount // unit * count for count, amount in takes) <= has // unit)
