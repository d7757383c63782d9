"""The runs of jobs in the midst of a plan's night, and the hosts that are freed for them: what has come of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from placer.judge.timeline import CLOCK, JOB_STEPS, told
from placer_models.cluster import Cluster, Host
from placer_models.document import quote
from placer_models.night import Job
from placer_models.plan import Freed, JobRun, Plan, Step


@dataclass
class Runs:
    """The runs of a plan as a cluster shows them at an instant. `jobs` say which of their instances run, where that is
    known; of a run that came to an end before its time they say so no more. `said` gets all that is not as planned.
    """

    cluster: Cluster
    plan: Plan
    at: datetime
    jobs: dict[str, Job]
    said: list[str]
    overran: list[JobRun] = field(default_factory=list)
    """Runs, as planned, that take longer."""

    def run(self, run: JobRun) -> JobRun | None:
        """A run as it has gone or is to go; None: it came to nothing."""
        job, host = self.jobs.get(run.job), self.cluster.hosts.get(run.host)
        name = f"instance {run.instance} of {run.job}"
        if job is None or host is None:
            self.said.append(f"host {quote(run.host)} of {name} is gone")
            return None
        if run.start >= self.at:
            return run
        until = {one.instance: one.until for one in job.running or ()}
        goes_on = run.instance in until and self._is_last(run)
        if goes_on:
            end = max(until[run.instance], run.start)
            if end > run.end:
                self.overran.append(run)
            if end != run.end:
                self.said.append(f"{name} runs until {told(CLOCK.seconds(end))}, not {told(CLOCK.seconds(run.end))}")
            run = run.model_copy(update={"end": CLOCK.instant(CLOCK.seconds(end))})
        if run.end <= self.at:
            return run
        why = self._why_ended(run, host, None if job.running is None else goes_on)
        if why is None:
            return run
        self.said.append(f"{name} {why}")
        if job.running is not None:
            running = tuple(one for one in job.running if one.instance != run.instance)
            self.jobs[job.name] = job.model_copy(update={"running": running})
        if job.checkpointed and why.startswith("has"):
            return run.model_copy(update={"end": self.at})
        return None

    def _why_ended(self, run: JobRun, host: Host, goes_on: bool | None) -> str | None:
        """Why a run that should be under way comes to an end; None: it goes on. `goes_on` is what is said of it (None:
        nothing is).
        """
        if goes_on is None and any(one.host == run.host and one.end <= run.start for one in self.overran):
            return "is taken not to have begun: what ran before it takes longer"
        if goes_on is False:
            return "runs no more"
        if host.state != "up":
            return f"has lost its host, {host.name}, which is {host.state_said}"
        others = self._there(host.name)
        return f"has to stop: {others[0]} stands on {host.name}" if others else None

    def _is_last(self, run: JobRun) -> bool:
        """Whether no later run of the same instance has begun."""
        return not any(
            (other.job, other.instance) == (run.job, run.instance) and run.start < other.start < self.at
            for other in self.plan.jobs
        )

    def _never_came_free(self, freed: Freed, missed: Sequence[Step]) -> bool:
        """Whether somebody who was to leave a host before is still there, or it did not enter maintenance."""
        before = [step for step in missed if step.end <= freed.from_]
        stayed = {step.vm for step in before if step.leaves == freed.host}.intersection(self._there(freed.host))
        return bool(stayed) or any((one.host, one.kind) == (freed.host, "enter-maintenance") for one in before)

    def _inside(self, host: str) -> bool:
        """Whether a host has been put in maintenance, and not taken out of it."""
        turns = {"enter-maintenance": 1, "leave-maintenance": -1}
        past = (step for step in self.plan.steps if step.host == host and step.end <= self.at)
        return sum(turns.get(step.kind, 0) for step in past) > 0

    def _there(self, host: str) -> list[str]:
        return [vm.name for vm in self.cluster.vms.values() if vm.power == "on" and vm.host == host]

    def freed(self, freed: Freed, runs: Sequence[JobRun], missed: Sequence[Step]) -> Freed | None:
        """A freed interval, as long as the runs in it go on; None: the host is not free. One that is lost is free no
        more, unless it restarts in its maintenance.
        """
        host = self.cluster.hosts.get(freed.host)
        if host is None or self._never_came_free(freed, missed):
            return None
        if freed.until <= self.at:
            return freed
        if host.state == "disconnected" and not self._inside(host.name):
            return None if freed.from_ >= self.at else freed.model_copy(update={"until": self.at})
        mine = [run for run in runs if run.host == freed.host and freed.from_ <= run.start < freed.until]
        until = max([freed.until, *(run.end for run in mine)])
        if freed.from_ < self.at and (there := self._there(freed.host)):
            until = self.at
            if not mine:  # of a run it is said that it has to stop
                free = f"was to be free until {told(CLOCK.seconds(freed.until))}"
                self.said.append(f"{there[0]} stands on {host.name}, which {free}")
            if not any(run.start < self.at for run in mine):
                return None
        return freed.model_copy(update={"until": until})


def job_steps(plan: Plan, runs: Sequence[JobRun]) -> Iterator[Step]:
    """The steps that start and stop these runs: the plan's own, at the times that the runs now have."""
    steps = [step for step in plan.steps if step.kind in JOB_STEPS]
    old = {id(run): run for run in plan.jobs}
    by_run = {(run.job, run.instance, run.host, run.start): run for run in old.values()}
    for run in runs:
        was = by_run[run.job, run.instance, run.host, run.start]
        for kind, before, now in (("start-job", was.start, run.start), ("stop-job", was.end, run.end)):
            found = (s for s in steps if (s.kind, s.job, s.host, s.start) == (kind, run.job, run.host, before))
            step = next(found, None)
            if step is not None:
                steps.remove(step)
                yield step.model_copy(update={"start": now, "end": now})
