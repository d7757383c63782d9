"""Who stands where while a night is played: what each step of a VM and each run of a job does to the scene when it
starts and when it ends, and what is wrong with it. What they mean is said in `placer.judge.timed`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from placer.judge.host_times import HostTimes
from placer.judge.midway import Midway
from placer.judge.slots import Worlds, not_first
from placer.judge.timeline import EVER, NEVER, Act, Run, Timeline
from placer_models.cluster import Cluster, Host, Vm
from placer_models.document import quote
from placer_models.motion import step_seconds, stun_seconds
from placer_models.moving import immovable, unreachable, unsuspendable
from placer_models.night import Consolidate, Request
from placer_models.plan import PlacedGpu
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import match


@dataclass(frozen=True, slots=True)
class Presence:
    """A VM, or a run of a job, on a host from `start` until just before `end` (seconds since 1970)."""

    stand: Stand
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Spell:
    """From `start` until just before `end` a VM is at rest on `host`, or is migrated (None); else it does not run."""

    start: int
    end: int
    host: str | None


class Stage:
    """The scene of a night, and its history.

    `scene` is who stands where at the instant that is played, with the runs of jobs among the VMs; `first` the cluster
    when the night began. What is wrong with a step or run is added to `faults`. `at` is when the plan is to be begun
    (seconds since 1970).
    """

    def __init__(
        self,
        request: Request,
        rules: Sequence[Rule],
        midway: Midway,
        timeline: Timeline,
        host_times: HostTimes,
        at: int,
    ) -> None:
        self.request, self.midway, self.timeline, self.host_times = request, midway, timeline, host_times
        self.at = at
        self.faults = [*midway.faults, *timeline.faults, *host_times.faults]
        self.first = midway.cluster
        vms = {run.vm: self.run_vm(run) for run in timeline.runs}
        self.faults.extend(f"{name}: a VM of the cluster has this name" for name in vms if name in self.first.vms)
        self.scene = Scene.now(replace(self.first, vms={**vms, **self.first.vms}))
        self.history: list[Presence] = []
        self.begun: list[Act] = []
        """The steps of VMs that could be played."""
        self.asleep = dict(midway.asleep)
        """The VMs that the plan has suspended by now, and where each stood."""
        self.off = dict(midway.off)
        """Likewise, those that it has powered off."""
        self._rules = rules
        self._busy: dict[str, Act] = {}
        self._running: set[Run] = set()
        self._since = {(stand.vm, stand.host): EVER for stand in self.scene.stands()}
        self._spells: dict[str, list[Spell]] = defaultdict(list)
        worst = self.first.platform.slot_choice == "worst-case"
        self._worlds = Worlds(self.scene.copy()) if worst else None

    @property
    def cluster(self) -> Cluster:
        """The cluster as it is at the instant that is played, with the runs of jobs among its VMs."""
        return self.scene.cluster

    def home(self, vm: Vm) -> str:
        """The host on which a VM ran when the night began."""
        return self.midway.homes.get(vm.name, str(vm.host))

    def spells(self, vm: str) -> list[Spell]:
        """When a VM that runs in the snapshot, or that the plan lets run again, was at rest on which host, or on the
        move.
        """
        return self._spells.get(vm) or [Spell(EVER, NEVER, stand.host) for stand in self.scene.of(vm)]

    def close(self) -> None:
        """The night is over: who stands now stays, and the history is in the order of time."""
        for stand in self.scene.stands():
            self.history.append(Presence(stand, self._since[stand.vm, stand.host], NEVER))
        self.history.sort(key=lambda presence: (presence.start, presence.end))

    def start(self, one: Act | Run) -> Collection[str]:
        """Start a step or run; the hosts that it touches."""
        if isinstance(one, Run):
            return self._start_run(one)
        vm, kind = self.cluster.vms[str(one.step.vm)], one.step.kind
        if not self._may_start(one, vm):
            return ()
        began = {
            "migrate": self._migrate,
            "suspend": self._leave,
            "power-off": self._leave,
            "resume": self._return,
            "power-on": self._return,
        }[kind](one, vm)
        if not began:
            return ()
        self._busy[vm.name] = one
        self.begun.append(one)
        return {host for host in (one.step.leaves, one.step.reaches) if host is not None}

    def _may_start(self, act: Act, vm: Vm) -> bool:
        """What holds for every step of a VM; False: the step cannot be played."""
        if vm.power != "on" and vm.name not in self.midway.homes:
            self._fault(act, f"{vm.name} is {vm.power} in the snapshot, and stays so")
            return False
        if vm.name in self._busy:
            self._fault(act, f"{vm.name} is still under way in {self._busy[vm.name].path}")
            return False
        home = self.first.hosts.get(self.home(vm))
        if isinstance(self.request, Consolidate) and home is not None and not self.request.names_host(home):
            self._fault(act, f"{vm.name} is on {home.name}, outside the scope of the request")
        to = self.cluster.hosts.get(act.step.reaches or "")
        if to is not None and to.name == vm.host and to.state != "up" and act.start >= self.midway.at:
            # Rule `host-state` bears who stood there at first; it says all others.
            self._fault(act, f"{vm.name} cannot come back to {to.name}, which is {to.state_said}")
        least = step_seconds(self.first, vm, act.step.kind, self.request.limits)
        if act.end - act.start < least:
            self._fault(act, f"takes {act.end - act.start} s, {vm.name} takes {least}")
        if act.step.leaves is not None and any(rule.pins(vm) for rule in self._rules):
            self._fault(act, f"{vm.name} must stay where it is")
        return True

    def _stands(self, act: Act, vm: Vm) -> Stand | None:
        """Where a VM stands that is to leave a host."""
        there = self.scene.of(vm.name)
        if there and there[0].host == act.step.leaves:
            return there[0]
        self._fault(act, f"{vm.name} is to leave {act.step.leaves}, and {self._whereabouts(vm.name)}")
        return None

    def _whereabouts(self, vm: str) -> str:
        if vm in self.asleep:
            return "is suspended"
        stands = self.scene.of(vm)
        return f"stands on {stands[0].host}" if stands else "is powered off"

    def _migrate(self, act: Act, vm: Vm) -> bool:
        was, to = self._stands(act, vm), str(act.step.reaches)
        if was is None:
            return False
        if to == was.host:
            self._fault(act, f"{vm.name} would move to the host on which it stands")
            return False
        refused = immovable(self.cluster, vm, was)
        if refused:
            self._fault(act, f"{vm.name} {refused}")
        self._reach(act, was)
        stun = stun_seconds(self.first, vm)
        for limit, whose in ((self.request.limits.stun_seconds, "the request"), (vm.stun_limit_seconds, "the VM")):
            if limit is not None and stun > limit:
                self._fault(act, f"{vm.name} would stand still for {stun:g} s, {whose} allows {limit:g}")
        if not self._put(act, vm, to, act.step.gpus, act.start):
            return False
        self._rest_until(vm.name, was.host, act.start)
        return True

    def _reach(self, act: Act, was: Stand) -> None:
        to = self.cluster.hosts[str(act.step.reaches)]
        refused = unreachable(self.cluster, was, to)
        if refused:
            self._fault(act, f"{was.vm} cannot go to {to.name}: {refused}")

    def _leave(self, act: Act, vm: Vm) -> bool:
        was = self._stands(act, vm)
        if was is None:
            return False
        if act.step.kind == "suspend":
            refused = unsuspendable(self.cluster, vm, was)
            if refused:
                self._fault(act, f"{vm.name} {refused}")
        elif not vm.may.power_cycle:
            self._fault(act, f"{vm.name} may not be powered off")
        self._rest_until(vm.name, was.host, act.start)
        return True

    def _return(self, act: Act, vm: Vm) -> bool:
        gone, word = (self.asleep, "suspended") if act.step.kind == "resume" else (self.off, "powered off")
        was, to = gone.get(vm.name), str(act.step.reaches)
        if was is None:
            self._fault(act, f"{vm.name} is not {word}: it {self._whereabouts(vm.name)}")
            return False
        if act.step.kind == "resume" and to != was.host:
            self._reach(act, was)
        if not self._put(act, vm, to, act.step.gpus, act.start):
            return False
        del gone[vm.name]
        return True

    def _start_run(self, run: Run) -> Collection[str]:
        if self.scene.of(run.vm):
            self._fault(run, "another run of this instance has not ended")
            return ()
        vm = self.run_vm(run)
        if vm != self.cluster.vms[run.vm]:  # another run of the instance has another host to itself
            self.scene.cluster = replace(self.cluster, vms={**self.cluster.vms, vm.name: vm})
        if not self._put(run, vm, run.run.host, run.run.gpus, run.start):
            return ()
        self._running.add(run)
        return (run.run.host,)

    def run_vm(self, run: Run) -> Vm:
        """The VM as which a run stands on its host."""
        return run.job.vm(run.vm, self.first.hosts[run.run.host])

    def end(self, one: Act | Run) -> Collection[str]:
        """End a step or run that could be played; the hosts that it touches."""
        if isinstance(one, Run):
            if one not in self._running:
                return ()
            self._running.remove(one)
            (stand,) = self.scene.of(one.vm)
            self._take(stand, one.end)
            return (stand.host,)
        name = str(one.step.vm)
        if self._busy.get(name) is not one:
            return ()
        del self._busy[name]
        stand = self.scene.of(name)[0]
        if one.step.leaves is not None:
            self._take(stand, one.end)
        if one.step.kind == "migrate":
            self._spells[name].append(Spell(one.start, one.end, None))
        if one.step.reaches is not None:
            self._spells[name].append(Spell(one.end, NEVER, one.step.reaches))
        elif one.step.kind == "suspend":
            self.asleep[name] = stand
        else:
            self.off[name] = stand
        return {stand.host}

    def _rest_until(self, vm: str, host: str, instant: int) -> None:
        """A VM's rest ends, and a step begins."""
        spells = self._spells[vm]
        start = spells.pop().start if spells else EVER
        if start < instant:
            spells.append(Spell(start, instant, host))

    def _put(self, one: Act | Run, vm: Vm, name: str, gpus: Sequence[PlacedGpu], instant: int) -> bool:
        host = self.cluster.hosts[name]
        missing = [gpu.gpu for gpu in gpus if gpu.gpu not in host.gpu]
        if missing:
            self._fault(one, f"{vm.name} gets GPU {quote(missing[0])}, which {name} does not have")
            return False
        holds = tuple(self._hold(host, gpu) for gpu in gpus)
        stand = Stand(vm.name, name, match(self.cluster, vm, host, holds) or holds)
        if self.cluster.platform.slot_choice == "first-legal":
            for said in not_first(self.scene, stand):
                self._fault(one, said)
        if self._worlds is not None:
            for gpu in self._worlds.arrive(stand):
                self._fault(one, f"{name}: GPU {gpu}: not every choice of slots by the manager leaves room")
        self.scene.put(stand)
        self._since[vm.name, name] = instant
        return True

    def _hold(self, host: Host, placed: PlacedGpu) -> Hold:
        sharing = placed.sharing or self.scene.sharing(host.name, host.gpu[placed.gpu])
        return Hold(placed.gpu, sharing, placed.profile, placed.slot, placed.milli)

    def _take(self, stand: Stand, instant: int) -> None:
        self.scene.remove(stand)
        if self._worlds is not None:
            self._worlds.leave(stand)
        self.history.append(Presence(stand, self._since.pop((stand.vm, stand.host)), instant))

    def _fault(self, one: Act | Run, said: str) -> None:
        self.faults.append(f"{one.path}: {said}")
