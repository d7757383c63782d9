"""Plays a timed plan (`placer.plan/1`), and says everything that is wrong with it: what a plan means is defined here.

**Time.** All times are whole seconds, and everything lasts from its start until just before its end: at one instant,
what ends has ended before anything starts. What starts at the same instant starts in the order of the plan's lists,
steps before job runs. Where the manager picks slots, a plan names the first legal ones, or holds whatever legal ones
it picks (`worst-case`). Steps have unique ids; the steps in `waits_for` have ended when a step starts. Every step but
those of jobs lies wholly in one of the request's windows (windows that touch are one), none before `at`.

**VMs.** Only VMs that run in the snapshot are touched, on a consolidation only those of its scope, one step of a VM at
a time, each lasting at least what `placer_models.motion` says. Who is off or suspended in the snapshot stays so.

- *migrate*: the VM stands on both hosts from start to end. Not where `moving` or a rule's `pins` refuses it, or where
  the stun is above the limit of the request or of the VM.
- *suspend*: it stands until the end. It must be allowed (`may.suspend`), and nothing passed through. Its state is in
  the store from the start of the suspension until the end of the resumption.
- *resume*: it stands from the start. On another host only where it could be migrated to.
- *power-off*, *power-on*: it stands until the end, from the start; `may.power_cycle`. It may start on any host.

**Hosts.** From the start of enter-maintenance until the end of leave-maintenance nothing stands on the host; it always
leaves. restart-host lies between the two (or the host was in maintenance before), with nobody there. A GPU named by
set-mode is empty from start to end; for another firmware mode the host is in maintenance, and the GPU of no use before
a later restart.
An evacuation puts only its hosts in maintenance: at most `at_once`, each for its `minutes`, and in order where that is
asked; a host that it leaves out is no fault, the goals count it. A consolidation that has a way back leaves its GPUs
in the mode and sharing in which it found them.

**Jobs.** A run of an instance stands on its host like a VM `job/<job>/<instance>`, whole-host runs alone. A run begins
with one start-job step and ends with one stop-job step, keeps `not_before` and `deadline`, and lies in one freed
interval of its host. An instance has one run of at least the job's hours; a checkpointed one may have several, one
after the other, which may be too short (then it has no value).

**Freed.** No VM of the cluster stands on the host in the interval. With `least_gain`, a freed host that the request
does not name, and that VMs had to leave, has runs of that much value.

**Rules** of `always` hold at every instant, the others whenever no step is under way and at the end: nothing is more
broken than it was at the beginning.

**Way back.** Each VM that runs in the snapshot runs again when it is due: on its first host and at rest (same-host), on
any host (any-host); with `none` nobody is due. Due is its own `ready_by`, else the request's, from then to the end of
the window in which that is, and at the end of every later window; without either, at the end of every window.

**Mid-way.** A plan that goes on with another one in the midst of a night says since when (`asked.begun.at`), and the
snapshot is of that instant. What has ended by then is told, and not played: no more is asked of it than that its
migrations count, and its steps of hosts. A step or run that began before goes on, until its planned end: the snapshot
shows its VM as it was before the step. A run that began before may be stopped at any time. VMs in `begun.homes` had
their first host there; those of them that are not on were suspended, or powered off, on the host that the told steps
say, else there. VMs in `begun.excused` are not due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from placer.judge import night_limits
from placer.judge.check import broken, worse
from placer.judge.host_times import HostTimes
from placer.judge.midway import Midway
from placer.judge.slots import Worlds
from placer.judge.timeline import CLOCK, EVER, NEVER, VM_STEPS, Act, Run, Timeline, told
from placer_models.cluster import Cluster, Host, Vm
from placer_models.document import quote
from placer_models.goals.night import NIGHT_GOALS
from placer_models.gpus import free_slots
from placer_models.motion import step_seconds, stun_seconds
from placer_models.moving import immovable, unreachable
from placer_models.night import Consolidate, Job, Request
from placer_models.plan import Breach, PlacedGpu, Plan
from placer_models.rules.host_state import HostState
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import POSITIONAL, held, match, model_of, use_of


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


class TimedReplay:
    """One run through a night's plan.

    `faults` are sentences, each of which names the step, run or host at fault. `history` says who stood where and
    when; `host_times` when hosts were in maintenance; `score` recounts every goal of a night. `at` is when the plan is
    to be begun: nothing may start before it.
    """

    def __init__(
        self,
        cluster: Cluster,
        rules: Sequence[Rule],
        request: Request,
        jobs: Sequence[Job],
        plan: Plan,
        *,
        at: datetime | None = None,
    ) -> None:
        self.request, self.plan = request, plan
        self.at = EVER if at is None else CLOCK.seconds(at)
        self.midway = Midway(cluster, plan)
        cluster = self.midway.cluster
        self.timeline = Timeline(cluster, jobs, plan)
        self.host_times = HostTimes(cluster, request, self.timeline.acts)
        self.faults = [*self.midway.faults, *self.timeline.faults, *self.host_times.faults]
        self.history: list[Presence] = []
        self.begun: list[Act] = []
        """The steps of VMs that could be played."""
        self.asleep = dict(self.midway.asleep)
        """The VMs that the plan has suspended by now, and where each stood."""
        self.off = dict(self.midway.off)
        """Likewise, those that it has powered off."""
        runs = {run.vm: _job_vm(run) for run in self.timeline.runs}
        self.faults.extend(f"{name}: a VM of the cluster has this name" for name in runs if name in cluster.vms)
        self.first = cluster
        self.scene = Scene.now(replace(cluster, vms={**runs, **cluster.vms}))
        self._rules = list(rules)
        self._always = [rule for rule in rules if rule.always]
        if not any(isinstance(rule, HostState) for rule in rules):
            self._always.append(HostState())
        self._resting = [rule for rule in rules if not rule.always]
        self._first_always, self._first_resting = self._broken(self._always), self._broken(self._resting)
        self._said: set[tuple[str, tuple[str, ...], int]] = set()
        self._busy: dict[str, Act] = {}
        self._running: set[Run] = set()
        self._since = {(stand.vm, stand.host): EVER for stand in self.scene.stands()}
        self._spells: dict[str, list[Spell]] = defaultdict(list)
        self._changed: set[str] = set()
        """The hosts that changed since the rules that hold at rest were last asked."""
        worst = cluster.platform.slot_choice == "worst-case"
        self._worlds = Worlds(self.scene.copy()) if worst else None
        self._play()
        for stand in self.scene.stands():
            self.history.append(Presence(stand, self._since[stand.vm, stand.host], NEVER))
        self.history.sort(key=lambda presence: (presence.start, presence.end))
        self.faults.extend(night_limits.faults(self, jobs))
        self.score = {goal.label: goal.score(cluster, request, jobs, plan) for goal in NIGHT_GOALS.values()}

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

    # --- playing ------------------------------------------------------------------------------------------------------

    def _play(self) -> None:
        acts = [act for act in self.timeline.acts if act.step.kind in VM_STEPS and not self.midway.is_told(act)]
        runs = [run for run in self.timeline.runs if not self.midway.is_told(run)]
        starting: dict[int, list[Act | Run]] = defaultdict(list)
        ending: dict[int, list[Act | Run]] = defaultdict(list)
        under_way: dict[int, int] = defaultdict(int)  # steps of any kind: what starts and ends when
        both: list[Act | Run] = [*acts, *runs]
        for one in both:
            starting[one.start].append(one)
            ending[one.end].append(one)
        for act in self.timeline.acts:
            under_way[act.start] += 1
            under_way[act.end] -= 1
        instants = {*starting, *ending, *under_way, *self.host_times.instants()}
        instants |= {self.midway.at} - {EVER}
        count, touched = 0, set[str]()
        for instant in sorted(instants):
            for one in ending[instant]:
                touched.update(self._end(one))
            changed = self.host_times.changed(instant, self.cluster)
            if changed:
                self.scene.cluster = replace(self.cluster, hosts={**self.cluster.hosts, **changed})
                touched |= changed.keys()
            for one in starting[instant]:
                touched.update(self._start(one))
            self._changed |= touched
            count += under_way[instant]
            if instant < self.midway.at:  # what was then is told, and not judged
                continue
            what = ", ".join(one.path for one in (starting[instant] or ending[instant])[:3])
            self._judge(f"{told(instant)}, {what}" if what else told(instant), touched, at_rest=count == 0)
            touched = set()

    def _start(self, one: Act | Run) -> Collection[str]:
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
            if not vm.may.suspend:
                self._fault(act, f"{vm.name} may not be suspended")
            if any(hold.sharing == "passthrough" for hold in was.holds):
                self._fault(act, f"{vm.name} holds a pass-through GPU, with which it cannot be suspended")
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
        if not self._put(run, self.cluster.vms[run.vm], run.run.host, run.run.gpus, run.start):
            return ()
        self._running.add(run)
        return (run.run.host,)

    def _end(self, one: Act | Run) -> Collection[str]:
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
            self._first_legal(one, host, stand)
        if self._worlds is not None:
            for gpu in self._worlds.arrive(stand):
                self._fault(one, f"{name}: GPU {gpu}: not every choice of slots by the manager leaves room")
        self.scene.put(stand)
        self._since[vm.name, name] = instant
        return True

    def _hold(self, host: Host, placed: PlacedGpu) -> Hold:
        sharing = placed.sharing or self.scene.sharing(host.name, host.gpu[placed.gpu])
        return Hold(placed.gpu, sharing, placed.profile, placed.slot, placed.milli)

    def _first_legal(self, one: Act | Run, host: Host, stand: Stand) -> None:
        """Where the manager picks slots, the plan must say the slot that it will pick."""
        for i, hold in enumerate(stand.holds):
            gpu = host.gpu[hold.gpu]
            use = use_of(self.cluster, gpu, hold)
            if use is None or hold.sharing not in POSITIONAL:
                continue
            beside = tuple(
                (other, before.slot)
                for before in stand.holds[:i]
                if before.gpu == hold.gpu and (other := use_of(self.cluster, gpu, before)) is not None
            )
            row = model_of(self.cluster, gpu).row_units(hold.sharing)
            legal = free_slots(use, row, (*held(self.scene, host, gpu), *beside))
            if legal and legal[0] != hold.slot:
                self._fault(one, f"the manager puts {stand.vm} at slot {legal[0]} of GPU {gpu.id}, not at {hold.slot}")

    def _take(self, stand: Stand, instant: int) -> None:
        self.scene.remove(stand)
        if self._worlds is not None:
            self._worlds.leave(stand)
        self.history.append(Presence(stand, self._since.pop((stand.vm, stand.host)), instant))

    # --- judging ------------------------------------------------------------------------------------------------------

    def _fault(self, one: Act | Run, said: str) -> None:
        self.faults.append(f"{one.path}: {said}")

    def _broken(self, rules: Sequence[Rule], hosts: Collection[str] | None = None) -> list[list[Breach]]:
        return broken(self.scene, rules, hosts)

    def _judge(self, path: str, touched: Collection[str], *, at_rest: bool) -> None:
        if touched:
            self._say(path, worse(self._always, self._first_always, self._broken(self._always, sorted(touched))))
        if at_rest and self._changed:
            self._say(
                path, worse(self._resting, self._first_resting, self._broken(self._resting, sorted(self._changed)))
            )
            self._changed = set()

    def _say(self, path: str, breaches: Iterable[Breach]) -> None:
        """Say breaches, each once for as long as it is the same."""
        for breach in breaches:
            key = (breach.rule, breach.subject, breach.amount)
            if key not in self._said:
                self._said.add(key)
                self.faults.append(f"{path}: {breach.said}")


def _job_vm(run: Run) -> Vm:
    job = run.job
    return Vm(name=run.vm, power="off", cpus=job.cpus, memory_mib=job.memory_mib, gpus=job.gpus)
