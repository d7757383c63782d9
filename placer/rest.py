"""What is left of a plan in the midst of its night: what is done, what has failed, what is still to come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from placer.judge.timeline import CLOCK, JOB_STEPS, VM_STEPS, told
from placer.judge.verify import asked_of
from placer.rest_gpus import gpus_before, not_as_set
from placer.rest_jobs import Runs, job_steps
from placer_models.cluster import Host, Vm
from placer_models.document import quote
from placer_models.night import Begun, Job
from placer_models.plan import Plan, Step
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
    """One look at a plan: its VMs first, then its hosts, then jobs and freed hosts (`placer.rest_jobs`)."""

    def __init__(self, snapshot: Snapshot, plan: Plan, at: datetime, jobs: Sequence[Job] | None) -> None:
        self.cluster, self.plan, self.at = snapshot.content, plan, at
        asked = asked_of(snapshot, plan)
        before = asked.begun or Begun(at=at)
        fresh = {job.name: job.running for job in (snapshot.jobs if jobs is None else jobs)}
        jobs_now = {job.name: job.model_copy(update={"running": fresh.get(job.name)}) for job in asked.jobs}
        self.rest = Rest(plan, at)
        its = Runs(self.cluster, plan, at, jobs_now, self.rest.said)
        self.homes: dict[str, str] = {}
        steps = [*self._vm_steps(before.homes)]
        steps += self._host_steps()
        in_turn = sorted(plan.jobs, key=lambda run: run.start)
        runs = [run for one in in_turn if (run := its.run(one)) is not None]
        freed = [one for each in plan.freed if (one := its.freed(each, runs, self.rest.missed)) is not None]
        steps += job_steps(plan, runs)
        steps = list(self._not_in_vain(steps, lambda step: step.start < at < step.end))
        gpus = tuple(gpus_before(steps, before.gpus, self.at))
        excused = {vm: why for vm, why in before.excused.items() if vm in self.homes}
        begun = Begun(at=at, homes=self.homes, gpus=gpus, excused=excused)
        left = {step.id for step in steps}
        place = {step.id: number for number, step in enumerate(plan.steps)}
        self.rest.plan = plan.model_copy(
            update={
                "asked": asked.model_copy(update={"jobs": tuple(its.jobs.values()), "begun": begun}),
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
        fitting = [k for k in range(len(past), -1, -1) if place_after(past[:k], home) == now]
        ended = (k for k in fitting if k == 0 or self._has_ended(past[k - 1], vm))
        done = next(ended, fitting[0] if fitting else None)
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

    def _has_ended(self, step: Step, vm: Vm) -> bool:
        """Whether a step of a VM is over, be it before its time: it has the GPUs then that the step was to give it."""
        return step.end <= self.at or {one.gpu for one in step.gpus} == {at.gpu for ask in vm.gpus for at in ask.at}

    def _fail(self, vm: Vm, now: Place, steps: Sequence[Step]) -> None:
        for step in steps:
            should = _said(place_after([step], ""))
            said = f"{vm.name} was to be {should} by {told(CLOCK.seconds(step.end))} (step {step.id}), and is"
            self._miss(step, f"{said} {_said(now)}")

    def _miss(self, step: Step, sentence: str) -> None:
        self.rest.missed.append(step)
        self.rest.failed[step.id] = sentence
        self._say(sentence)

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
            steps = list(self._not_in_vain(steps, lambda step: step.start < self.at or step.end <= self.at))
            past = [step for step in steps if step.end <= self.at]
            turns = [step for step in past if step.kind in ("enter-maintenance", "leave-maintenance")]
            inside = bool(turns) and turns[-1].kind == "enter-maintenance"
            if turns and host.state not in (INSIDE if inside else OUTSIDE):
                failed = turns[-1]
                said = f"{name} was to {failed.kind.replace('-', ' ')} at {told(CLOCK.seconds(failed.end))}, and is"
                self._miss(failed, f"{said} {host.state_said}")
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

    # steps that wait for one that has failed

    def _not_in_vain(self, steps: Iterable[Step], begun: Callable[[Step], bool]) -> Iterator[Step]:
        """These steps without those that should have begun and wait for one that has failed: they have not."""
        for step in steps:
            cause = next((name for name in step.waits_for if name in self.rest.failed), None)
            if cause is not None and begun(step):
                what = f"step {step.id} ({step.kind} {step.vm or step.host})"
                self._miss(step, f"{what} waits for step {cause}, which has failed")
            else:
                yield step


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
