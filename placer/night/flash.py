"""Hosts flashed for the night: GPUs of a freed host put in the firmware mode that a job asks for, and back before its
VMs return.

A host is in maintenance for a flash and a restart, then the jobs run that want it so, then the same back; before that,
or after it, jobs may run there that want it as it is. Only those GPUs are flashed that a job has in their new mode.
Where jobs bring as much without, the host is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.night.window import Night
from placer.solve.errands import Errand, Run, Slot, slots_of, value_of
from placer.solve.freed import FreedHosts
from placer.solve.jobs import Wanted, taken
from placer.solve.survey import Survey
from placer.solve.target import Target
from placer_models.cluster import Gpu, Host, firmware_mode
from placer_models.gpus import Mode
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
        return flashed * in_turn(errand, hours if plain else self.left_at_most(hours))

    def left_at_most(self, hours: tuple[int, int]) -> tuple[int, int]:
        """What flashes leave of some hours whatever a plan does: nobody need flash back where nothing returns."""
        return self.shorter(hours) if self.night.resumes else (hours[0] + self.seconds, hours[1])

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
            plain, *others = (self._free([Slot(host, 0, errand.seconds)]).at_once(errand) for host in hosts)
            self._at_once[key] = plain, max(others, default=0)
        return self._at_once[key]

    def _free(self, slots: Sequence[Slot]) -> FreedHosts:
        return FreedHosts(self.night.scene.cluster, self.night.rules, slots)

    def _taken(
        self, slots: Sequence[Slot], errands: Sequence[Errand], wanted: Wanted, most: int | None = None
    ) -> list[Run]:
        return taken(self._free(slots), errands, wanted, most, budget=self.night.budget)

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

    def runs(
        self, target: Target, hours: Mapping[str, tuple[int, int]], dusk: Scene, most: int | None = None
    ) -> tuple[list[Run], list[Flash]]:
        """The runs on the emptied hosts, which are free from when until when, and the flashes for them. `most` is what
        no runs are worth more than, where that is known.
        """
        night = self.night
        plain = slots_of(night.scene.cluster, hours, dusk)
        runs = self._taken(plain, night.errands, target.jobs, most)
        best = {slot.host.name: self._best(slot, target) for slot in plain}
        if not any(best.values()):
            return runs, []
        slots = [one for slot in plain for one in best[slot.host.name] or [slot]]
        tried, others = self._tried(slots, night.errands, target.jobs)
        if value_of(others) <= value_of(runs):
            return runs, []
        return others, list(self._flashes(tried, others))

    def _tried(
        self, slots: Sequence[Slot], errands: Sequence[Errand], wanted: Wanted
    ) -> tuple[Sequence[Slot], list[Run]]:
        """The runs in these slots, and the slots in which those GPUs that no run has in their new mode stay as they
        are, for others.
        """
        first = self.night.scene.cluster.hosts
        runs = self._taken(slots, errands, wanted)
        held = {(run.slot, hold.gpu) for run in runs for hold in run.holds}
        fewer = []
        for number, slot in enumerate(slots):
            before = first[slot.host.name].gpu
            gpus = tuple(gpu if (number, gpu.id) in held else before[gpu.id] for gpu in slot.host.gpus)
            fewer.append(replace(slot, host=slot.host.model_copy(update={"gpus": gpus})))
        if fewer == list(slots):
            return slots, runs
        again = self._taken(fewer, errands, wanted)
        return (slots, runs) if value_of(again) < value_of(runs) else (fewer, again)

    def _best(self, slot: Slot, target: Target) -> Sequence[Slot] | None:
        """The slots in which a host brings most of what the target wants of it; None: as it is."""
        host = slot.host.name
        wanted = [errand for errand in self.night.errands if target.jobs.get((errand.name, host))]
        if not any(self._gains(errand, host) for errand in wanted):
            return None
        jobs = {spot: count for spot, count in target.jobs.items() if spot[1] == host}
        alone = replace(slot, night=None)
        most, best = value_of(self._taken([alone], wanted, jobs)), None
        for _, flashed in self.ways(host):
            for slots in self._phases(alone, flashed, wanted, jobs):
                tried, runs = self._tried(slots, wanted, jobs)
                if value_of(runs) > most:
                    most, best = value_of(runs), [replace(one, night=slot.night) for one in tried]
        return best

    def _phases(self, slot: Slot, flashed: Host, errands: Sequence[Errand], wanted: Wanted) -> Iterator[Sequence[Slot]]:
        """When a host might be flashed: all the time; or at its beginning or end for as long as its runs take, so that
        jobs that want it as it is come after or before.
        """
        opens, closes = self.shorter(slot.hours)
        if opens >= closes:
            return
        whole = replace(slot, host=flashed, opens=opens, closes=closes)
        yield [whole]
        first = slot.host.gpu
        runs = self._taken([whole], errands, wanted)
        runs = [run for run in runs if any(flashed.gpu[hold.gpu] != first[hold.gpu] for hold in run.holds)]
        if not runs:
            return
        begin, end = min(run.start for run in runs), max(run.end for run in runs)
        yield [replace(whole, closes=end), replace(slot, opens=end + self.seconds)]
        yield [replace(slot, closes=begin - self.seconds), replace(whole, opens=begin)]
        late = closes - (end - begin)
        yield [replace(slot, closes=late - self.seconds), replace(whole, opens=late)]

    def _flashes(self, slots: Sequence[Slot], runs: Sequence[Run]) -> Iterator[Flash]:
        """The flash of each host that has one, around the runs in its slot; none where no run has a GPU that it
        changes.
        """
        cluster = self.night.scene.cluster
        for number, slot in enumerate(slots):
            first, mine = cluster.hosts[slot.host.name], [run for run in runs if run.slot == number]
            held = {hold.gpu for run in mine for hold in run.holds}
            gpus = tuple(gpu.id for gpu in first.gpus if gpu.id in held and gpu != slot.host.gpu[gpu.id])
            if gpus:
                ready, undo = min(run.start for run in mine), max(run.end for run in mine)
                mode, before = (firmware_mode(cluster.catalogue, host.gpu[gpus[0]]) for host in (slot.host, first))
                times = ready - self.seconds, ready, undo, undo + self.seconds
                yield Flash(first.name, gpus, mode, before, *times)


def in_turn(errand: Errand, hours: tuple[int, int]) -> int:
    """How many instances of a job could run one after the other in some hours, or for how many seconds if it is done in
    parts.
    """
    earliest, latest = errand.within(hours)
    return max(0, latest - earliest) // errand.unit
