"""A slow replay of night plans, second by second, that shares nothing with the judge: what it must agree with.

Written from the definition in `placer.judge.timed` alone: it uses the documents, and of the catalogue the uses of a
GPU's row and `lays`. It stops at the first thing that is wrong. It knows clusters in which nothing is broken at the
beginning, VMs without `needs` and with at most one vGPU each, and slots that are chosen or the first legal ones. Of
nights of more than an hour it looks only at the seconds at which something is said to happen, and at those beside them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import permutations, product
from typing import Any

from placer_models.cluster import Ask, Cluster, Gpu, Host, Vm
from placer_models.gpus import lays
from placer_models.night import Consolidate, Evacuate, Job, Request, SetMode
from placer_models.plan import JobRun, PlacedGpu, Plan, Step
from placer_models.rules.affinity import Affinity
from placer_models.rules.apart import Apart
from placer_models.rules.capacity import Capacity
from placer_models.rules.gpu import GpuRule
from placer_models.rules.host_state import HostState
from placer_models.rules.limit import Limit
from placer_models.rules.reserve import Reserve
from placer_models.rules.resume import Resume
from placer_models.rules.rule import Rule
from placer_models.rules.stay import Stay
from placer_models.rules.together import Together

BASE = datetime(2026, 1, 1, tzinfo=UTC)
VM_KINDS = {"migrate", "suspend", "resume", "power-off", "power-on"}
STUN_70 = [(1, 5, 6, 8, 12), (2, 7, 9, 11, 15), (4, 13, 14, 16, 21), (8, 24, 25, 28, 32), (16, 47, 48, 50, 54)]
STUN_70 += [(32, 91, 92, 95, 99)]


class Wrong(Exception):
    """The first thing that is wrong."""


def need(holds: bool, said: str) -> None:
    """Stop where something does not hold."""
    if not holds:
        raise Wrong(said)


def slow_verdict(
    cluster: Cluster, rules: Sequence[Rule], request: Request, jobs: Sequence[Job], plan: Plan
) -> str | None:
    """What is wrong with a plan first, None if nothing is."""
    try:
        _Replay(cluster, rules, request, jobs, plan).run()
    except Wrong as wrong:
        return str(wrong)
    return None


def second(instant: datetime) -> int:
    """An instant in seconds; it must be a whole one."""
    found = (instant - BASE) / timedelta(seconds=1)
    need(found == int(found), f"{instant} is no whole second")
    return int(found)


@dataclass
class _Thing:
    """A VM of the cluster or a run of a job."""

    doc: Vm | Job
    home: str | None = None
    on: dict[str, tuple[PlacedGpu, ...]] = field(default_factory=dict)
    status: str = "rest"  # rest, migrate, suspend, resume, power-off, power-on (under way), suspended, off
    last: str | None = None
    last_gpus: tuple[PlacedGpu, ...] = ()
    stored: bool = False


class _Replay:
    def __init__(
        self, cluster: Cluster, rules: Sequence[Rule], request: Request, jobs: Sequence[Job], plan: Plan
    ) -> None:
        self.cluster, self.rules, self.request, self.jobs, self.plan = cluster, rules, request, jobs, plan
        self.catalogue = cluster.catalogue
        self.gpus = {(host.name, gpu.id): gpu for host in cluster.hosts.values() for gpu in host.gpus}
        self.changes = 0
        self.things: dict[str, _Thing] = {}
        for vm in cluster.vms.values():
            if vm.power == "on":
                held = tuple(
                    PlacedGpu(
                        gpu=seat.gpu,
                        profile=ask.profile,
                        slot=seat.slot,
                        milli=ask.milli,
                        sharing=self.gpus[str(vm.host), seat.gpu].sharing,
                    )
                    for ask in vm.gpus
                    for seat in ask.at
                )
                self.things[vm.name] = _Thing(vm, vm.host, {str(vm.host): held})
        self._go_on()
        self.down = {host.name for host in self.cluster.hosts.values() if host.state != "up"}
        self.windows: list[list[int]] = []
        for begin, end in sorted(span for window in request.windows for span in window.spans()):
            first = math.ceil((begin - BASE) / timedelta(seconds=1))
            last = math.floor((end - BASE) / timedelta(seconds=1))
            if self.windows and first <= self.windows[-1][1]:
                self.windows[-1][1] = max(last, self.windows[-1][1])
            else:
                self.windows.append([first, last])

    def _go_on(self) -> None:
        """A plan that begins in the midst of a night: what has happened is told, and not played again."""
        begun = self.plan.asked.begun if self.plan.asked else None
        self.begins = -math.inf if begun is None else second(begun.at)
        self.homes = dict(begun.homes) if begun else {}
        self.excused = set(begun.excused) if begun else set()
        for name in self.homes:
            need(name in self.cluster.vms, f"no VM {name}")
            vm = self.cluster.vms[name]
            need(self.homes[name] in self.cluster.hosts or name in self.excused, f"no host {self.homes[name]}")
            if name in self.things:
                self.things[name].home = self.homes[name]
            else:
                left = [s for s in self.plan.steps if s.vm == name and s.kind in ("migrate", "suspend", "power-off")]
                left = sorted((s for s in left if second(s.end) <= self.begins), key=lambda s: s.start)
                last = str((left[-1].from_ or left[-1].host) if left else self.homes[name])
                if last in self.cluster.hosts:
                    thing = self.things[name] = _Thing(vm, self.homes[name], last=last)
                    thing.status, thing.stored = ("suspended", True) if vm.power == "suspended" else ("off", False)
                    thing.last_gpus = tuple(
                        PlacedGpu(gpu=gpu.id, profile=ask.profile)
                        for ask in vm.gpus
                        for gpu in self.cluster.hosts[last].gpus
                        if ask.profile and self.catalogue.find(gpu.model).profile(ask.profile)
                    )
        hosts = dict(self.cluster.hosts)
        for was in begun.gpus if begun else ():
            gpu = self.gpus[was.host, was.gpu]
            update: dict[str, Any] = {
                "sharing": was.sharing or gpu.sharing,
                "may_share": (gpu.sharing, *(gpu.may_share or ())),
            }
            if was.mode is not None:
                update |= {"mode": was.mode, "model": gpu.model.removesuffix(".compute")}
            self.gpus[was.host, was.gpu] = gpu.model_copy(update=update)
            row = tuple(self.gpus[was.host, one.id] for one in hosts[was.host].gpus)
            hosts[was.host] = hosts[was.host].model_copy(update={"gpus": row})
        for host in list(hosts.values()):
            its = [s.kind for s in self.plan.steps if s.host == host.name and second(s.end) <= self.begins]
            if its.count("enter-maintenance") > its.count("leave-maintenance") and host.state == "maintenance":
                hosts[host.name] = host.model_copy(update={"state": "up"})
        self.cluster = replace(self.cluster, hosts=hosts)

    def _is_told(self, end: int) -> bool:
        return end <= self.begins

    # --- what is wrong on paper ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Everything."""
        self._papers()
        self._pair_maintenance()
        self._pair_flashes()
        steps = [(second(step.start), second(step.end), step) for step in self.plan.steps]
        set_modes = [(second(step.start), second(step.end), step, gpu) for step, gpu in self.set_modes]
        runs = [(second(run.start), second(run.end), run) for run in self.plan.jobs]
        times = [time for start, end, _ in (*steps, *runs) for time in (start, end)]
        times += [time for freed in self.plan.freed for time in (second(freed.from_), second(freed.until))]
        times += [time for window in self.windows for time in window]
        times += [] if self.begins == -math.inf else [int(self.begins)]
        for rule in self.rules:
            self._rule(rule, asserts=True)
        self.freed = [(freed.host, second(freed.from_), second(freed.until)) for freed in self.plan.freed]
        self.ready = {name: self._ready(thing.doc) for name, thing in self.things.items()}
        seen = None
        for now in self._seconds(times):
            for _, end, step in steps:
                if end == now and step.kind in VM_KINDS and not self._is_told(end):
                    self._ends(step)
            for _, end, run in runs:
                if end == now and not self._is_told(end):
                    self.changes += 1
                    del self.things[_name(run)]
            for start, end, step, gpu in set_modes:
                if start == end == now and not self._is_told(end):
                    need(not self._holders(str(step.host), gpu), f"{gpu} is held at {step.id}")
            for start, end, step in steps:
                if step.kind == "restart-host" and start == end == now and not self._is_told(end):
                    need(not self._crowd(str(step.host)), f"{step.host} is not empty at {step.id}")
            for _, end, step, gpu in set_modes:
                if end == now:
                    self._becomes(step, gpu)
            self.down = {host for host, spans in self.shut_hosts.items() if any(a <= now < b for a, b in spans)}
            self.down |= {host.name for host in self.cluster.hosts.values() if host.state != "up"}
            for start, end, step in steps:
                if start == now and step.kind in VM_KINDS and not self._is_told(end):
                    self._starts(step)
            for start, end, run in runs:
                if start == now and not self._is_told(end):
                    need(_name(run) not in self.things, f"{_name(run)} runs twice")
                    job = next(job for job in self.jobs if job.name == run.job)
                    self.things[_name(run)] = _Thing(job)
                    self._arrives(self.things[_name(run)], run.host, run.gpus)
            quiet = not any(start <= now < end for start, end, _ in steps)
            if now < self.begins:
                continue
            self._each_second(now, [step for start, end, step in steps if start <= now < end], runs)
            scene = (self.changes, self.down, quiet)
            if scene != seen:  # who stands where is the same as a second ago: so is what the rules say
                self._rules(quiet)
                seen = scene
        if isinstance(self.request, Consolidate) and self.request.way_back != "none":
            for host, gpu, *_ in self.shut_gpus:
                there = self._holders(host, gpu)
                last = there[0].sharing if there else self.gpus[host, gpu].sharing
                need(last == self.cluster.hosts[host].gpu[gpu].sharing, f"{gpu} is left in another sharing")

    def _seconds(self, times: Sequence[int]) -> Iterable[int]:
        first, last = min(times) - 1, max(times) + 1
        if last - first <= 3602:
            return range(first, last + 1)
        known = [*times, *(ready for ready in self.ready.values() if ready is not None)]
        return sorted({now for time in known for now in (time - 1, time, time + 1) if first <= now <= last})

    def _papers(self) -> None:
        plan, request, hosts = self.plan, self.request, self.cluster.hosts
        by_id = {step.id: step for step in plan.steps}
        need(len(by_id) == len(plan.steps), "an id is there twice")
        moves = [step for step in plan.steps if step.kind == "migrate"]
        most = request.limits.most_moves
        need(most is None or len(moves) <= most, "too many moves")
        for step in plan.steps:
            start, end = second(step.start), second(step.end)
            need(start <= end, f"{step.id} ends before it starts")
            for other in step.waits_for:
                need(other in by_id and other != step.id, f"{step.id} waits for {other}, which is not there")
                need(second(by_id[other].end) <= start, f"{step.id} does not wait for {other}")
            if step.kind in VM_KINDS:
                if self._is_told(end):
                    need(step.vm in self.cluster.vms and start < end, f"{step.id} is no step of a VM")
                    named = [step.from_, step.to] if step.kind == "migrate" else [step.host or step.from_ or step.to]
                    need(all(name in hosts for name in named), f"{step.id} names no host")
                    continue
                need(step.vm in self.things and start < end, f"{step.id} is no step of a running VM")
                vm = self.cluster.vms[str(step.vm)]
                need(end - start >= self._least(vm, step.kind), f"{step.id} is too short")
                named = [step.from_, step.to] if step.kind == "migrate" else [step.host or step.from_ or step.to]
                need(all(name in hosts for name in named), f"{step.id} names no host")
                if isinstance(request, Consolidate):
                    scope = hosts[self.homes.get(vm.name, str(vm.host))]
                    need(request.hosts is None or scope.name in request.hosts, f"{step.id} is outside the scope")
                    labels = request.host_labels or {}
                    need(labels.items() <= dict(scope.labels).items(), f"{step.id} is outside the scope")
            if self._is_told(end) and step.kind not in ("start-job", "stop-job"):
                need(step.host in hosts, f"{step.id} names no host")
            elif step.kind not in ("start-job", "stop-job"):
                need(any(a <= start and end <= b for a, b in self.windows), f"{step.id} is outside the windows")
                need(step.kind in VM_KINDS or step.host in hosts, f"{step.id} names no host")
            else:
                need(start == end, f"{step.id} takes time")
        self._paper_jobs()

    def _paper_jobs(self) -> None:
        plan, jobs = self.plan, {job.name: job for job in self.jobs}
        ran: Counter[str] = Counter()
        for run in plan.jobs:
            need(run.job in jobs and run.host in self.cluster.hosts, f"{_name(run)}: no such job or host")
            job, start, end = jobs[run.job], second(run.start), second(run.end)
            need(start < end and run.instance < job.instances, f"{_name(run)}: bad times or number")
            if self._is_told(end):
                continue
            if start >= self.begins:
                need(job.not_before is None or run.start >= job.not_before, f"{_name(run)} is too early")
                need(job.deadline is None or run.end <= job.deadline, f"{_name(run)} is too late")
                need(job.checkpointed or end - start >= job.hours * 3600, f"{_name(run)} is too short")
                ran[_name(run)] += 1
            need(job.checkpointed or ran[_name(run)] <= 1, f"{_name(run)} cannot be checkpointed")
            inside = [f for f in plan.freed if f.host == run.host and f.from_ <= run.start and run.end <= f.until]
            need(bool(inside), f"{_name(run)} is on a host that is not freed")
        for kind in ("start-job", "stop-job"):
            said = sorted((str(s.job), str(s.host), second(s.start)) for s in plan.steps if s.kind == kind)
            begin = kind == "start-job"
            done = sorted((r.job, r.host, second(r.start if begin else r.end)) for r in plan.jobs)
            need(said == done, f"{kind} steps and runs differ")
        for freed in plan.freed:
            first, last = second(freed.from_), second(freed.until)
            need(freed.host in self.cluster.hosts and first < last, "no freed interval")
            if isinstance(self.request, Consolidate) and first >= self.begins:
                within = any(a <= first and last <= b for a, b in self.windows)
                need(within, f"{freed.host} is free outside the windows")
        least = self.request.limits.least_gain
        if isinstance(self.request, Consolidate) and least:
            named = self.request.free if isinstance(self.request.free, tuple) else ()
            for host in {freed.host for freed in plan.freed} - set(named):
                later = any(f.host == host and second(f.until) > self.begins for f in plan.freed)
                if later and any(host in thing.on for thing in self.things.values()):
                    gain = sum(jobs[run.job].value * self._share(run) for run in plan.jobs if run.host == host)
                    need(gain >= least, f"{host} does not pay")

    def _share(self, run: JobRun) -> Fraction:
        """A run's part of all the time for which its instance runs."""
        its = [one for one in self.plan.jobs if _name(one) == _name(run)]
        return Fraction(second(run.end) - second(run.start), sum(second(one.end) - second(one.start) for one in its))

    def _pair_maintenance(self) -> None:
        self.shut_hosts: dict[str, list[tuple[int, float]]] = {}
        self.calm: dict[str, list[tuple[float, float]]] = {}
        for host in self.cluster.hosts.values():
            its = [s for s in self.plan.steps if s.host == host.name and s.kind.endswith("-maintenance")]
            its.sort(key=lambda step: (step.start, step.end))
            if host.state == "maintenance":
                self.calm[host.name] = [(-math.inf, math.inf)]
            if not its:
                continue
            need(host.state == "up", f"{host.name} is {host.state}")
            need(len(its) % 2 == 0, f"{host.name} does not leave maintenance")
            for enter, leave in zip(its[::2], its[1::2], strict=True):
                need(enter.kind == "enter-maintenance" and leave.kind == "leave-maintenance", f"{host.name}: no pair")
                need(enter.end <= leave.start, f"{host.name} leaves before it entered")
                before = self.shut_hosts.setdefault(host.name, [])
                need(not before or before[-1][1] <= second(enter.start), f"{host.name} enters before it left")
                before.append((second(enter.start), second(leave.end)))
                self.calm.setdefault(host.name, []).append((second(enter.end), second(leave.start)))
                if isinstance(self.request, Evacuate):
                    need(host.name in self.request.hosts, f"nobody asked for {host.name}")
                    work = second(leave.start) - second(enter.end)
                    need(work >= 60 * self.request.minutes, f"{host.name} has too few minutes")
                elif isinstance(self.request, SetMode):
                    need(host.name == self.request.host, f"nobody asked for {host.name}")
                else:
                    named = self.request.hosts is None or host.name in self.request.hosts
                    need(named, f"{host.name} is outside the scope")
        if isinstance(self.request, Evacuate) and self.request.in_order:
            firsts = [self.shut_hosts[host][0][0] for host in self.request.hosts if host in self.shut_hosts]
            need(firsts == sorted(firsts), "out of order")

    def _pair_flashes(self) -> None:
        """Which GPUs each set-mode step changes, and when each is of use again."""
        self.set_modes: list[tuple[Step, str]] = []
        self.shut_gpus: list[tuple[str, str, int, float]] = []
        mode = {key: self._mode(gpu) for key, gpu in self.gpus.items()}
        first_mode = dict(mode)
        least = 900
        if isinstance(self.request, SetMode):
            least = 60 * self.request.minutes
        elif isinstance(self.request, Evacuate):
            least = min(900, 60 * self.request.minutes)
        restarts = [step for step in self.plan.steps if step.kind == "restart-host"]
        for step in restarts:
            need(self._is_calm(step), f"{step.id} is outside maintenance")
            need(second(step.end) - second(step.start) >= least, f"{step.id} is too short")
        for step in sorted(self.plan.steps, key=lambda step: (step.start, step.end)):
            if step.kind != "set-mode":
                continue
            host, request = str(step.host), self.request
            need(bool(step.gpus) and (step.mode or step.sharing) is not None, f"{step.id} says nothing")
            need(not isinstance(request, Evacuate), f"nobody asked for {step.id}")
            if isinstance(request, SetMode):
                need(request.host == host and step.mode in (None, request.mode), f"nobody asked for {step.id}")
                need(step.sharing in (None, request.sharing), f"nobody asked for {step.id}")
                need(request.gpus is None or all(p.gpu in request.gpus for p in step.gpus), f"nobody asked {step.id}")
            elif isinstance(request, Consolidate):
                need(request.hosts is None or host in request.hosts, f"{step.id} is outside the scope")
            for placed in step.gpus:
                key = (host, placed.gpu)
                need(key in self.gpus, f"{step.id}: no GPU {placed.gpu}")
                for other_host, gpu, start, _ in self.shut_gpus:
                    ends = [second(s.end) for s, g in self.set_modes if s.host == host and g == placed.gpu]
                    if (other_host, gpu) == key and start <= second(step.start):
                        need(max(ends) <= second(step.start), f"{step.id}: {gpu} is being changed")
                gpu_doc = self.gpus[key]
                may = {gpu_doc.sharing, *(gpu_doc.may_share or ())}
                need(step.sharing is None or step.sharing in may, f"{step.id}: no sharing {step.sharing}")
                ready: float = second(step.end)
                if step.mode is not None and step.mode != mode[key]:
                    need(step.mode in self.catalogue.find(gpu_doc.model).modes, f"{step.id}: no mode {step.mode}")
                    need(self._is_calm(step), f"{step.id} is outside maintenance")
                    need(second(step.end) - second(step.start) >= least, f"{step.id} is too short")
                    later = [second(s.end) for s in restarts if s.host == host and s.start >= step.end]
                    ready = min(later, default=math.inf)
                    mode[key] = step.mode
                self.set_modes.append((step, placed.gpu))
                self.shut_gpus.append((host, placed.gpu, second(step.start), ready))
        if isinstance(self.request, Consolidate) and self.request.way_back != "none":
            need(mode == first_mode, "a GPU is left in another mode")

    def _is_calm(self, step: Step) -> bool:
        start, end = second(step.start), second(step.end)
        return any(a <= start and end <= b for a, b in self.calm.get(str(step.host), ()))

    def _mode(self, gpu: Gpu) -> str:
        return "compute" if gpu.mode == "compute" or gpu.model.endswith(".compute") else "graphics"

    def _becomes(self, step: Step, gpu_id: str) -> None:
        self.changes += 1
        key = (str(step.host), gpu_id)
        gpu = self.gpus[key]
        open_to = (gpu.sharing, *(gpu.may_share or ()))
        after: dict[str, Any] = {"sharing": step.sharing or gpu.sharing, "may_share": open_to}
        if step.mode is not None:
            after |= {"mode": step.mode, "model": gpu.model.removesuffix(".compute")}
        self.gpus[key] = gpu.model_copy(update=after)

    # --- how long -----------------------------------------------------------------------------------------------------

    def _least(self, vm: Vm, kind: str) -> int:
        measured, limits = vm.measured, self.request.limits
        memory = vm.memory_mib + self._frame_buffer(vm)
        if kind == "migrate":
            found = measured.migrate_seconds
            if found is None:
                dirty = min(measured.dirty_mib_per_second or 0, 0.9 * limits.mib_per_second)
                found = memory / (limits.mib_per_second - dirty) + self._stun(vm) + 5
        elif kind in ("suspend", "resume"):
            found = measured.suspend_seconds
            if found is None:
                found = memory / limits.store_mib_per_second + 5
        elif kind == "power-off":
            found = 60 if measured.power_off_seconds is None else measured.power_off_seconds
        else:
            found = 60 if measured.power_on_seconds is None else measured.power_on_seconds
        return max(1, math.ceil(found - 1e-6))

    def _frame_buffer(self, vm: Vm) -> int:
        if vm.measured.migrate_data_mib is not None:
            return vm.measured.migrate_data_mib
        total = 0
        for ask in vm.gpus:
            if ask.profile is not None:
                profile = self.catalogue.profile_models(ask.profile)[0].profile(ask.profile)
                assert profile is not None
                total += ask.count * profile.framebuffer_mib
        return total

    def _stun(self, vm: Vm) -> float:
        if vm.measured.stun_seconds is not None:
            return vm.measured.stun_seconds
        gib = self._frame_buffer(vm) / 1024
        if gib == 0:
            return 0
        assert not str(self.cluster.platform.version).startswith("6.")
        rows = [tuple(map(float, row)) for row in STUN_70]
        low = max([row for row in rows[:-1] if row[0] <= gib], default=rows[0])
        high = rows[rows.index(low) + 1]
        part = max(0.0, (gib - low[0]) / (high[0] - low[0]))
        by_memory = [a + part * (b - a) for a, b in zip(low[1:], high[1:], strict=True)]
        sizes = [4.0, 8.0, 16.0, 32.0]
        have = vm.memory_mib / 1024
        left = max([i for i in range(3) if sizes[i] <= have], default=0)
        part = max(0.0, (have - sizes[left]) / (sizes[left + 1] - sizes[left]))
        return round(by_memory[left] + part * (by_memory[left + 1] - by_memory[left]), 1)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _ends(self, step: Step) -> None:
        thing = self.things[str(step.vm)]
        self.changes += 1
        if step.kind == "migrate":
            del thing.on[str(step.from_)]
        elif step.kind in ("suspend", "power-off"):
            ((thing.last, thing.last_gpus),) = thing.on.items()
            thing.on = {}
        if step.kind == "resume":
            thing.stored = False
        thing.status = {"suspend": "suspended", "power-off": "off"}.get(step.kind, "rest")

    def _starts(self, step: Step) -> None:
        thing = self.things[str(step.vm)]
        vm = thing.doc
        assert isinstance(vm, Vm)
        if step.kind in ("migrate", "resume", "power-on") and second(step.start) >= self.begins:
            need((step.to or step.host) not in self.down, f"{step.id}: comes to a host that is not up")
        if step.kind in ("migrate", "suspend", "power-off"):
            source = str(step.from_ or step.host)
            need(thing.status == "rest" and set(thing.on) == {source}, f"{step.id}: {vm.name} is not at rest there")
            need(not any(isinstance(r, Stay) and self._is_of(r, vm) for r in self.rules), f"{vm.name} must stay")
            gpus = thing.on[source]
            through = any(placed.sharing == "passthrough" for placed in gpus)
            if step.kind == "migrate":
                need(vm.may.live_migrate and not through and step.to != source, f"{step.id}: cannot be migrated")
                stun = self._stun(vm)
                for limit in (self.request.limits.stun_seconds, vm.stun_limit_seconds):
                    need(limit is None or stun <= limit, f"{step.id}: stands still too long")
                platform = self.cluster.platform
                able = platform.vgpu_live_migration
                if able is None:
                    able = platform.kind in ("vsphere", "kvm", "openstack")
                need(able or all(placed.profile is None for placed in gpus), f"{step.id}: no vGPU moves here")
                self._reaches(step, source, gpus, str(step.to))
                thing.status = "migrate"
                self._arrives(thing, str(step.to), step.gpus)
            elif step.kind == "suspend":
                need(vm.may.suspend and not through, f"{step.id}: cannot be suspended")
                thing.status, thing.stored = "suspend", True
            else:
                need(vm.may.power_cycle, f"{step.id}: cannot be powered off")
                thing.status = "power-off"
            return
        need(thing.status == ("suspended" if step.kind == "resume" else "off"), f"{step.id}: {thing.status}")
        to = str(step.to or step.host)
        if step.kind == "resume" and to != thing.last:
            self._reaches(step, str(thing.last), thing.last_gpus, to)
        thing.status = step.kind
        self._arrives(thing, to, step.gpus)

    def _reaches(self, step: Step, source: str, gpus: Sequence[PlacedGpu], to: str) -> None:
        profiled = [placed for placed in gpus if placed.profile is not None]
        if not profiled:
            return
        a, b = self.cluster.hosts[source], self.cluster.hosts[to]
        need(a.vgpu_manager == b.vgpu_manager, f"{step.id}: another vGPU manager")
        for placed in profiled:
            from_gpu = self.gpus[source, placed.gpu]
            there = [self.gpus[to, gpu.id] for gpu in b.gpus]
            same = [gpu for gpu in there if self._model(gpu) == self._model(from_gpu)]
            need(bool(same), f"{step.id}: no such GPU on {to}")
            need(all(gpu.ecc == from_gpu.ecc for gpu in same), f"{step.id}: other ECC on {to}")

    def _model(self, gpu: Gpu) -> str:
        return self.catalogue.find(gpu.model).name

    def _arrives(self, thing: _Thing, host: str, gpus: Sequence[PlacedGpu]) -> None:
        held: list[PlacedGpu] = []
        for placed in gpus:
            need((host, placed.gpu) in self.gpus, f"no GPU {placed.gpu} on {host}")
            there = self._holders(host, placed.gpu)
            stands = there[0].sharing if there else self.gpus[host, placed.gpu].sharing
            held.append(placed.model_copy(update={"sharing": placed.sharing or stands}))
        for i, placed in enumerate(held):
            if self.cluster.platform.slot_choice == "first-legal" and placed.sharing in ("mixed-size", "mig"):
                before = [*self._holders(host, placed.gpu), *(o for o in held[:i] if o.gpu == placed.gpu)]
                legal = self._first_legal(host, placed, before)
                need(legal is None or legal == placed.slot, f"the manager puts it at {legal}")
        thing.on[host] = tuple(held)
        self.changes += 1

    def _first_legal(self, host: str, placed: PlacedGpu, before: Sequence[PlacedGpu]) -> int | None:
        gpu = self.gpus[host, placed.gpu]
        model = self.catalogue.find(gpu.model)
        sharing = placed.sharing
        assert sharing is not None
        use = model.use(sharing, profile=placed.profile, milli=placed.milli)
        if use is None:
            return None
        there = [(model.use(sharing, profile=o.profile, milli=o.milli), o.slot) for o in before]
        known = tuple((other, slot) for other, slot in there if other is not None)
        row = model.row_units(sharing)
        return next((slot for slot in use.starts or () if not lays((*known, (use, slot)), row)), None)

    def _holders(self, host: str, gpu: str) -> list[PlacedGpu]:
        return [p for thing in self.things.values() for p in thing.on.get(host, ()) if p.gpu == gpu]

    def _crowd(self, host: str) -> list[str]:
        return [name for name, thing in self.things.items() if host in thing.on]

    # --- what must hold at each second --------------------------------------------------------------------------------

    def _each_second(self, now: int, steps: Sequence[Step], runs: Sequence[tuple[int, int, JobRun]]) -> None:
        limits, hosts = self.request.limits, self.cluster.hosts
        moves = [(str(step.from_), str(step.to)) for step in steps if step.kind == "migrate"]
        ends = Counter(host for move in moves for host in move)
        need(all(count <= limits.moves_at_once_per_host for count in ends.values()), f"{now}: host too busy")
        need(limits.moves_at_once is None or len(moves) <= limits.moves_at_once, f"{now}: cluster too busy")
        for link in limits.links:
            values = [(hosts[a].labels.get(link.label), hosts[b].labels.get(link.label)) for a, b in moves]
            over = Counter(value for a, b in values if a != b for value in (a, b) if value is not None)
            for count in over.values():
                need(link.moves_at_once is None or count <= link.moves_at_once, f"{now}: link too busy")
                rate = count * limits.mib_per_second
                need(link.mib_per_second is None or rate <= link.mib_per_second + 1e-6, f"{now}: link too full")
        if limits.store_mib is not None:
            stored = [thing.doc for thing in self.things.values() if thing.stored]
            total = sum(vm.memory_mib + self._frame_buffer(vm) for vm in stored if isinstance(vm, Vm))
            need(total <= limits.store_mib, f"{now}: store too full")
        for host, gpu, start, end in self.shut_gpus:
            need(not (start <= now < end and self._holders(host, gpu)), f"{now}: {gpu} on {host} is held")
        for step in (step for step in steps if step.kind == "restart-host"):
            need(not self._crowd(str(step.host)), f"{now}: {step.host} restarts")
        if isinstance(self.request, Evacuate) and self.request.at_once is not None:
            inside = [host for host, spans in self.shut_hosts.items() if any(a <= now < b for a, b in spans)]
            need(len(inside) <= self.request.at_once, f"{now}: too many hosts in maintenance")
        for name, begin, end in self.freed:
            if begin <= now < end:
                there = [n for n, t in self.things.items() if name in t.on and isinstance(t.doc, Vm)]
                need(not there, f"{now}: {name} has {there}")
        for start, end, run in runs:
            job = self.things[_name(run)].doc if start <= now < end else None
            if isinstance(job, Job) and job.whole_host:
                alone = sum(run.host in thing.on for thing in self.things.values()) == 1
                need(alone, f"{now}: {_name(run)} is not alone")
        if self.request.way_back != "none":
            for name, thing in self.things.items():
                if name not in self.excused and isinstance(thing.doc, Vm) and self._is_due(self.ready[name], now):
                    home = thing.status == "rest" and str(thing.home) in thing.on
                    any_host = thing.status in ("rest", "migrate")
                    back = home if self.request.way_back == "same-host" else any_host
                    need(back, f"{now}: {name} is not back")

    def _ready(self, vm: Vm | Job) -> int | None:
        asked = self.request.ready_by if isinstance(self.request, Consolidate) else None
        own = vm.ready_by if isinstance(vm, Vm) else None
        ready = own or asked
        return None if ready is None else math.floor((ready - BASE) / timedelta(seconds=1))

    def _is_due(self, ready: int | None, now: int) -> bool:
        if now == self.begins:  # what is due just then cannot be helped
            return ready is not None and any(begin <= ready <= now < end for begin, end in self.windows)
        if ready is None:
            return any(now == end for _, end in self.windows)
        if now == ready or any(begin <= ready <= now <= end for begin, end in self.windows):
            return True
        return any(begin > ready and now == end for begin, end in self.windows)

    # --- rules --------------------------------------------------------------------------------------------------------

    def _rules(self, quiet: bool) -> None:
        for host in self.down:
            need(not any(host in thing.on for thing in self.things.values()), f"{host} is in maintenance")
        for rule in self.rules:
            if quiet or isinstance(rule, (HostState, Capacity, GpuRule)):
                self._rule(rule)

    def _is_of(self, rule: Stay | Apart | Together | Affinity | Limit, vm: Vm | Job) -> bool:
        assert rule.vms is not None
        return vm.name in rule.vms and isinstance(vm, Vm)

    def _rule(self, rule: Rule, asserts: bool = False) -> None:
        try:
            self._holds(rule)
        except Wrong:
            assert not asserts, "nothing is to be broken at the beginning"
            raise

    def _holds(self, rule: Rule) -> None:
        match rule:
            case HostState() | Resume():  # looked at as a VM is to go there
                pass
            case Capacity():
                for host in self.cluster.hosts.values():
                    self._room(host)
            case GpuRule():
                for host in self.cluster.hosts.values():
                    self._gpus(host)
            case Apart() | Together():
                groups: Counter[str] = Counter()
                for thing in self.things.values():
                    if self._is_of(rule, thing.doc):
                        for name in thing.on:
                            label = self.cluster.hosts[name].labels.get(rule.by)
                            groups[f"label {label}" if rule.by != "host" and label is not None else f"host {name}"] += 1
                if isinstance(rule, Apart):
                    need(all(count == 1 for count in groups.values()), "not apart")
                else:
                    need(len(groups) <= 1, "not together")
            case Affinity():
                assert rule.hosts is not None
                for thing in self.things.values():
                    if self._is_of(rule, thing.doc):
                        inside = [name in rule.hosts for name in thing.on]
                        need(not any(inside) if rule.strength == "must-not" else all(inside), "affinity")
            case Limit():
                for name in rule.hosts or self.cluster.hosts:
                    count = sum(self._is_of(rule, t.doc) and name in t.on for t in self.things.values())
                    need(rule.most_vms is None or count <= rule.most_vms, f"{name} has too many")
            case Stay():
                for thing in self.things.values():
                    if self._is_of(rule, thing.doc):
                        need(set(thing.on) == {thing.home}, f"{thing.doc.name} did not stay")
            case Reserve():
                assert rule.vms is None
                assert rule.hosts is None
                for lost in self.cluster.hosts:
                    self._lose(lost)
            case _:
                raise AssertionError(f"{rule.kind} is not known here")

    def _lose(self, lost: str) -> None:
        """What stands on a lost host is gone, and who is to restart finds a place on another."""
        gone = [(thing, thing.on) for thing in self.things.values() if lost in thing.on]
        for thing, _ in gone:
            thing.on = {}
        again = [thing for thing, _ in gone if isinstance(thing.doc, Vm) and thing.doc.may.restart]
        whole = {on for t in self.things.values() if isinstance(t.doc, Job) and t.doc.whole_host for on in t.on}
        found = self._restart(again, {*self.down, lost, *whole})
        for thing, on in gone:
            thing.on = on
        need(found, f"if {lost} were lost, not all would start again")

    def _restart(self, again: Sequence[_Thing], down: set[str]) -> bool:
        if not again:
            return True
        for host in (host for host in self.cluster.hosts.values() if host.name not in down):
            for gpus in self._every_seat(again[0].doc, host):
                again[0].on = {host.name: gpus}
                try:
                    self._room(host)
                    self._gpus(host)
                except Wrong:
                    continue
                if self._restart(again[1:], down):
                    return True
        again[0].on = {}
        return False

    def _every_seat(self, vm: Vm | Job, host: Host) -> Iterator[tuple[PlacedGpu, ...]]:
        asks = [ask for ask in vm.gpus for _ in range(ask.count)]
        seats = [(gpu, sharing) for gpu in host.gpus for sharing in (gpu.sharing, *(gpu.may_share or ()))]
        choices = [
            [
                PlacedGpu(gpu=gpu.id, profile=ask.profile, milli=ask.milli, sharing=sharing, slot=slot)
                for gpu, sharing in seats
                for slot in (range(self.catalogue.find(gpu.model).row_units(sharing)) if ask.profile else [None])
            ]
            for ask in asks
        ]
        yield from product(*choices)

    def _room(self, host: Host) -> None:
        here = [thing.doc for thing in self.things.values() if host.name in thing.on]
        milli = sum(round(vm.cpus * 1000) for vm in here)
        can = (round(host.cpus * 1000) - round(host.reserved_cpus * 1000)) * round(host.cpu_ratio * 1000) // 1000
        need(milli <= can, f"{host.name} has too few CPUs")
        ratio = round(host.memory_ratio * 1000)
        used = sum(vm.memory_mib * (ratio if vm.gpus else 1000) for vm in here)
        need(used <= (host.memory_mib - host.reserved_memory_mib) * ratio, f"{host.name} has too little memory")

    def _gpus(self, host: Host) -> None:
        by_gpu: dict[str, list[PlacedGpu]] = {}
        for name, thing in self.things.items():
            if host.name not in thing.on:
                continue
            held = thing.on[host.name]
            asked = [ask for ask in thing.doc.gpus for _ in range(ask.count)]
            need(len(asked) == len(held), f"{name} has {len(held)} GPU items")
            orders = permutations(held)
            fits = any(
                all(self._serves(host.name, ask, placed) for ask, placed in zip(asked, order, strict=True))
                and self._spread(thing.doc.gpus, order)
                for order in orders
            )
            need(fits, f"{name} does not have what it asks for on {host.name}")
            for placed in held:
                by_gpu.setdefault(placed.gpu, []).append(placed)
        for gpu_id, items in by_gpu.items():
            gpu = self.gpus[host.name, gpu_id]
            sharing = items[0].sharing
            assert sharing is not None
            need(all(item.sharing == sharing for item in items), f"{gpu_id} is in two sharings")
            need(sharing in (gpu.sharing, *(gpu.may_share or ())), f"{gpu_id} may not be {sharing}")
            model = self.catalogue.find(gpu.model)
            row = []
            for item in items:
                whole = item.profile is None and item.milli is None and sharing == "fraction"
                use = model.use(sharing, profile=item.profile, milli=1000 if whole else item.milli)
                need(use is not None, f"{gpu_id} cannot give {item.profile}")
                assert use is not None
                row.append((use, 0 if sharing == "passthrough" else item.slot))
            need(not lays(tuple(row), model.row_units(sharing)), f"{gpu_id} is held twice")

    def _spread(self, asks: Sequence[Ask], held: Sequence[PlacedGpu]) -> bool:
        at = 0
        for ask in asks:
            its = [placed.gpu for placed in held[at : at + ask.count]]
            at += ask.count
            if ask.milli is not None and len(set(its)) < len(its):
                return False
        return True

    def _serves(self, host: str, ask: Ask, placed: PlacedGpu) -> bool:
        gpu = self.gpus[host, placed.gpu]
        model = self.catalogue.find(gpu.model)
        if (ask.profile, ask.milli) != (placed.profile, placed.milli):
            return False
        mode = self._mode(gpu)
        names = [self.catalogue.canonical(name) for name in ask.models or (model.name,)]
        if ask.profile is None and ask.milli is None:
            if not any(name == model.name and (ask.mode or wanted) == mode for name, wanted in names):
                return False
        elif not any(name == model.name for name, _ in names):
            return False
        elif ask.profile is not None:
            if mode == "compute" and len(model.modes) > 1:
                return False
        elif ask.mode not in (None, mode):
            return False
        assert placed.sharing is not None
        whole = ask.profile is None and ask.milli is None and placed.sharing == "fraction"
        return model.use(placed.sharing, profile=ask.profile, milli=1000 if whole else ask.milli) is not None


def _name(run: JobRun) -> str:
    return f"job/{run.job}/{run.instance}"
