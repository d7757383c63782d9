"""What a plan does to hosts: when each is in maintenance, when it restarts, when its GPUs change mode or sharing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from placer.judge.timeline import NEVER, Act, told
from placer_models.cluster import Cluster, Gpu, Host, firmware_mode
from placer_models.document import quote
from placer_models.gpus import Mode
from placer_models.motion import flash_seconds
from placer_models.night import Consolidate, Evacuate, Request, SetMode
from placer_models.scene import Scene


@dataclass(frozen=True, slots=True)
class Maintenance:
    """From the start of `enter` until the end of `leave` (None: it never leaves) nothing stands on the host."""

    enter: Act
    leave: Act | None

    @property
    def start(self) -> int:
        """When the host stops taking VMs."""
        return self.enter.start

    @property
    def end(self) -> int:
        """When it takes VMs again."""
        return self.leave.end if self.leave else NEVER

    def spans(self, act: Act) -> bool:
        """Whether a step runs wholly between its entering and its leaving."""
        return self.enter.end <= act.start and (self.leave is None or act.end <= self.leave.start)


@dataclass(frozen=True, slots=True)
class Shut:
    """A GPU that nothing may hold between two instants, because a step changes it."""

    host: str
    gpu: str
    start: int
    end: int
    act: Act
    why: str


class HostTimes:
    """The steps of hosts. `faults` says what is wrong among them; who stands there meanwhile is looked at later.

    The cluster is as it is `at` an instant: how a host was when it was put in maintenance before, it does not say.
    """

    def __init__(self, cluster: Cluster, request: Request, acts: Sequence[Act], at: int) -> None:
        self.cluster, self.request, self.at = cluster, request, at
        self.faults: list[str] = []
        self.maintenance: dict[str, list[Maintenance]] = {}
        self.shut: list[Shut] = []
        self.gpus: dict[tuple[str, str], Gpu] = {}
        """The GPUs that were changed, as they are at the end."""
        self._gpus_at: dict[int, list[tuple[str, Gpu]]] = defaultdict(list)
        by_host: dict[str, list[Act]] = defaultdict(list)
        for act in acts:
            if act.step.host is not None:
                by_host[act.step.host].append(act)
        for name, its in by_host.items():
            its.sort(key=lambda act: (act.start, act.end))
            self.maintenance[name] = self._pairs(cluster.hosts[name], its)
            restarts = list(self._restarts(name, its))
            for act in its:
                if act.step.kind == "set-mode":
                    self._set_mode(act, cluster.hosts[name], restarts)

    def instants(self) -> Iterator[int]:
        """When hosts change."""
        yield from self._gpus_at
        for intervals in self.maintenance.values():
            for one in intervals:
                yield from (one.start, *((one.end,) if one.leave else ()))

    def changed(self, instant: int, cluster: Cluster) -> dict[str, Host]:
        """The hosts that change at an instant, as they then are."""
        hosts: dict[str, Host] = {}
        for name, intervals in self.maintenance.items():
            if any(instant in (one.start, one.end) for one in intervals):
                inside = any(one.start <= instant < one.end for one in intervals)
                state = "maintenance" if inside else self.cluster.hosts[name].state
                hosts[name] = cluster.hosts[name].model_copy(update={"state": state})
        for name, gpu in self._gpus_at.get(instant, ()):
            host = hosts.get(name, cluster.hosts[name])
            gpus = tuple(gpu if other.id == gpu.id else other for other in host.gpus)
            hosts[name] = host.model_copy(update={"gpus": gpus})
        return hosts

    def _pairs(self, host: Host, acts: Iterable[Act]) -> list[Maintenance]:
        found: list[Maintenance] = []
        enter: Act | None = None
        for act in acts:
            if act.step.kind == "enter-maintenance":
                if not self._asked(host.name):
                    self.faults.append(f"{act.path}: nobody asked for {host.name} to be put in maintenance")
                if enter is not None or (host.state != "up" and act.end > self.at):
                    state = "in maintenance" if enter is not None else host.state
                    self.faults.append(f"{act.path}: {host.name} is {state} already")
                elif found and act.start < found[-1].end:
                    self.faults.append(f"{act.path}: {host.name} leaves maintenance until {told(found[-1].end)}")
                else:
                    enter = act
            elif act.step.kind == "leave-maintenance":
                if enter is None:
                    self.faults.append(f"{act.path}: this plan did not put {host.name} in maintenance")
                elif act.start < enter.end:
                    self.faults.append(f"{act.path}: {host.name} enters maintenance until {told(enter.end)}")
                else:
                    found.append(Maintenance(enter, act))
                    enter = None
        if enter is not None:
            self.faults.append(f"{enter.path}: {host.name} never leaves maintenance")
            found.append(Maintenance(enter, None))
        return found

    def _asked(self, host: str) -> bool:
        match self.request:
            case Consolidate():
                return self.request.names_host(self.cluster.hosts[host])
            case Evacuate():
                return host in self.request.hosts
            case SetMode():
                return host == self.request.host

    def _in_maintenance(self, act: Act, host: str) -> bool:
        snapshot = self.cluster.hosts[host].state == "maintenance"
        return snapshot or any(one.spans(act) for one in self.maintenance[host])

    def _restarts(self, host: str, acts: Iterable[Act]) -> Iterator[Act]:
        least = flash_seconds(self.request)
        for act in acts:
            if act.step.kind == "restart-host":
                if not self._in_maintenance(act, host):
                    self.faults.append(f"{act.path}: {host} restarts outside maintenance")
                if act.end - act.start < least:
                    self.faults.append(f"{act.path}: takes {act.end - act.start} s, a restart takes {least}")
                yield act

    def _set_mode(self, act: Act, host: Host, restarts: Sequence[Act]) -> None:
        step, path = act.step, act.path
        if not step.gpus or (step.mode is None and step.sharing is None):
            self.faults.append(f"{path}: set-mode says no GPUs, or neither mode nor sharing")
        for placed in step.gpus:
            if placed.gpu not in host.gpu:
                self.faults.append(f"{path}: {host.name} has no GPU {quote(placed.gpu)}")
                continue
            gpu = self.gpus.get((host.name, placed.gpu), host.gpu[placed.gpu])
            if not self._wanted(act, host.name, gpu.id):
                self.faults.append(f"{path}: nobody asked for GPU {gpu.id} of {host.name} to be changed so")
            if any(one.host == host.name and one.gpu == gpu.id and one.act.end > act.start for one in self.shut):
                self.faults.append(f"{path}: GPU {gpu.id} of {host.name} is still being changed by another step")
            if step.sharing is not None and step.sharing not in gpu.sharings:
                self.faults.append(f"{path}: GPU {gpu.id} of {host.name} may not be put in sharing {step.sharing}")
                continue
            model = self.cluster.catalogue.find(gpu.model)
            flash = step.mode is not None and step.mode != self._mode(gpu)
            if flash and step.mode not in model.modes:
                self.faults.append(f"{path}: a {gpu.model} has no mode {step.mode}")
                continue
            ready = act.end
            if flash:
                ready = self._flash(act, host.name, restarts)
            after = gpu.model_copy(
                update={
                    "model": model.name if flash else gpu.model,
                    "mode": step.mode if flash else gpu.mode,
                    "sharing": step.sharing or gpu.sharing,
                    "may_share": gpu.sharings,
                }
            )
            why = "is flashed, and not restarted yet" if flash else "changes its sharing"
            self.shut.append(Shut(host.name, gpu.id, act.start, ready, act, why))
            self.gpus[host.name, gpu.id] = after
            self._gpus_at[act.end].append((host.name, after))

    def _flash(self, act: Act, host: str, restarts: Sequence[Act]) -> int:
        """When the GPUs of a flash can be used: after the next restart of the host."""
        least = flash_seconds(self.request)
        if not self._in_maintenance(act, host):
            self.faults.append(f"{act.path}: {host} is not in maintenance from start to end")
        if act.end - act.start < least:
            self.faults.append(f"{act.path}: takes {act.end - act.start} s, a flash takes {least}")
        return min((restart.end for restart in restarts if restart.start >= act.end), default=NEVER)

    def _wanted(self, act: Act, host: str, gpu: str) -> bool:
        request, step = self.request, act.step
        match request:
            case Consolidate():
                return request.names_host(self.cluster.hosts[host])
            case Evacuate():
                return False
            case SetMode():
                named = host == request.host and (request.gpus is None or gpu in request.gpus)
                return named and step.mode in (None, request.mode) and step.sharing in (None, request.sharing)

    def _mode(self, gpu: Gpu) -> Mode:
        return firmware_mode(self.cluster.catalogue, gpu)

    def not_put_back(self, last: Scene) -> Iterator[str]:
        """GPUs that a plan leaves in another mode or sharing than it found them in."""
        for (host, gpu), after in self.gpus.items():
            before = self.cluster.hosts[host].gpu[gpu]
            if (self._mode(after), last.sharing(host, after)) != (self._mode(before), before.sharing):
                yield f"{host}: GPU {gpu} is not put back in {self._mode(before)} mode and sharing {before.sharing}"
