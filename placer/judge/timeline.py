"""A plan's steps, job runs and freed intervals in whole seconds, and what is wrong with them before anything is played.

All times here are seconds since 1970 in UTC.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from placer_models.clock import Clock, Window, merged
from placer_models.cluster import Cluster
from placer_models.night import Job
from placer_models.plan import JobRun, Plan, Step
from placer_models.snapshot import unknown

CLOCK = Clock(datetime(1970, 1, 1, tzinfo=UTC))
EVER, NEVER = -(2**60), 2**60
"""Before and after every instant."""

VM_STEPS = ("migrate", "suspend", "resume", "power-off", "power-on")
HOST_STEPS = ("enter-maintenance", "leave-maintenance", "restart-host", "set-mode")
JOB_STEPS = ("start-job", "stop-job")

Interval = tuple[int, int]
"""From an instant until just before another."""


def told(instant: int) -> str:
    """An instant as plans write it."""
    return CLOCK.instant(instant).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Act:
    """A step from `start` until just before `end`."""

    step: Step
    start: int
    end: int

    @property
    def path(self) -> str:
        """How sentences name it."""
        return f"step {self.step.id}"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a job's instance; `vm` is the name under which it stands in scenes."""

    job: Job
    run: JobRun
    start: int
    end: int

    @property
    def vm(self) -> str:
        """Its name among the VMs."""
        return f"job/{self.job.name}/{self.run.instance}"

    @property
    def path(self) -> str:
        """How sentences name it."""
        return f"{self.vm} on {self.run.host}"


class Timeline:
    """The acts and runs of a plan that can be played, in the order of the plan's lists. `faults` says what cannot."""

    def __init__(self, cluster: Cluster, jobs: Sequence[Job], plan: Plan) -> None:
        self.faults: list[str] = []
        self._cluster = cluster
        self._jobs = {job.name: job for job in jobs}
        self.acts = [act for step in plan.steps if (act := self._act(step)) is not None]
        self.runs = [run for each in plan.jobs if (run := self._run(each)) is not None]
        self.freed: dict[str, list[Interval]] = defaultdict(list)
        for i, freed in enumerate(plan.freed):
            interval = self._whole(f"freed[{i}]", freed.from_, freed.until)
            if self._known(f"freed[{i}].host", "host", freed.host, cluster.hosts) and interval is not None:
                self.freed[freed.host].append(interval)
        self.faults.extend(_waits(self.acts, plan.steps))
        self.faults.extend(_job_steps(self.acts, self.runs))

    def _act(self, step: Step) -> Act | None:
        path = f"step {step.id}"
        found = len(self.faults)
        interval = self._whole(path, step.start, step.end, instant=step.kind not in VM_STEPS)
        needs: list[tuple[str, str, str | None, Mapping[str, object]]] = []
        if step.kind in VM_STEPS:
            needs.append(("vm", "VM", step.vm, self._cluster.vms))
        if step.kind in ("migrate", "suspend", "power-off"):
            needs.append(("from" if step.kind == "migrate" else "host", "host", step.leaves, self._cluster.hosts))
        if step.kind in ("migrate", "resume", "power-on"):
            needs.append(("to" if step.kind == "migrate" else "host", "host", step.reaches, self._cluster.hosts))
        if step.kind in JOB_STEPS:
            needs.append(("job", "job", step.job, self._jobs))
        if step.kind in (*HOST_STEPS, *JOB_STEPS):
            needs.append(("host", "host", step.host, self._cluster.hosts))
        for key, what, name, names in needs:
            if name is None:
                self.faults.append(f"{path}: {step.kind} says no {key}")
            else:
                self._known(f"{path}: {key}", what, name, names)
        if step.kind in JOB_STEPS and step.start != step.end:
            self.faults.append(f"{path}: {step.kind} takes no time")
        return Act(step, *interval) if interval is not None and len(self.faults) == found else None

    def _run(self, run: JobRun) -> Run | None:
        path = f"job/{run.job}/{run.instance} on {run.host}"
        interval = self._whole(path, run.start, run.end)
        known = self._known(f"{path}: job", "job", run.job, self._jobs)
        known &= self._known(f"{path}: host", "host", run.host, self._cluster.hosts)
        if not known or interval is None:
            return None
        job = self._jobs[run.job]
        if run.instance >= job.instances:
            self.faults.append(f"{path}: {job.name} has {job.instances} instances, counted from 0")
        return Run(job, run, *interval)

    def _whole(self, path: str, start: datetime, end: datetime, *, instant: bool = False) -> Interval | None:
        """An interval in whole seconds, or a fault; `instant`: it may be empty."""
        if start.microsecond or end.microsecond:
            self.faults.append(f"{path}: times of a plan are whole seconds")
        elif end < start or (end == start and not instant):
            self.faults.append(f"{path}: ends at {told(CLOCK.seconds(end))}, no later than it starts")
        else:
            return CLOCK.seconds(start), CLOCK.seconds(end)
        return None

    def _known(self, path: str, what: str, name: str, names: Mapping[str, object]) -> bool:
        if name not in names:
            self.faults.append(f"{path}: {unknown(what, name, names)}")
        return name in names


def spans(windows: Sequence[Window]) -> list[Interval]:
    """The stretches of some windows, in order, those that touch made one; parts of seconds at their ends cut off."""
    found = merged(span for window in windows for span in window.spans())
    return [(-CLOCK.seconds(_mirror(begin)), CLOCK.seconds(end)) for begin, end in found]


def _mirror(instant: datetime) -> datetime:
    """As far before the clock's origin as the instant is after it: rounding it down rounds the instant up."""
    return CLOCK.origin - (instant - CLOCK.origin)


def _waits(acts: Sequence[Act], steps: Sequence[Step]) -> Iterator[str]:
    for name, count in Counter(step.id for step in steps).items():
        if count > 1:
            yield f"step {name}: {count} steps have this id"
    ids, ends = {step.id for step in steps}, {act.step.id: act.end for act in acts}
    for act in acts:
        for name in act.step.waits_for:
            if name not in ids:
                yield f"{act.path}: waits for {name}, and there is no such step"
            elif name == act.step.id:
                yield f"{act.path}: waits for itself"
            elif name in ends and ends[name] > act.start:
                yield f"{act.path}: waits for {name}, which ends at {told(ends[name])}; it starts at {told(act.start)}"


def _job_steps(acts: Sequence[Act], runs: Sequence[Run]) -> Iterator[str]:
    """Runs begin with a start-job step of their own, and end with a stop-job step; no other job steps are there."""
    for kind in JOB_STEPS:
        said = Counter((str(act.step.job), str(act.step.host), act.start) for act in acts if act.step.kind == kind)
        done = Counter((run.job.name, run.run.host, run.start if kind == "start-job" else run.end) for run in runs)
        for (job, host, instant), count in (done - said).items():
            yield f"{job} on {host}: {count} {kind} missing at {told(instant)}"
        for (job, host, instant), count in (said - done).items():
            yield f"{job} on {host}: {count} {kind} at {told(instant)} belongs to no run"
