"""What is left to do of jobs as a night, or several, go by: whole instances, and what is left of those in parts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from placer.solve.errands import Errand
from placer_models.clock import Clock
from placer_models.night import Job

Hours = tuple[int, int]
"""From a second until another."""


@dataclass(frozen=True)
class Ahead:
    """In what time an instance that is begun in a night can be done, in seconds from its beginning: `tonight` the hours
    for which some host can be free, `later` those of the nights to come.
    """

    tonight: Hours
    later: Sequence[Hours] = ()


class Left:
    """The instances of jobs that have not run to their end yet. What has run is told with `ran`."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._ran: dict[tuple[str, int], list[tuple[datetime, int]]] = defaultdict(list)
        self._since: dict[tuple[str, int], datetime] = {}
        self._over: set[tuple[str, int]] = set()

    def ran(self, job: str, instance: int, start: datetime, end: datetime) -> None:
        """An instance has run, or is to run; it goes on after that."""
        self._ran[job, instance].append((start, round((end - start).total_seconds())))
        self._since[job, instance] = max(end, self._since.get((job, instance), end))

    def over(self, job: str, instance: int) -> None:
        """An instance needs nothing more."""
        self._over.add((job, instance))

    def errands(self, clock: Clock, ahead: Ahead | None = None) -> list[Errand]:
        """What is left, in seconds of a clock. With `ahead` instances that cannot be done tonight, and may be done in
        parts, are offered as much of them as can, for the part of their value that this is, if the nights to come have
        the time for the rest.
        """
        return [errand for job in self._jobs for whole in self._whole(job, clock) for errand in _offered(whole, ahead)]

    def _whole(self, job: Job, clock: Clock) -> Iterator[Errand]:
        """What is left of a job: the instances that have not begun, and each that has by itself."""
        seconds, again = math.ceil(job.hours * 3600), 60 * job.checkpoint_minutes
        least = math.ceil(min(job.hours, job.least_part_hours) * 3600) if job.checkpointed else 0
        fresh: list[int] = []
        for number in range(job.instances):
            done = job.done([length for _, length in sorted(self._ran.get((job.name, number), ()))])
            if (job.name, number) in self._over or done >= job.hours * 3600:
                continue
            if done > 0 and job.checkpointed:
                rest = max(least, math.ceil(job.hours * 3600 - done) + again)
                errand = _errand(job, clock, f"{job.name}\n{number}", (number,), rest, least, again)
                yield replace(errand, earliest=max(errand.earliest, clock.seconds(self._since[job.name, number])))
            else:
                fresh.append(number)
        if fresh:
            yield _errand(job, clock, job.name, tuple(fresh), seconds, least, again)


def _errand(job: Job, clock: Clock, name: str, numbers: Sequence[int], seconds: int, least: int, again: int) -> Errand:
    return Errand(
        name=name,
        vm=job.vm(job.name),
        numbers=numbers,
        seconds=seconds,
        value=job.value,
        earliest=0 if job.not_before is None else max(0, -(-clock.seconds(job.not_before) // 1)),
        latest=10**9 if job.deadline is None else clock.seconds(job.deadline),
        whole_host=job.whole_host,
        least=least,
        again=again if least else 0,
    )


def _offered(errand: Errand, ahead: Ahead | None) -> Iterator[Errand]:
    """An errand as it is, or the part of it that can be done tonight, or nothing where no time is left for it."""
    tonight = 0 if ahead is None else _length(errand, ahead.tonight)
    if ahead is None or not errand.least or errand.seconds <= tonight:
        yield errand
        return
    nights = [length for its in ahead.later if (length := _length(errand, its)) >= max(errand.least, errand.again + 1)]
    part = min(tonight, errand.seconds + errand.again - errand.least)  # the rest must be long enough, too
    rest, more = errand.seconds - part, 0
    while rest > 0 and more < len(nights):
        rest -= nights[more] - errand.again
        more += 1
    if rest <= 0 and part >= errand.least:
        value = errand.value * part // (errand.seconds + more * errand.again)
        yield replace(errand, seconds=part, value=max(min(1, errand.value), value))


def _length(errand: Errand, hours: Hours) -> int:
    earliest, latest = errand.within(hours)
    return max(0, latest - earliest)
