"""Hosts flashed for the night: GPUs of a freed host put in the firmware mode that a job asks for, and back before its
VMs return.

A host is flashed once, around all of its jobs, or not at all: it is in maintenance for a flash and a restart, then the
jobs run, then the same back. Only those GPUs are flashed that a job has in their new mode. Where jobs bring as much
without, the host is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.night.window import Night
from placer.solve.errands import Errand, Run, slots_of, value_of
from placer.solve.freed import FreedHosts
from placer.solve.jobs import taken
from placer.solve.survey import Survey
from placer.solve.target import Target
from placer_models.cluster import Cluster, Gpu, Host, Mode, firmware_mode
from placer_models.motion import flash_seconds
from placer_models.scene import Scene

MODES: tuple[Mode, ...] = ("graphics", "compute")


@dataclass(frozen=True)
class Flash:
    """GPUs of a freed host are put in `mode` and back in `before`: the host is in maintenance from `begin` until
    `ready`, and from `undo` until `end` (seconds from the window's start).
    """

    host: str
    gpus: tuple[str, ...]
    mode: Mode
    before: Mode
    begin: int
    ready: int
    undo: int
    end: int


@dataclass
class Flashing:
    """What flashes could bring this night."""

    night: Night
    _at_once: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._survey = Survey(self.night.scene.cluster, self.night.rules, ())
        self._both = any(len(self._modes(errand)) > 1 for errand in self.night.errands)

    def _modes(self, errand: Errand) -> set[Mode]:
        """The modes in which a job asks for whole GPUs."""
        canonical = self.night.scene.cluster.catalogue.canonical
        asks = [ask for ask in errand.vm.wants if ask.whole]
        named = {canonical(name)[1] for ask in asks if ask.mode is None for name in ask.models or ("",)}
        return named | {ask.mode for ask in asks if ask.mode is not None}

    @property
    def seconds(self) -> int:
        """How long a host is in maintenance for a flash and a restart."""
        return 2 * flash_seconds(self.night.request)

    def most(self, errand: Errand, name: str, hours: tuple[int, int]) -> int:
        """How many instances of a job could be done at most on a host that is free from when until when, flashed for
        it or not.
        """
        plain, flashed = self._at_once_on(errand, name)
        if flashed <= plain:
            return plain * in_turn(errand, hours)
        return flashed * in_turn(errand, hours if plain else self.shorter(hours))

    def may_help(self) -> bool:
        """Whether some host could be flashed for some job."""
        hosts = [host for host in self.night.scene.cluster.hosts if self.night.in_scope(host)]
        return any(self._gains(errand, host) for errand in self.night.errands for host in hosts)

    def _gains(self, errand: Errand, host: str) -> bool:
        """Whether more instances of a job could run at once on a host if it were flashed."""
        plain, flashed = self._at_once_on(errand, host)
        return flashed > plain

    def _at_once_on(self, errand: Errand, name: str) -> tuple[int, int]:
        """How many instances of a job an empty host bears at once as it is, and flashed for it."""
        key = self._survey.host(name), errand.name
        if key not in self._at_once:
            hosts = [self.night.scene.cluster.hosts[name], *(host for _, host in self.ways(name) if errand.vm.gpus)]
            plain, *others = (self._alone(host, (0, errand.seconds)).at_once(errand) for host in hosts)
            self._at_once[key] = plain, max(others, default=0)
        return self._at_once[key]

    def _alone(self, host: Host, hours: tuple[int, int]) -> FreedHosts:
        """A host by itself, free from when until when."""
        return self._free(_with(self.night.scene.cluster, [host]), {host.name: hours})

    def _free(self, cluster: Cluster, hours: Mapping[str, tuple[int, int]], dusk: Scene | None = None) -> FreedHosts:
        """Hosts that are free from when until when."""
        return FreedHosts(cluster, self.night.rules, slots_of(cluster, hours, dusk))

    def ways(self, name: str) -> Iterator[tuple[Mode, Host]]:
        """The modes in which GPUs of a host could be put for the night, and the host then: all of them, or fewer where
        a job asks for both modes at once.
        """
        host, catalogue = self.night.scene.cluster.hosts[name], self.night.scene.cluster.catalogue

        def after(gpu: Gpu, mode: Mode) -> Gpu:
            model = catalogue.find(gpu.model)
            if not model.known or mode not in model.modes or mode == firmware_mode(catalogue, gpu):
                return gpu
            return gpu.model_copy(update={"model": model.name, "mode": mode})

        for mode in MODES:
            able = [gpu.id for gpu in host.gpus if after(gpu, mode) != gpu]
            for some in range(1 if self._both else len(able), len(able) + 1) if able else ():
                gpus = tuple(after(gpu, mode) if gpu.id in able[:some] else gpu for gpu in host.gpus)
                yield mode, host.model_copy(update={"gpus": gpus})

    def shorter(self, hours: tuple[int, int]) -> tuple[int, int]:
        """What the flashes leave of the time for which a host is free."""
        return hours[0] + self.seconds, hours[1] - self.seconds

    def runs(self, target: Target, hours: Mapping[str, tuple[int, int]], dusk: Scene) -> tuple[list[Run], list[Flash]]:
        """The runs on the emptied hosts, which are free from when until when, and the flashes for them."""
        night, cluster = self.night, self.night.scene.cluster
        runs = taken(self._free(cluster, hours, dusk), night.errands, target.jobs)
        flashed = {host: way for host in hours if (way := self._best(host, hours[host], target)) is not None}
        if not flashed:
            return runs, []
        left = {host: self.shorter(its) if host in flashed else its for host, its in hours.items()}
        then, others = self._taken(
            [then for _, then in flashed.values()],
            lambda then: taken(self._free(then, left, dusk), night.errands, target.jobs),
        )
        if value_of(others) <= value_of(runs):
            return runs, []
        return others, [flash for host, (mode, _) in flashed.items() for flash in self._flash(host, mode, then, others)]

    def _taken(self, flashed: Sequence[Host], take: Callable[[Cluster], list[Run]]) -> tuple[Cluster, list[Run]]:
        """The runs on flashed hosts, in the cluster as it then is: GPUs that no run has in their new mode stay as they
        are, for others.
        """
        first = self.night.scene.cluster
        then = _with(first, flashed)
        runs = take(then)
        held = {(run.host, hold.gpu) for run in runs for hold in run.holds}
        some = [
            host.model_copy(
                update={
                    "gpus": tuple(
                        gpu if (host.name, gpu.id) in held else first.hosts[host.name].gpu[gpu.id] for gpu in host.gpus
                    )
                }
            )
            for host in flashed
        ]
        if some == list(flashed):
            return then, runs
        fewer = _with(first, some)
        again = take(fewer)
        return (then, runs) if value_of(again) < value_of(runs) else (fewer, again)

    def _best(self, host: str, hours: tuple[int, int], target: Target) -> tuple[Mode, Host] | None:
        """The way in which a host brings most of what the target wants of it; None: as it is."""
        wanted = [errand for errand in self.night.errands if target.jobs.get((errand.name, host))]
        if not any(self._gains(errand, host) for errand in wanted):
            return None
        jobs = {spot: count for spot, count in target.jobs.items() if spot[1] == host}
        left = {host: self.shorter(hours)}
        best: tuple[Mode, Host] | None = None
        most = value_of(taken(self._alone(self.night.scene.cluster.hosts[host], hours), wanted, jobs))
        for mode, flashed in self.ways(host):
            _, runs = self._taken([flashed], lambda then: taken(self._free(then, left), wanted, jobs))
            value = value_of(runs)
            if value > most:
                best, most = (mode, flashed), value
        return best

    def _flash(self, host: str, mode: Mode, then: Cluster, runs: Sequence[Run]) -> Iterator[Flash]:
        """The flash of a host, around its runs; none where no run has a GPU that it changes."""
        first, mine = self.night.scene.cluster.hosts[host], [run for run in runs if run.host == host]
        held = {hold.gpu for run in mine for hold in run.holds}
        gpus = tuple(gpu.id for gpu in first.gpus if gpu.id in held and gpu != then.hosts[host].gpu[gpu.id])
        if gpus:
            ready, undo = min(run.start for run in mine), max(run.end for run in mine)
            before = firmware_mode(then.catalogue, first.gpu[gpus[0]])
            yield Flash(host, gpus, mode, before, ready - self.seconds, ready, undo, undo + self.seconds)


def in_turn(errand: Errand, hours: tuple[int, int]) -> int:
    """How many instances of a job could run one after the other in some hours, or for how many seconds if it is done in
    parts.
    """
    earliest, latest = errand.within(hours)
    return max(0, latest - earliest) // errand.unit


def _with(cluster: Cluster, hosts: Sequence[Host]) -> Cluster:
    return replace(cluster, hosts={**cluster.hosts, **{host.name: host for host in hosts}})
