"""GPUs of a host put in another mode or sharing, round by round: which can be changed now, and what is to be said of
the others.

For another firmware mode the whole host is emptied, flashed in maintenance and restarted; for another sharing those who
hold a GPU leave it, and all else goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.rounds.care import Care, Stage
from placer.rounds.downtimes import downtimes
from placer.rounds.homes import NoSeat
from placer.rounds.options import nowhere_to_go
from placer.rounds.play import Round
from placer.rounds.rounds import NOT_TRIED, TOO_LONG, Rounds
from placer.solve.leaving import Options, Spot
from placer.solve.soonest import Emptying, within
from placer_models.cluster import Cluster, Gpu, Host, firmware_mode
from placer_models.motion import SHARING_SECONDS, flash_seconds
from placer_models.night import SetMode
from placer_models.plan import LeftOut
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

NO_PLACE = "no place for it on {} afterwards"


@dataclass
class Switching(Rounds):
    """The GPUs that are `done`, those that are as wanted `already`, those that cannot be changed (`never`, with why),
    and those that could not be in this window (`later`, with why).
    """

    request: SetMode
    done: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    never: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        cluster, request = self.first.cluster, self.request
        self._host = cluster.hosts[request.host]
        self._unseated: set[str] = set()
        self._flashed = False
        for gpu in filter(self._meant, self._host.gpus):
            if not self._flashes(gpu) and request.sharing in (None, gpu.sharing):
                self.already.append(gpu.id)
            elif (why := self._refused(gpu)) is not None:
                self.never[gpu.id] = why
        if request.sharing is not None:  # nobody puts those that are so already in another sharing
            self.scene = Scene(self._with(self._changed(self.already)), self.scene.stands())
        for flash in (True, False):
            if flash == self._needs_flash():  # what is possible together with a flash is not asked again
                for spot, stands in self._leavers(flash).items():
                    if kept := self._hopeless(spot, stands):
                        self._leave_out([spot], flash, _told(kept))
        self._possible = len(self.already) + len(self.pending)

    def _flashes(self, gpu: Gpu) -> bool:
        """Whether a GPU has to be flashed."""
        return self.request.mode not in (None, firmware_mode(self.first.cluster.catalogue, gpu))

    @property
    def _wanted(self) -> str:
        mode, sharing = self.request.mode, self.request.sharing
        return " and ".join([f"{mode} mode"] * (mode is not None) + [f"sharing {sharing}"] * (sharing is not None))

    def _refused(self, gpu: Gpu) -> str | None:
        """Why a GPU cannot be changed so, whoever holds it."""
        request, model = self.request, self.first.cluster.catalogue.find(gpu.model)
        if self._host.state == "disconnected":
            return "its host is disconnected"
        if self._flashes(gpu) and request.mode not in model.modes:
            return f"a {gpu.model} has no mode {request.mode}"
        if request.sharing is not None and request.sharing not in gpu.sharings:
            if not model.row_units(request.sharing):
                return f"no {gpu.model} can stand in sharing {request.sharing}"
            return f"may not be put in sharing {request.sharing}: its 'may_share' does not say so"
        return None

    @property
    def cut_short(self) -> bool:
        return self.over and bool(self.pending)

    @property
    def left_out(self) -> list[LeftOut]:
        by_reason: dict[str, list[str]] = defaultdict(list)
        for gpu in filter(self._meant, self._host.gpus):
            if gpu.id not in (*self.done, *self.already):
                by_reason[self.never.get(gpu.id) or self.later.get(gpu.id, NOT_TRIED)].append(gpu.id)
        reasons = tuple(f"{_named(ids)}: {why}" for why, ids in by_reason.items())
        return [LeftOut(host=self._host.name, reasons=reasons)] if reasons else []

    @property
    def so_already(self) -> Sequence[str]:
        return [f"{_named(self.already)} of {self._host.name}: {self._wanted}"] if self.already else []

    @property
    def most(self) -> Mapping[str, int]:
        return {"modes-set": self._possible}

    @property
    def ways(self) -> Mapping[str, Options | str]:
        return self.options_now(self._seconds(self._flashed))

    def leaving(self) -> Mapping[str, int]:
        rest = [gpu for gpu in self._host.gpus if gpu.id not in self.done]
        own = None if self._flashed else self._host.model_copy(update={"gpus": tuple(rest)})
        left = self.leavers()[self._host.name]
        return downtimes(self.first, self.trips, left, self.ways, lambda name: own)

    def leavers(self) -> Mapping[str, Sequence[Stand]]:
        name = self._host.name
        flashed = self._flashed
        here = self.first.on(name)
        return {name: [one for one in here if flashed or any(hold.gpu in self.done for hold in one.holds)]}

    def soonest(self, emptying: Emptying, spans: Sequence[tuple[int, int]], *, known: bool) -> int | None:
        empty = within(spans, emptying.soonest(1))
        return empty + self._seconds(self._flashed) if known and self.done else None

    def _meant(self, gpu: Gpu) -> bool:
        return self.request.gpus is None or gpu.id in self.request.gpus

    @property
    def pending(self) -> list[str]:
        """The GPUs that may still be changed."""
        known = {*self.done, *self.already, *self.never, *self.later}
        return [gpu.id for gpu in filter(self._meant, self._host.gpus) if gpu.id not in known]

    def _needs_flash(self) -> bool:
        """Whether the next round has a flash."""
        return any(self._flashes(self._host.gpu[gpu_id]) for gpu_id in self.pending)

    def many(self) -> int:
        return len(self._leavers(self._needs_flash()))

    def round(self, many: int, end: int) -> Round | str:
        """One round: with a flash everything at once; else so many GPUs."""
        flash = self._needs_flash()
        return self._round(list(self._leavers(flash))[:many], flash, end)

    def leave_out(self, why: str) -> None:
        flash = self._needs_flash()
        self._leave_out(list(self._leavers(flash))[:1], flash, why)

    def _round(self, spots: Sequence[Spot], flash: bool, end: int) -> Round | str:
        """One round with these spots, or why there is none. Who turns out to find no place on the host afterwards goes
        elsewhere, if it can.
        """
        leavers = {spot: stands for spot, stands in self._leavers(flash).items() if spot in spots}
        options, stands = self._may(flash), [stand for its in leavers.values() for stand in its]
        while True:
            try:
                found = self.attempt(leavers, options, self._care, end)
            except NoSeat as who:
                self._send_away(options, who.vm)
                continue
            if isinstance(found, str):
                if found == TOO_LONG or len(spots) > 1:
                    return found
                kept = self._with_place(dict(nowhere_to_go(self.scene, self.rules, self._host.name, stands, options)))
                self.note_unmoved(self._host.name, kept)
                return _told(kept) or found
            left, played = found
            self.done += self._gpus(left.spots)
            self._flashed = self._flashed or flash
            if self.progress is not None:
                self.progress("modes-set", len(self.already) + len(self.done), self._possible)
            return played

    def _leave_out(self, spots: Sequence[Spot], flash: bool, why: str) -> None:
        """Say why GPUs are not changed; those that need no flash may be changed without one."""
        for gpu_id in self._gpus(spots):
            if flash == self._flashes(self._host.gpu[gpu_id]):
                (self.later if why == TOO_LONG else self.never)[gpu_id] = why

    def _leavers(self, flash: bool) -> dict[Spot, Sequence[Stand]]:
        """What has to be left, and by whom: the host, or the GPUs that need no flash."""
        name, gpus = self._host.name, [self._host.gpu[gpu_id] for gpu_id in self.pending]
        if flash:
            return {Spot(name): list(self.scene.on(name))}
        return {
            Spot(name, gpu.id): list({stand.vm: stand for stand, _ in self.scene.holders(name, gpu.id)}.values())
            for gpu in gpus
            if not self._flashes(gpu)
        }

    def _gpus(self, spots: Sequence[Spot]) -> list[str]:
        """The GPUs that are changed when these spots are left."""
        return [gpu_id for gpu_id in self.pending if any(spot.gpu in (None, gpu_id) for spot in spots)]

    # --- what may be done to VMs --------------------------------------------------------------------------------------

    def _may(self, flash: bool) -> dict[str, Options | str]:
        """What may be done to each VM; nobody waits for a host that takes nobody back."""
        options = self.options_now(self._seconds(flash))
        for stand in self.scene.on(self._host.name):
            if self._host.state != "up":
                self._send_away(options, stand.vm)
        return options

    def _send_away(self, options: dict[str, Options | str], vm: str) -> None:
        """A VM that cannot come back leaves for another host, or not at all."""
        may = options[vm]
        if isinstance(may, Options):
            self._unseated.add(vm)
            place = NO_PLACE.format(self._host.name)
            options[vm] = place if self.request.way_back == "same-host" else replace(may, wait=())

    def _hopeless(self, spot: Spot, stands: Sequence[Stand]) -> dict[str, tuple[str, ...]]:
        """Those of the VMs on a spot that can go nowhere whatever is done to others, each with the reasons; they are
        noted as unmoved. Only those are in the way that nothing may be done to.
        """
        options, name = self._may(spot.gpu is None), self._host.name
        stuck = [stand for stand in self.scene.stands() if isinstance(options[stand.vm], str)]
        after = self._changed(self._gpus([spot]))
        there = [stand for stand in stuck if stand.host == name and stand not in stands]
        empty = Scene(self._with(after), there)
        kept: dict[str, tuple[str, ...]] = {}
        for stand in stands:
            if stand_on(empty, empty.cluster.vms[stand.vm], after) is None:
                self._send_away(options, stand.vm)
            alone = Scene(self.scene.cluster, [stand, *(other for other in stuck if other.vm != stand.vm)])
            kept |= nowhere_to_go(alone, self.rules, name, [stand], options)
        kept = self._with_place(kept)
        self.note_unmoved(name, kept)
        return kept

    def _with_place(self, kept: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The reasons, and that there is no place on the VM's own host afterwards where that is so."""
        place = NO_PLACE.format(self._host.name)
        return {vm: tuple(dict.fromkeys((*why, *([place] * (vm in self._unseated))))) for vm, why in kept.items()}

    # --- what is done to the host -------------------------------------------------------------------------------------

    def _seconds(self, flash: bool) -> int:
        """How long the host, or its GPUs, are of no use."""
        return max(1, 2 * flash_seconds(self.request)) if flash else SHARING_SECONDS

    def _care(self, spots: Sequence[Spot]) -> Care:
        request, gpus = self.request, tuple(self._gpus(spots))
        if spots[0].gpu is not None:
            stages = [Stage("set", "set-mode", 0, SHARING_SECONDS, f"into {self._wanted}", gpus, None, request.sharing)]
        else:
            minutes = flash_seconds(request)
            stages = [
                Stage("flash", "set-mode", 0, minutes, f"into {self._wanted}", gpus, request.mode, request.sharing),
                Stage("restart", "restart-host", minutes, minutes, "so that the GPUs can be used"),
            ]
            if self._host.state == "up":
                enter = Stage("enter", "enter-maintenance", 0, 0, "is flashed")
                stages = [enter, *stages, Stage("leave", "leave-maintenance", self._seconds(True), 0, "is done")]
        changed = self._changed(gpus), frozenset(gpus)
        return Care([self._host.name], stages, changed={self._host.name: changed})

    def _with(self, host: Host) -> Cluster:
        """The cluster with this host as it is now or afterwards."""
        cluster = self.scene.cluster
        return replace(cluster, hosts={**cluster.hosts, host.name: host})

    def _changed(self, gpus: Sequence[str]) -> Host:
        """The host when these GPUs are as wanted, and stay so."""
        request = self.request

        def after(gpu: Gpu) -> Gpu:
            wished: dict[str, object] = {} if request.mode is None else {"mode": request.mode}
            if self._flashes(gpu):
                wished["model"] = self.first.cluster.catalogue.find(gpu.model).name
            if request.sharing is not None:
                wished |= {"sharing": request.sharing, "may_share": None}
            return gpu.model_copy(update=wished)

        host = self.scene.cluster.hosts[self._host.name]
        return host.model_copy(update={"gpus": tuple(after(gpu) if gpu.id in gpus else gpu for gpu in host.gpus)})


def _named(ids: Sequence[str]) -> str:
    """`GPU g0`, `GPUs g0, g1`."""
    return f"GPU{'s' if len(ids) > 1 else ''} {', '.join(ids)}"


def _told(kept: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{vm}: {'; '.join(reasons)}" for vm, reasons in kept.items())
