"""Jobs dealt out once more, to the freed hosts of several nights together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from placer.night.back import after
from placer.night.left import Left
from placer.night.quiet import undisturbed
from placer.night.result import Result
from placer.night.window import Night
from placer.solve.errands import Run, Slot, gains_of, slots_of, value_of
from placer.solve.freed import FreedHosts
from placer.solve.jobs import taken
from placer_models.night import Job

Nights = list[tuple[Night, Result]]


class Dealing:
    """The runs of several nights, in seconds since the first one's beginning; each is worth what all of its instance
    is.

    Runs on flashed hosts stay as they are, and so do all of the same instances.
    """

    def __init__(self, nights: Nights, jobs: Sequence[Job]) -> None:
        self._nights, self._jobs = nights, {job.name: job for job in jobs}
        first = nights[0][0].clock
        self._later = [first.seconds(night.clock.origin) for night, _ in nights]
        self._flashed = [{flash.host for flash in result.flashes} for _, result in nights]
        self._runs = [
            [
                replace(
                    run,
                    errand=replace(run.errand, value=self._jobs[run.job].value),
                    start=run.start + later,
                    end=run.end + later,
                )
                for run in result.runs
            ]
            for (_, result), later in zip(nights, self._later, strict=True)
        ]
        self._kept = {
            run.name for runs, hosts in zip(self._runs, self._flashed, strict=True) for run in runs if run.host in hosts
        }

    @property
    def _every(self) -> list[Run]:
        return [run for runs in self._runs for run in runs]

    @property
    def worth(self) -> int:
        """What the instances bring that are finished."""
        done = self._done()
        return value_of(run for run in self._every if run.name in done)

    def _done(self) -> set[str]:
        """The names of the instances that are finished."""
        its: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(self._every, key=lambda run: run.start):
            its[run.name].append(run)
        jobs = {name: self._jobs[runs[0].job] for name, runs in its.items()}
        return {
            name
            for name, runs in its.items()
            if jobs[name].done([run.end - run.start for run in runs]) >= jobs[name].hours * 3600
        }

    def again(self, most: int) -> None:
        """Deal the jobs out again where they might bring more (`most`: what no plan beats), and take that if they do.
        Runs that finish nothing are left out.
        """
        done, kept = self._done(), [run for run in self._every if run.name in self._kept]
        worth = self.worth
        fixed = value_of(run for run in kept if run.name in done)
        before = self._runs
        if worth < most:
            night = self._nights[0][0]
            slots, numbers = self._slots(kept)
            left = Left(list(self._jobs.values()))
            for job, instance in {(run.job, run.instance) for run in kept}:
                left.over(job, instance)
            freed = FreedHosts(night.scene.cluster, night.rules, slots)
            found = taken(freed, left.errands(night.clock), {}, most - fixed, budget=night.budget)
            if value_of(found) + fixed > worth:
                self._runs = [[run for run in runs if run.name in self._kept] for runs in before]
                for run in found:
                    self._runs[numbers[run.slot]].append(run)
                if not self.pays():
                    self._runs = before
        self._write()

    def _slots(self, kept: Sequence[Run]) -> tuple[list[Slot], list[int]]:
        """The freed hosts of all nights on which nothing is kept, and to which night each belongs."""
        slots, numbers = list[Slot](), list[int]()
        for number, (night, result) in enumerate(self._nights):
            later, taken_ = self._later[number], self._flashed[number] | {run.host for run in kept}
            quiet = undisturbed(night, result.schedule, result.back, result.hours)
            hours = {host: (begin + later, end + later) for host, (begin, end) in quiet.items() if host not in taken_}
            slots += slots_of(night.scene.cluster, hours, after(night.scene, result.schedule.actions))
            numbers += [number] * len(hours)
        return slots, numbers

    def pays(self) -> bool:
        """Whether each host that is freed has its least gain."""
        request = self._nights[0][0].request
        named = request.free if isinstance(request.free, tuple) else ()
        gains = gains_of(self._every)
        stood = self._nights[0][0].scene
        return all(
            gains.get(host, 0) >= request.limits.least_gain
            for _, result in self._nights
            for host in result.hours
            if stood.on(host) and host not in named
        )

    def _write(self) -> None:
        """Give each night its runs. Those that finish nothing stay where a flash, or a least gain, is for them."""
        done, keep = self._done(), self._nights[0][0].request.limits.least_gain > 0
        for (_, result), runs, later, flashed in zip(self._nights, self._runs, self._later, self._flashed, strict=True):
            result.runs = [
                replace(run, start=run.start - later, end=run.end - later)
                for run in sorted(runs, key=lambda run: (run.start, run.job, run.instance))
                if keep or run.name in done or run.host in flashed
            ]
