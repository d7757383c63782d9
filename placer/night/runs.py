"""The runs of jobs of a night that is planned from its midst on: those that go on, those that are kept, and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from placer.night.back import after
from placer.night.left import Left
from placer.night.quiet import undisturbed
from placer.night.result import Result
from placer.night.window import Night
from placer.solve.errands import Run, slots_of
from placer.solve.freed import FreedHosts
from placer.solve.jobs import taken
from placer_models.clock import Clock
from placer_models.goals.night import finished
from placer_models.night import Job
from placer_models.plan import Freed, JobRun, Plan
from placer_models.scene import Scene


def _at(plan: Plan) -> datetime:
    """When a plan that goes on does so."""
    assert plan.asked is not None
    assert plan.asked.begun is not None
    return plan.asked.begun.at


def _within(run: JobRun, free: Iterable[Freed]) -> bool:
    return any(freed.host == run.host and freed.from_ <= run.start < freed.until for freed in free)


class Runs:
    """A plan's runs at an instant. `taken` are the free hosts that stay so as they are: all of them (`keep`), with the
    runs that were to come on them, or those on which runs go on; `to_free` the hosts that were still to be freed.
    """

    def __init__(self, plan: Plan, jobs: Sequence[Job], scene: Scene, begin: datetime, *, keep: bool) -> None:
        self.begin, at = begin, _at(plan)
        self._told = [
            freed for freed in plan.freed if freed.until <= begin and (freed.from_ <= at or not scene.on(freed.host))
        ]
        self._open = {
            freed.host: freed for freed in plan.freed if freed.from_ <= begin < freed.until and not scene.on(freed.host)
        }
        free = (*self._told, *self._open.values())  # while steps are under way, runs begin only where all have left
        self.old = [run for run in plan.jobs if run.start < at or (run.start < begin and _within(run, free))]
        self.taken = set(self._open) if keep else {run.host for run in self.old if run.end > begin} & set(self._open)
        if keep:
            self.old += [run for run in plan.jobs if run.start >= begin and run.host in self.taken]
        self.to_free = {freed.host for freed in plan.freed if freed.until > begin} - self.taken
        self._plan, self._jobs = plan, jobs
        self._more: list[tuple[str, int, datetime, datetime]] = []

    def left(self) -> Left:
        """What neither has been done nor is to be in the runs that stay, or in new ones."""
        in_parts = {job.name: job.checkpointed for job in self._jobs}
        left, stays = Left(self._jobs), self._plan.model_copy(update={"jobs": tuple(self.old)})
        for job in self._jobs:
            for number in finished(job, stays):
                left.over(job.name, number)
        for run in self.old:
            left.ran(run.job, run.instance, run.start, run.end)
            if run.start < self.begin < run.end and not in_parts[run.job]:
                left.over(run.job, run.instance)
        for fresh in self._more:
            left.ran(*fresh)
        return left

    def more(self, runs: Sequence[Run], clock: Clock) -> None:
        """New runs have been found."""
        self._more += [(run.job, run.instance, clock.instant(run.start), clock.instant(run.end)) for run in runs]

    def settle(self, night: Night, result: Result) -> list[Run]:
        """Runs on the hosts that are free already end before somebody comes there; more runs where there is time."""
        comes = result.back.arrivals()
        until = {host: comes.get(host, night.seconds) for host in self.taken}
        kept: list[JobRun] = []
        busy = dict.fromkeys(self.taken, 0)
        for run in self.old:
            if run.host in until and run.end > self.begin:
                end = night.clock.instant(until[run.host])
                if run.start >= self.begin and run.end > end:
                    continue
                run = run.model_copy(update={"end": min(run.end, end)})
                busy[run.host] = max(busy[run.host], night.clock.seconds(run.end))
            kept.append(run)
        self.old = kept
        for host, seconds in until.items():
            end = night.clock.instant(seconds)
            self._open[host] = self._open[host].model_copy(update={"until": end})
        hours = {host: (busy[host], until[host]) for host in sorted(self.taken) if busy[host] < until[host]}
        hours = {**undisturbed(night, result.schedule, result.back, hours)}
        dusk = after(night.scene, result.schedule.actions)
        cluster = night.scene.cluster
        free = FreedHosts(cluster, night.rules, slots_of(cluster, hours, dusk))
        more = taken(free, self.left().errands(night.clock), {}, budget=night.budget)
        self.more(more, night.clock)
        return more

    def freed(self, new: Sequence[Freed]) -> Iterator[Freed]:
        """All freed intervals: hosts that were free before `begin` and still are stay so without a break."""
        yield from (freed for freed in self._all(new) if freed.from_ < freed.until)

    def _all(self, new: Sequence[Freed]) -> Iterator[Freed]:
        yield from self._told
        on = {freed.host for freed in new if freed.from_ == self.begin and freed.host in self._open}
        for host, freed in self._open.items():
            if host in self.taken:
                yield freed
            elif host not in on and freed.from_ < self.begin:
                yield freed.model_copy(update={"until": self.begin})
        for freed in new:
            yield freed.model_copy(update={"from_": self._open[freed.host].from_}) if freed.host in on else freed
