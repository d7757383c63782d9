"""The goals of a night, counted from its plan: most job value, most hosts freed, least downtime, stun and moves,
soonest done.

A plan's goals are recounted from what its document says alone; whether that holds is for the judge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Literal

from placer_models.cluster import Cluster, firmware_mode
from placer_models.goals.goal import Wish
from placer_models.gpus import Sharing
from placer_models.motion import stun_ms
from placer_models.night import Consolidate, Evacuate, Job, Request, SetMode
from placer_models.plan import JobRun, Plan


class NightGoal(Wish):
    """What is wished for of a night."""

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        """The score of a plan, counted afresh."""
        raise TypeError(f"{type(self).__name__} does not say how it is counted")


class JobValue(NightGoal):
    """The value of the instances that are finished: their run lasts as long as the job takes (of a checkpointed job:
    their runs, taken together, without what saving and loading takes), and, where an instance is said to be running
    until later than that, until then.
    """

    kind: Literal["job-value"] = "job-value"
    sense: ClassVar[Literal["most"]] = "most"
    unit: ClassVar[str] = "value"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        return sum(job.value * len(finished(job, plan)) for job in jobs)


def finished(job: Job, plan: Plan) -> list[int]:
    """The instances of a job that a plan finishes."""
    runs: dict[int, list[JobRun]] = defaultdict(list)
    for run in plan.jobs:
        if run.job == job.name:
            runs[run.instance].append(run)
    until = {one.instance: one.until for one in job.running or ()}
    done = []
    for instance, its in runs.items():
        ran = [(run.end - run.start).total_seconds() for run in sorted(its, key=lambda run: run.start)]
        last = max(run.end for run in its)
        if job.done(ran) >= job.hours * 3600 and last >= until.get(instance, last):
            done.append(instance)
    return done


class NamedFreed(NightGoal):
    """How many of the hosts that the request names have a freed interval."""

    kind: Literal["named-freed"] = "named-freed"
    sense: ClassVar[Literal["most"]] = "most"
    unit: ClassVar[str] = "hosts"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        return len({freed.host for freed in plan.freed} & set(_named(request)))


class ModesSet(NightGoal):
    """How many of the GPUs that a set-mode request means stand in the wanted mode and sharing in the end; not those
    that a VM which comes there puts in another sharing again.
    """

    kind: Literal["modes-set"] = "modes-set"
    sense: ClassVar[Literal["most"]] = "most"
    unit: ClassVar[str] = "GPUs"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        if not isinstance(request, SetMode) or request.host not in cluster.hosts:
            return 0
        gpus = cluster.hosts[request.host].gpus
        meant = [gpu for gpu in gpus if request.gpus is None or gpu.id in request.gpus]
        modes = {gpu.id: firmware_mode(cluster.catalogue, gpu) for gpu in meant}
        sharings = {gpu.id: gpu.sharing for gpu in meant}
        taken: dict[str, dict[str, Sharing]] = defaultdict(dict)
        for step in sorted(plan.steps, key=lambda step: step.start):
            if step.kind == "set-mode" and step.host == request.host:
                for placed in step.gpus:
                    modes[placed.gpu] = step.mode or modes.get(placed.gpu, "graphics")
                    sharings[placed.gpu] = step.sharing or sharings.get(placed.gpu, "passthrough")
            if step.vm is not None:
                here = step.gpus if step.reaches == request.host else ()
                taken[step.vm] = {placed.gpu: placed.sharing for placed in here if placed.sharing is not None}
        for its in taken.values():
            sharings |= its
        return sum(
            request.mode in (None, modes[gpu.id]) and request.sharing in (None, sharings[gpu.id]) for gpu in meant
        )


class HostsFreed(NightGoal):
    """How many hosts are free at once: the most freed intervals that there are at one instant.

    Hosts that are free one after the other do not add up: any host can be empty for a moment.
    """

    kind: Literal["hosts-freed"] = "hosts-freed"
    sense: ClassVar[Literal["most"]] = "most"
    unit: ClassVar[str] = "hosts"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        def at(instant: datetime) -> int:
            return len({freed.host for freed in plan.freed if freed.from_ <= instant < freed.until})

        return max((at(freed.from_) for freed in plan.freed), default=0)


class Downtime(NightGoal):
    """How long VMs are down, all together: from the start of each suspension to the end of the VM's resumption, and
    from the start of each power-off to the end of its power-on; where there is none, to the end of the last window.
    """

    kind: Literal["downtime"] = "downtime"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "seconds"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        down: dict[str, datetime] = {}
        total = 0.0
        for step in sorted(plan.steps, key=lambda step: step.start):
            if step.vm is not None and step.kind in ("suspend", "power-off"):
                down.setdefault(step.vm, step.start)
            elif step.vm in down and step.kind in ("resume", "power-on"):
                total += (step.end - down.pop(step.vm)).total_seconds()
        last = max(end for _, end in _spans(request))
        return round(total + sum(max(0.0, (last - since).total_seconds()) for since in down.values()))


class Stun(NightGoal):
    """How long VMs stand still while they are live-migrated, all together, as `motion.stun_seconds` tells it."""

    kind: Literal["stun"] = "stun"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "milliseconds"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        moved = [str(step.vm) for step in plan.steps if step.kind == "migrate"]
        return sum(stun_ms(cluster, cluster.vms[vm]) for vm in moved if vm in cluster.vms)


class NightMoves(NightGoal):
    """How many live migrations there are, those of the way back included."""

    kind: Literal["moves"] = "moves"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "moves"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        return len([step for step in plan.steps if step.kind == "migrate"])


class Soonest(NightGoal):
    """How long it takes, from the beginning of the first window, until each freed host has been free once; where
    nothing is freed, until the last step has ended.
    """

    kind: Literal["soonest"] = "soonest"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "seconds"

    def score(self, cluster: Cluster, request: Request, jobs: Sequence[Job], plan: Plan) -> int:
        first: dict[str, datetime] = {}
        for freed in plan.freed:
            first[freed.host] = min(first.get(freed.host, freed.from_), freed.from_)
        done = list(first.values()) or [step.end for step in plan.steps]
        begin = min(start for start, _ in _spans(request))
        return max((round((instant - begin).total_seconds()) for instant in done), default=0)


def _named(request: Request) -> tuple[str, ...]:
    match request:
        case Consolidate():
            return request.free if isinstance(request.free, tuple) else ()
        case Evacuate():
            return request.hosts
        case _:
            return (request.host,)


def _spans(request: Request) -> Iterator[tuple[datetime, datetime]]:
    for window in request.windows:
        yield from window.spans()


NIGHT_GOALS: dict[str, NightGoal] = {
    goal.kind: goal
    for goal in (JobValue(), NamedFreed(), ModesSet(), HostsFreed(), Downtime(), Stun(), NightMoves(), Soonest())
}
"""The goals of a night by kind, in the order in which they are wished for where a decision says no other."""
