"""What is left of a plan in the midst of its night: what is done, what has failed, what is still to come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from placer.judge.timeline import CLOCK, JOB_STEPS, VM_STEPS, told
from placer.judge.verify import asked_of
from placer.rest_gpus import gpus_before, not_as_set
from placer_models.cluster import Host, Vm
from placer_models.document import quote
from placer_models.night import Begun, Job
from placer_models.plan import Freed, JobRun, Plan, Step
from placer_models.snapshot import Snapshot

Place = tuple[str, str | None]
"""Where a VM is: "on" and its host, or "suspended" or "off" and none."""

INSIDE, OUTSIDE = ("maintenance", "disconnected"), ("up", "disconnected")
"""How a snapshot may show a host in maintenance (it restarts, say), and one that is not."""


@dataclass
class Rest:
    """What is left of a plan at an instant.

    `plan` is the same plan, begun before: what has happened is told, what has not is left out, the rest is as it was.
    Whether it still holds is for the judge. `missed` are the steps that should have happened and have not, `failed` has
    a sentence for each; `said` is all that is not as planned.
    """

    plan: Plan
    at: datetime
    failed: dict[str, str] = field(default_factory=dict)
    missed: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def rest_of(snapshot: Snapshot, plan: Plan, at: datetime | None = None, jobs: Sequence[Job] | None = None) -> Rest:
    """What is left of a plan when the cluster is as `snapshot` shows it, at an instant (default: when it was taken).

    `jobs` (default: those of the snapshot) say which of their instances run, where they say so; else runs are taken to
    have gone as planned. Raises Faults where nothing says what the plan was asked for.
    """
    return _Look(snapshot, plan, CLOCK.instant(CLOCK.seconds(at or snapshot.taken_at)), jobs).rest


class _Look:
    """One look at a plan, its VMs first, then its jobs and freed hosts."""

    def __init__(self, snapshot: Snapshot, plan: Plan, at: datetime, jobs: Sequence[Job] | None) -> None:
        self.cluster, self.plan, self.at = snapshot.content, plan, at
        asked = asked_of(snapshot, plan)
        before = asked.begun or Begun(at=at)
        fresh = {job.name: job.running for job in (snapshot.jobs if jobs is None else jobs)}
        self.jobs = {job.name: job.model_copy(update={"running": fresh.get(job.name)}) for job in asked.jobs}
        self.rest = Rest(plan, at)
        self.homes: dict[str, str] = {}
        self._overran: list[JobRun] = []
        """Runs, as planned, that take longer."""
        steps = [*self._vm_steps(before.homes)]
        steps += self._host_steps()
        in_turn = sorted(plan.jobs, key=lambda run: run.start)
        runs = [run for one in in_turn if (run := self._run(one)) is not None]
        freed = [one for each in plan.freed if (one := self._freed(each, runs)) is not None]
        steps += job_steps(plan, runs)
        steps = self._begun_in_vain(steps)
        gpus = tuple(gpus_before(steps, before.gpus, self.at))
        excused = {vm: why for vm, why in before.excused.items() if vm in self.homes}
        begun = Begun(at=at, homes=self.homes, gpus=gpus, excused=excused)
        left = {step.id for step in steps}
        place = {step.id: number for number, step in enumerate(plan.steps)}
        self.rest.plan = plan.model_copy(
            update={
                "asked": asked.model_copy(update={"jobs": tuple(self.jobs.values()), "begun": begun}),
                "steps": tuple(
                    step.model_copy(update={"waits_for": tuple(name for name in step.waits_for if name in left)})
                    for step in sorted(steps, key=lambda step: place[step.id])
                ),
                "jobs": tuple(runs),
                "freed": tuple(freed),
                "snapshot_sha256": snapshot.sha256,
                **{key: {} for key in ("score", "bound", "gap", "before", "meanwhile", "after")},
            }
        )

    def _say(self, sentence: str) -> None:
        self.rest.said.append(sentence)

    # VMs

    def _vm_steps(self, homes: Mapping[str, str]) -> Iterator[Step]:
        by_vm: dict[str, list[Step]] = defaultdict(list)
        for step in sorted(self.plan.steps, key=lambda step: (step.start, step.end)):
            if step.vm is not None and step.kind in VM_STEPS:
                by_vm[step.vm].append(step)
        for name in homes:
            by_vm.setdefault(name, [])
        for name, steps in by_vm.items():
            vm = self.cluster.vms.get(name)
            if vm is None:
                self._say(f"{quote(name)} is gone")
                continue
            first = next((step.leaves for step in steps if step.leaves is not None), None)
            yield from self._of_vm(vm, homes.get(name) or first or str(vm.host), steps)

    def _of_vm(self, vm: Vm, home: str, steps: Sequence[Step]) -> Iterator[Step]:
        """The steps of a VM that are done or still to come, if it is where some of them have brought it."""
        past = [step for step in steps if step.start < self.at]
        now: Place = (vm.power, vm.host if vm.power == "on" else None)
        done = next((k for k in range(len(past), -1, -1) if place_after(past[:k], home) == now), None)
        if done is None:
            self._say(f"{vm.name} was {_said(place_after(past, home))}, and is {_said(now)}")
            if vm.power != "on":  # nobody who was stopped by others is started
                yield from (step for step in past if step.end <= self.at and self._known(step))
                return
            done = len([step for step in past if step.end <= self.at])
        elif done < len(past) and past[done].end > self.at and not self._cut_off(past[done]):  # it is under way
            yield from (step for step in past[done : done + 1] if self._known(step))
            self._fail(vm, now, past[done + 1 :])
        else:
            self._fail(vm, now, past[done:])
        if now != ("on", home):
            self.homes[vm.name] = home
        for step in past[:done]:
            if self._known(step):
                yield step.model_copy(update={"end": min(step.end, self.at)})
        for step in steps[len(past) :]:
            if self._known(step):
                yield step
            else:
                self._say(f"step {step.id} names a host that is gone")

    def _fail(self, vm: Vm, now: Place, steps: Sequence[Step]) -> None:
        for step in steps:
            should = _said(place_after([step], ""))
            said = f"{vm.name} was to be {should} by {told(CLOCK.seconds(step.end))} (step {step.id}), and is"
            self._miss(step, f"{said} {_said(now)}")

    def _miss(self, step: Step, sentence: str) -> None:
        self.rest.missed.append(step)
        self.rest.failed[step.id] = sentence
        self._say(sentence)

    def _begun_in_vain(self, steps: Sequence[Step]) -> list[Step]:
        """These steps without those that should be under way and wait for one that has failed: they have not begun."""
        left = []
        for step in steps:
            cause = next((name for name in step.waits_for if name in self.rest.failed), None)
            if step.start < self.at < step.end and cause is not None:
                self._miss(step, f"step {step.id} ({step.kind} {step.vm}) waits for step {cause}, which has failed")
            else:
                left.append(step)
        return left

    def _cut_off(self, step: Step) -> bool:
        """Whether a step's host has been lost, which nothing under way there outlives."""
        there = (self.cluster.hosts.get(host) for host in (step.leaves, step.reaches) if host is not None)
        return any(host is not None and host.state == "disconnected" for host in there)

    def _known(self, step: Step) -> bool:
        hosts = (step.host, step.leaves, step.reaches)
        return all(host is None or host in self.cluster.hosts for host in hosts)

    # hosts

    def _host_steps(self) -> Iterator[Step]:
        """Steps of hosts that are done or still to come: what put a host in maintenance, or took it out, is to be
        seen.
        """
        by_host: dict[str, list[Step]] = defaultdict(list)
        for step in sorted(self.plan.steps, key=lambda step: (step.start, step.end)):
            if step.host is not None and step.kind not in (*VM_STEPS, *JOB_STEPS):
                by_host[step.host].append(step)
        for name, steps in by_host.items():
            host = self.cluster.hosts.get(name)
            if host is None:
                self._say(f"host {quote(name)} is gone")
                continue
            steps = list(self._not_in_vain(steps))
            past = [step for step in steps if step.end <= self.at]
            turns = [step for step in past if step.kind in ("enter-maintenance", "leave-maintenance")]
            inside = bool(turns) and turns[-1].kind == "enter-maintenance"
            if turns and host.state not in (INSIDE if inside else OUTSIDE):
                failed = turns[-1]
                said = f"{name} was to {failed.kind.replace('-', ' ')} at {told(CLOCK.seconds(failed.end))}, and is"
                self._miss(failed, f"{said} {_state(host.state)}")
                steps = [step for step in steps if step is not failed]
            yield from (step for step in steps if self._is_set(step, host, steps))

    def _is_set(self, step: Step, host: Host, steps: Sequence[Step]) -> bool:
        """Whether the GPUs of a host are as a step was to put them, as far as that can be seen."""
        if step.kind != "set-mode" or step.end > self.at:
            return True
        said = not_as_set(self.cluster, self.plan, step, host, steps, self.at)
        if said is not None:
            self._miss(step, said)
        return said is None

    def _not_in_vain(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Steps of a host without those that should have begun and wait for one that has failed: they have not."""
        for step in steps:
            cause = next((name for name in step.waits_for if name in self.rest.failed), None)
            if (step.start < self.at or step.end <= self.at) and cause is not None:
                self._miss(step, f"step {step.id} ({step.kind} {step.host}) waits for step {cause}, which has failed")
            else:
                yield step

    # jobs and freed hosts

    def _run(self, run: JobRun) -> JobRun | None:
        """A run as it has gone or is to go; None: it came to nothing."""
        job, host = self.jobs.get(run.job), self.cluster.hosts.get(run.host)
        name = f"instance {run.instance} of {run.job}"
        if job is None or host is None:
            self._say(f"host {quote(run.host)} of {name} is gone")
            return None
        if run.start >= self.at:
            return run
        now = {one.instance: one.until for one in job.running} if job.running is not None else None
        mine = now is not None and run.instance in now and self._is_last(run)
        if now is not None and mine:
            end = max(now[run.instance], run.start)
            if end > run.end:
                self._overran.append(run)
            if end != run.end:
                self._say(f"{name} runs until {told(CLOCK.seconds(end))}, not {told(CLOCK.seconds(run.end))}")
            run = run.model_copy(update={"end": CLOCK.instant(CLOCK.seconds(end))})
        if run.end <= self.at:
            return run
        why = None
        if now is None and any(one.host == run.host and one.end <= run.start for one in self._overran):
            why = "is taken not to have begun: what ran before it takes longer"
        elif now is not None and not mine:
            why = "runs no more"
        elif host.state != "up":
            why = f"has lost its host, {host.name}, which is {_state(host.state)}"
        elif others := self._there(host.name):
            why = f"has to stop: {others[0]} stands on {host.name}"
        if why is None:
            return run
        self._say(f"{name} {why}")
        self.jobs[job.name] = job.model_copy(
            update={"running": None if job.running is None else _without(job.running, run.instance)}
        )
        if job.checkpointed and why.startswith("has"):
            return run.model_copy(update={"end": self.at})
        return None

    def _is_last(self, run: JobRun) -> bool:
        """Whether no later run of the same instance has begun."""
        return not any(
            (other.job, other.instance) == (run.job, run.instance) and run.start < other.start < self.at
            for other in self.plan.jobs
        )

    def _never_came_free(self, freed: Freed) -> bool:
        """Whether somebody who was to leave a host before is still there, or it did not enter maintenance."""
        before = [step for step in self.rest.missed if step.end <= freed.from_]
        stayed = {step.vm for step in before if step.leaves == freed.host}.intersection(self._there(freed.host))
        return bool(stayed) or any((one.host, one.kind) == (freed.host, "enter-maintenance") for one in before)

    def _inside(self, host: str) -> bool:
        """Whether a host has been put in maintenance, and not taken out of it."""
        turns = {"enter-maintenance": 1, "leave-maintenance": -1}
        past = (step for step in self.plan.steps if step.host == host and step.end <= self.at)
        return sum(turns.get(step.kind, 0) for step in past) > 0

    def _there(self, host: str) -> list[str]:
        return [vm.name for vm in self.cluster.vms.values() if vm.power == "on" and vm.host == host]

    def _freed(self, freed: Freed, runs: Sequence[JobRun]) -> Freed | None:
        """A freed interval, as long as the runs in it go on; None: the host is not free. One that is lost is free no
        more, unless it restarts in its maintenance.
        """
        host = self.cluster.hosts.get(freed.host)
        if host is None or self._never_came_free(freed):
            return None
        if freed.until <= self.at:
            return freed
        if host.state == "disconnected" and not self._inside(host.name):
            return None if freed.from_ >= self.at else freed.model_copy(update={"until": self.at})
        mine = [run for run in runs if run.host == freed.host and freed.from_ <= run.start < freed.until]
        until = max([freed.until, *(run.end for run in mine)])
        if freed.from_ < self.at and self._there(freed.host):
            until = self.at
            if not any(run.start < self.at for run in mine):
                return None
        return freed.model_copy(update={"until": until})


def place_after(steps: Sequence[Step], home: str) -> Place:
    """Where a VM is after these steps of its own; without any, on `home`."""
    if not steps:
        return "on", home
    last = steps[-1]
    if last.reaches is not None:
        return "on", last.reaches
    return ("suspended" if last.kind == "suspend" else "off"), None


def _said(place: Place) -> str:
    return f"on {place[1]}" if place[1] is not None else place[0]


def _state(state: str) -> str:
    return "in maintenance" if state == "maintenance" else state


def _without(running: Sequence[object], instance: int) -> tuple[object, ...]:
    return tuple(one for one in running if getattr(one, "instance", None) != instance)


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
