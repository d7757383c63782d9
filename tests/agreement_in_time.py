"""Holds the planner and the judge together in time: on tiny nights, every timed plan that there is, asked of the judge.

Time stands on a grid of ten seconds. For each VM every chain of steps that it may be put through is written down (every
kind, target, GPU, slot and start on the grid), for each instance of a job every host and start (and every two runs that
do it, where it may be stopped); a plan is one chain for each VM with one choice for each instance. Plans are judged
from the best score downwards: the first in which the judge finds nothing is the best that there is. What placer plans
for the same night must not be better (then a plan would be missing here), nor worse where it says that it is proven,
and none of its bounds may be one that a plan beats.

Likewise the times that are searched for: for given moves every choice of starts is asked of the model of times
(`placer.solve.timing`), with its starts fixed, and of the judge: the one has a solution where the other is silent.

Two things are left out because they never make a plan better: steps that take longer than they must, and freed
intervals shorter than they could be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product

from placer.consolidate import consolidate
from placer.judge.check import broken
from placer.judge.timed import TimedReplay
from placer.solve.timing import Times
from placer.solve.traffic import Action
from placer_models.cluster import Host, Vm
from placer_models.decision import Decision, shipped_decision
from placer_models.gpus_use import model_of, use_of
from placer_models.motion import step_seconds, stun_seconds
from placer_models.night import Consolidate, Job
from placer_models.plan import Freed, JobRun, PlacedGpu, Plan, Step, StepKind
from placer_models.rules.gpu import GpuRule
from placer_models.scene import Hold, Scene, Stand, items
from tests.nights import EVENING, Night

TICK = 10
BACK: Mapping[str, StepKind] = {"suspend": "resume", "power-off": "power-on"}
GOALS = ("job-value", "named-freed", "hosts-freed", "downtime", "stun", "moves", "soonest")
"""The goals that are counted here, in the order of the shipped decision."""

Key = tuple[int, ...]
Candidate = tuple["Key", Sequence["Chain"], Sequence[str], Sequence[JobRun]]
"""A plan with its key (the less, the better): what is done to VMs, the hosts that it says are freed, and its runs."""


@dataclass(frozen=True)
class World:
    """A tiny night of so many ticks. The planner must have the best of its first `reaches` goals."""

    name: str
    night: Night
    ticks: int
    reaches: int = len(GOALS)


@dataclass(frozen=True)
class Deed:
    """A step of a VM, from a tick until another."""

    kind: StepKind
    start: int
    end: int
    source: str
    to: str | None = None
    gpus: tuple[PlacedGpu, ...] = ()


@dataclass(frozen=True)
class Chain:
    """What is done to a VM in the night; `on` has a bit for each tick at which it stands on a host."""

    vm: str
    deeds: tuple[Deed, ...]
    on: Mapping[str, int]
    downtime: int
    moves: int
    stun_ms: int


def _instant(tick: int) -> datetime:
    return EVENING + timedelta(seconds=tick * TICK)


class Agreement:
    """One night, looked at from both sides."""

    def __init__(self, world: World) -> None:
        self.world, self.night = world, world.night
        assert isinstance(self.night.asked, Consolidate)
        self.request: Consolidate = self.night.asked
        self.cluster = self.night.cluster
        self.decision: Decision = shipped_decision("consolidate")
        assert tuple(self.decision.goals) == GOALS
        self.rules = self.decision.rules_of(self.night.snapshot.rules)
        self.homes = {stand.vm: stand for stand in Scene.now(self.cluster).stands()}
        spans = [span for window in self.request.windows for span in window.spans()]
        ticks = [[int((at - EVENING).total_seconds()) // TICK for at in span] for span in spans]
        self._open = sum(_bits(begin, end) for begin, end in ticks)
        self.named = self.request.free if isinstance(self.request.free, tuple) else ()
        self.judged = 0

    # --- every plan ---------------------------------------------------------------------------------------------------

    def chains(self, vm: Vm) -> list[Chain]:
        """Everything that can be done to a VM, without what the judge refuses even if no other VM were there."""
        home = self.homes[vm.name]
        lonely = replace(self.cluster, vms={vm.name: vm})
        found = []
        for deeds in self._deeds(vm, 0, home.host, None):
            plan = self._plan([self._chain(vm, deeds)], (), ())
            if not TimedReplay(lonely, self.rules, self.request, (), plan).faults:
                found.append(self._chain(vm, deeds))
        return found

    def _deeds(self, vm: Vm, tick: int, host: str, gone: str | None) -> Iterator[tuple[Deed, ...]]:
        """Every chain from a tick on, of a VM that is at rest on a host, or that was there when it was taken off."""
        yield ()
        for start in range(tick, self.world.ticks):
            kinds: list[StepKind] = [BACK[gone]] if gone else ["migrate", "suspend", "power-off"]
            for kind in kinds:
                end = start + -(-step_seconds(self.cluster, vm, kind, self.request.limits) // TICK)
                if end > self.world.ticks or not self._allowed(vm, kind):
                    continue
                for to, gpus in self._targets(vm, kind, host):
                    deed = Deed(kind, start, end, host, to, gpus)
                    after = kind if to is None else None
                    yield from ((deed, *more) for more in self._deeds(vm, end, to or host, after))

    def _allowed(self, vm: Vm, kind: StepKind) -> bool:
        may = {"migrate": vm.may.live_migrate, "suspend": vm.may.suspend, "power-off": vm.may.power_cycle}
        return may.get(kind, True)

    def _targets(self, vm: Vm, kind: StepKind, host: str) -> list[tuple[str | None, tuple[PlacedGpu, ...]]]:
        if kind in BACK:
            return [(None, ())]
        hosts = [other for other in self.cluster.hosts.values() if kind != "migrate" or other.name != host]
        return [(other.name, gpus) for other in hosts for gpus in self._seats(vm, other)]

    def _seats(self, vm: Vm, host: Host) -> list[tuple[PlacedGpu, ...]]:
        """Every choice of GPUs, sharings and slots that is right on the host while nobody else is there."""
        lonely, choices = replace(self.cluster, vms={vm.name: vm}), []
        for ask in items(vm):
            holds = [
                Hold(gpu.id, sharing, ask.profile, slot, ask.milli)
                for gpu in host.gpus
                for sharing in gpu.sharings
                for slot in (range(model_of(self.cluster, gpu).row_units(sharing)) if ask.profile else (None,))
            ]
            choices.append([hold for hold in holds if use_of(self.cluster, host.gpu[hold.gpu], hold) is not None])
        stands = [Stand(vm.name, host.name, holds) for holds in product(*choices)]
        right = [stand for stand in stands if not broken(Scene(lonely, [stand]), [GpuRule()])[0]]
        return [tuple(_placed(hold) for hold in stand.holds) for stand in right]

    def _chain(self, vm: Vm, deeds: tuple[Deed, ...]) -> Chain:
        on: dict[str, int] = defaultdict(int)
        here: str | None = self.homes[vm.name].host
        since, down, downtime = 0, 0, 0
        for deed in deeds:
            if deed.kind in BACK:
                down = deed.start
            elif deed.kind != "migrate":
                downtime += deed.end - down
            if here is not None:
                on[here] |= _bits(since, deed.end)
            here, since = deed.to, deed.start
        if here is not None:
            on[here] |= _bits(since, self.world.ticks)
        else:
            downtime += self.world.ticks - down
        moves = sum(deed.kind == "migrate" for deed in deeds)
        stun = round(1000 * stun_seconds(self.cluster, vm))
        return Chain(vm.name, deeds, dict(on), downtime * TICK, moves, moves * stun)

    def plans(self) -> Sequence[Candidate]:
        """Every plan."""
        found: list[Candidate] = []
        instances = [(job, i) for job in self.night.work for i in range(job.instances)]
        for chains in product(*(self.chains(self.cluster.vms[vm]) for vm in sorted(self.homes))):
            empty = {host: self._empty(chains, host) for host in self.cluster.hosts}
            able = [host for host, bits in empty.items() if bits]
            for freed in self._claims(able):
                runs = [[(), *self._ways(job, i, freed, empty)] for job, i in instances]
                for chosen in product(*runs):
                    key = self._key(chains, freed, empty, chosen)
                    found.append((key, chains, freed, [run for runs in chosen for run in runs]))
        return found

    def _claims(self, able: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Which empty hosts are said to be freed: all, unless the request may not want that."""
        free = self.request.free
        if not isinstance(free, int) and not self.request.limits.least_gain:
            yield tuple(able)
            return
        for chosen in product((False, True), repeat=len(able)):
            hosts = tuple(host for host, is_in in zip(able, chosen, strict=True) if is_in)
            if not isinstance(free, int) or len(hosts) <= free:
                yield hosts

    def _empty(self, chains: Sequence[Chain], host: str) -> int:
        held = 0
        for chain in chains:
            held |= chain.on.get(host, 0)
        return self._open & ~held if self.cluster.hosts[host].state == "up" else 0

    def _ways(
        self, job: Job, instance: int, freed: Sequence[str], empty: Mapping[str, int]
    ) -> Iterator[tuple[JobRun, ...]]:
        """Every way to do an instance: in one run, or in two where it may be stopped, none longer than it must be."""
        length = -(-round(job.hours * 3600) // TICK)
        yield from ((run,) for run in self._runs(job, instance, freed, empty, length))
        again = -(-60 * job.checkpoint_minutes // TICK)
        for first in range(1, length if job.checkpointed else 1):
            rest = length - first + again
            if job.done([first * TICK, rest * TICK]) >= job.hours * 3600:
                parts = (self._runs(job, instance, freed, empty, many) for many in (first, rest))
                yield from ((one, two) for one, two in product(*parts) if one.end <= two.start)

    def _runs(
        self, job: Job, instance: int, freed: Sequence[str], empty: Mapping[str, int], length: int
    ) -> Iterator[JobRun]:
        vm = Vm(name=job.name, power="off", cpus=job.cpus, memory_mib=job.memory_mib, gpus=job.gpus)
        for host in freed:
            for start in range(self.world.ticks - length + 1):
                bits = _bits(start, start + length)
                if empty[host] & bits == bits:
                    for gpus in self._seats(vm, self.cluster.hosts[host]):
                        times = {"start": _instant(start), "end": _instant(start + length)}
                        yield JobRun(job=job.name, instance=instance, host=host, gpus=gpus, **times)

    def _key(
        self,
        chains: Sequence[Chain],
        freed: Sequence[str],
        empty: Mapping[str, int],
        instances: Sequence[tuple[JobRun, ...]],
    ) -> Key:
        value = {job.name: job.value for job in self.night.work}
        if freed:
            soonest = max((empty[host] & -empty[host]).bit_length() - 1 for host in freed)
        else:
            soonest = max((deed.end for chain in chains for deed in chain.deeds), default=0)
        return (
            -sum(value[runs[0].job] for runs in instances if runs),
            -len(set(freed) & set(self.named)),
            -max(sum(empty[host] >> tick & 1 for host in freed) for tick in range(self.world.ticks)),
            sum(chain.downtime for chain in chains),
            sum(chain.stun_ms for chain in chains),
            sum(chain.moves for chain in chains),
            soonest * TICK,
        )

    # --- both ---------------------------------------------------------------------------------------------------------

    def best(self) -> tuple[Key, Plan]:
        """The best plan that the judge accepts."""
        for key, chains, freed, runs in sorted(self.plans(), key=lambda plan: plan[0]):
            plan = self._plan(chains, [(host, self._empty(chains, host)) for host in freed], runs)
            self.judged += 1
            replay = TimedReplay(self.cluster, self.rules, self.request, self.night.work, plan)
            if not replay.faults:
                assert key == key_of(replay.score), (key, replay.score)
                return key, plan
        raise AssertionError("to do nothing is always a plan")

    def _plan(self, chains: Sequence[Chain], freed: Sequence[tuple[str, int]], runs: Sequence[JobRun]) -> Plan:
        steps = [_step(chain.vm, i, deed) for chain in chains for i, deed in enumerate(chain.deeds)]
        steps += [_job_step(f"start-{i}", "start-job", run, run.start) for i, run in enumerate(runs)]
        steps += [_job_step(f"stop-{i}", "stop-job", run, run.end) for i, run in enumerate(runs)]
        return Plan(
            status="feasible",
            steps=tuple(sorted(steps, key=lambda step: step.start)),
            freed=tuple(one for host, bits in freed for one in _intervals(host, bits)),
            jobs=tuple(runs),
        )

    def disagreements(self) -> Iterator[str]:
        """A sentence for each thing that the planner says of the night and the judge does not bear out."""
        best, _ = self.best()
        plan = consolidate(self.night.snapshot, self.request, self.night.work, self.decision)
        mine = key_of(plan.score)
        if mine < best:
            yield f"{self.world.name}: the planner has {mine}, and every plan has no better than {best}"
        if mine[: self.world.reaches] > best[: self.world.reaches]:
            yield f"{self.world.name}: the planner has {mine}, the best plan {best}"
        if plan.status == "optimal" and mine != best:
            yield f"{self.world.name}: {mine} is said to be proven, the best plan has {best}"
        for i, (goal, score) in enumerate(zip(GOALS, best, strict=True)):
            bound = plan.bound[goal]
            if bound is not None and score < (-bound if goal in GOALS[:3] else bound):
                yield f"{self.world.name}: {goal} is bounded by {bound}, and a plan has {abs(score)}"
            if mine[i] != score:
                break  # a bound holds given the scores of the goals before it


def disagreements(world: World) -> list[str]:
    """What planner and judge say differently of a night; empty: nothing."""
    return list(Agreement(world).disagreements())


def timing_disagreements(night: Night, moves: Sequence[tuple[str, str]], ticks: int) -> list[str]:
    """What the model of times and the judge say differently of moves (a VM, its target), at whatever ticks they start:
    on clusters without GPUs, where all that rules ask of a host is room.
    """
    cluster, limits = night.cluster, night.asked.limits
    now, rules = Scene.now(cluster), night.holding
    actions = [
        Action(vm, "migrate", step_seconds(cluster, cluster.vms[vm], "migrate", limits), now.of(vm)[0], Stand(vm, to))
        for vm, to in moves
    ]
    times, found = Times(now, actions, limits, ticks * TICK), list[str]()
    choices = [range(0, ticks * TICK - action.seconds + 1, TICK) for action in actions]
    for starts in product(*choices):
        deeds = [
            Deed("migrate", start // TICK, (start + action.seconds) // TICK, action.source.host, action.to.host)
            for action, start in zip(actions, starts, strict=True)
            if action.source is not None and action.to is not None
        ]
        steps = [_step(action.vm, 0, deed) for action, deed in zip(actions, deeds, strict=True)]
        plan = Plan(status="feasible", steps=tuple(sorted(steps, key=lambda step: step.start)))
        said = TimedReplay(cluster, rules, night.asked, (), plan).faults
        if times.allow({action.key: start for action, start in zip(actions, starts, strict=True)}) == bool(said):
            found.append(f"starts {starts}: the judge says {said or 'nothing'}, and the times are otherwise")
    return found


def key_of(score: Mapping[str, int]) -> Key:
    """Scores as they are compared: the less, the better."""
    return tuple(-score[goal] if goal in GOALS[:3] else score[goal] for goal in GOALS)


def _bits(start: int, end: int) -> int:
    return (1 << end) - (1 << start)


def _intervals(host: str, bits: int) -> Iterator[Freed]:
    tick = 0
    while bits >> tick:
        if bits >> tick & 1:
            end = tick
            while bits >> end & 1:
                end += 1
            yield Freed.model_validate({"host": host, "from": _instant(tick), "until": _instant(end)})
            tick = end
        tick += 1


def _placed(hold: Hold) -> PlacedGpu:
    return PlacedGpu(gpu=hold.gpu, profile=hold.profile, slot=hold.slot, milli=hold.milli, sharing=hold.sharing)


def _step(vm: str, number: int, deed: Deed) -> Step:
    ends = {"from": deed.source, "to": deed.to} if deed.kind == "migrate" else {"host": deed.to or deed.source}
    times = {"start": _instant(deed.start), "end": _instant(deed.end)}
    return Step.model_validate(
        {"id": f"{vm}-{number}", "kind": deed.kind, "vm": vm, "gpus": deed.gpus, **ends, **times}
    )


def _job_step(name: str, kind: StepKind, run: JobRun, instant: datetime) -> Step:
    return Step(id=name, kind=kind, job=run.job, host=run.host, start=instant, end=instant)
