"""Which job runs when on which freed host: the target's counts given their hours, then whatever else still fits."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from placer.solve.budget import Budget
from placer.solve.choices import Begun, Choice
from placer.solve.errands import Errand, Run, value_of
from placer.solve.freed import FreedHosts
from placer.solve.hours import best_hours
from placer.solve.parts import Stretch, covered, paired

Wanted = Mapping[tuple[str, str], int]
"""What a target wants of an errand on a host: instances, or seconds of one that is done in parts."""

MOST_CHOICES = 3_000
"""Pairs of a job and a slot up to which their hours are searched for."""

PATIENCE = 1.0
"""For how many seconds runs are dealt out although the time of the search is over: they take milliseconds, but where a
reserve is asked about each.
"""

Way = Callable[[Errand, int], Sequence[Run]]
"""Runs for an instance of an errand; nothing: there is no such way."""


def taken(
    freed: FreedHosts,
    errands: Sequence[Errand],
    wanted: Wanted,
    promised: int | None = None,
    *,
    budget: Budget | None = None,
) -> list[Run]:
    """Run what the target wants on each host, then whatever is left on any host, the most valuable first; where that is
    worth less than what is promised (default: by the target), other ways are tried, and the hours searched for. An
    instance runs as a whole, or not at all; none is begun when the time is over.
    """
    budget = budget or Budget(math.inf)
    deal = _Deal(freed, errands, wanted, budget)
    promised = deal.promised() if promised is None else promised
    runs = deal.in_turn()
    if value_of(runs) < promised and any(errand.least for errand in errands) and not budget.over():
        runs = max(runs, deal.packed(), key=value_of)
    if value_of(runs) < promised and len(freed.slots) * len(errands) <= MOST_CHOICES and not budget.over():
        runs = max(runs, deal.searched(runs, promised, budget), key=value_of)
    return sorted(runs, key=lambda run: (run.start, run.job, run.instance))


class _Deal:
    """One round of dealing out what freed hosts have; each way of it begins anew."""

    def __init__(self, freed: FreedHosts, errands: Sequence[Errand], wanted: Wanted, budget: Budget) -> None:
        self._freed, self._budget = freed, budget
        self._until = time.monotonic() + PATIENCE
        self._every = range(len(freed.slots))
        self._by_end = sorted(errands, key=lambda one: (one.latest, -one.value / one.seconds, one.name))
        self._by_worth = sorted(errands, key=lambda one: (-one.value / one.seconds, one.latest, one.name))
        self._wanted = wanted
        self._done: dict[str, int] = defaultdict(int)

    def promised(self) -> int:
        """What the target's counts are worth."""
        return sum(errand.value * self._instances(errand) for errand in self._by_end)

    def _instances(self, errand: Errand) -> int:
        """How many instances the target's counts are, on all hosts together."""
        return sum(n for (name, _), n in self._wanted.items() if name == errand.name) * errand.unit // errand.seconds

    def in_turn(self) -> list[Run]:
        """What is wanted, who must end first coming first; then whatever else fits."""
        runs = list(self._unbroken())
        for errand in self._by_end:
            for _ in range(self._instances(errand) if errand.least else 0):
                runs += self._next(errand, self._whole, self._in_pieces)
        return runs + list(self._fill())

    def packed(self) -> list[Run]:
        """Likewise, but what is done in parts fills hosts to the end, one after the other."""
        runs = list(self._unbroken())
        for errand in self._by_worth:
            ways = (self._beside, self._paired, self._whole, self._in_pieces) if errand.least else ()
            while pieces := self._next(errand, *ways):
                runs += pieces
        return runs + list(self._fill())

    def _unbroken(self) -> Iterator[Run]:
        """What is wanted of errands that are not done in parts, on hosts on which nothing runs yet."""
        self._freed.clear()
        self._done.clear()
        for number, slot in enumerate(self._freed.slots):
            for errand in self._by_end:
                if not errand.least:
                    yield from self._several(errand, number, self._wanted.get((errand.name, slot.host.name), 0))

    def _fill(self) -> Iterator[Run]:
        """Whatever is left to do and still fits, the most valuable first."""
        for errand in self._by_worth:
            for number in self._every:
                yield from self._several(errand, number, errand.instances)
            while errand.least and (runs := self._next(errand, self._in_pieces)):
                yield from runs

    def _next(self, errand: Errand, *ways: Way) -> Sequence[Run]:
        """The runs of an errand's next instance in the first of some ways that there is; nothing: there is none."""
        done = self._done[errand.name]
        for way in ways if done < errand.instances and not self._over() else ():
            if runs := way(errand, errand.numbers[done]):
                self._done[errand.name] += 1
                return runs
        return ()

    def _several(self, errand: Errand, number: int, most: int) -> Iterator[Run]:
        """So many instances more at most in a slot, each in one run."""
        while not self._over():
            done = self._done[errand.name]
            left = errand.numbers[done : done + most]
            runs = self._freed.fit(errand, number, left) if left else []
            if not runs:
                return
            self._done[errand.name] += len(runs)
            most -= len(runs)
            yield from runs

    def _over(self) -> bool:
        return time.monotonic() > self._until and self._budget.over()

    def _whole(self, errand: Errand, instance: int) -> Sequence[Run]:
        """In one run, in the first slot that has room."""
        return self._first_fit(errand, instance, self._every)

    def _beside(self, errand: Errand, instance: int) -> Sequence[Run]:
        """In one run, in the first slot with room that has runs already."""
        return self._first_fit(errand, instance, self._used())

    def _used(self) -> list[int]:
        return [number for number in self._every if self._freed.runs[number]]

    def _first_fit(self, errand: Errand, instance: int, slots: Sequence[int]) -> Sequence[Run]:
        return next((runs for number in slots if (runs := self._freed.fit(errand, number, (instance,)))), ())

    def _paired(self, errand: Errand, instance: int) -> Sequence[Run]:
        """At the end of a slot that has runs already, and before that at the beginning of another."""
        used = self._used()
        tails = self._stretches(errand, used)
        heads = tails + self._stretches(errand, [number for number in self._every if number not in used])
        pieces = paired(tails, heads, errand.seconds, errand.least, errand.again)
        return self._freed.put(errand, instance, pieces)

    def _in_pieces(self, errand: Errand, instance: int) -> Sequence[Run]:
        """In pieces, as soon as may be."""
        pieces = covered(self._stretches(errand, self._every), errand.seconds, errand.least, errand.again)
        return self._freed.put(errand, instance, pieces)

    def _stretches(self, errand: Errand, slots: Sequence[int]) -> list[Stretch]:
        return [stretch for number in slots for stretch in self._freed.stretches(errand, number)]

    def searched(self, runs: Sequence[Run], promised: int, budget: Budget) -> list[Run]:
        """The most valuable hours, if they are better than these, then whatever else fits. Of an instance that is left
        without a part none runs.
        """
        place = {errand.name: {number: i for i, number in enumerate(errand.numbers)} for errand in self._by_end}
        known = [
            Begun(run.start, run.errand.name, run.slot, run.end, place[run.errand.name][run.instance]) for run in runs
        ]
        begun = best_hours(
            list(self._choices()),
            [[resource.room(slot.host) for resource in self._freed.resources] for slot in self._freed.slots],
            {errand.name: errand.instances for errand in self._by_end},
            {errand.name: errand.value for errand in self._by_end},
            known,
            promised,
            budget,
        )
        if begun is None:
            return []
        self._until = time.monotonic() + PATIENCE  # what took time to find is carried out
        self._freed.clear()
        self._done.clear()
        by_name = {errand.name: errand for errand in self._by_end}
        pieces: dict[tuple[str, int], list[Stretch]] = defaultdict(list)
        for one in begun:
            pieces[one.job, one.instance].append(Stretch(one.slot, one.start, one.end))
        found: list[Run] = []
        for (name, _), its in pieces.items():
            trimmed = _no_longer(by_name[name], its)
            found += self._next(by_name[name], partial(self._freed.put, pieces=trimmed))
        return found + list(self._fill())

    def _choices(self) -> Iterator[Choice]:
        """Each job in each slot that could run it."""
        for number, slot in enumerate(self._freed.slots):
            every = [resource.room(slot.host) for resource in self._freed.resources]
            for errand in self._by_end:
                earliest, latest = errand.within(slot.hours)
                if latest - earliest < (errand.least or errand.seconds):
                    continue
                turns = (latest - earliest) // errand.seconds if not errand.least else 1
                most = min(errand.instances, self._freed.at_once(errand, number) * turns)
                amounts = [resource.amount(errand.vm) for resource in self._freed.resources]
                takes = every if errand.whole_host else amounts
                if most > 0:
                    hours = errand.seconds, earliest, latest
                    yield Choice(errand.name, number, most, *hours, takes, errand.least, errand.again)


def _no_longer(errand: Errand, pieces: Sequence[Stretch]) -> list[Stretch]:
    """The pieces of an instance, the last of which ends when all is done."""
    *most, last = pieces
    spent = sum(end - start for _, start, end in pieces) - errand.again * len(most)
    over = min(spent - errand.seconds, last.end - last.start - errand.least)
    return [*most, last._replace(end=last.end - over)] if errand.least else list(pieces)
