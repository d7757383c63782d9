"""An evacuation, round by round and window by window: which hosts are next, and what is to be said of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from placer.rounds.care import Care, Stage
from placer.rounds.downtimes import downtimes
from placer.rounds.homes import NoSeat
from placer.rounds.options import able_of, in_maintenance, nowhere_to_go
from placer.rounds.play import Round
from placer.rounds.rounds import NOT_TRIED, TOO_LONG, Rounds
from placer.solve.leaving import Left, Options, Spot
from placer.solve.soonest import Emptying, together, within
from placer_models.night import Evacuate
from placer_models.plan import LeftOut
from placer_models.scene import Stand

SHORT = 4
"""So many hosts more than twice as many as are next are looked at."""


def care_seconds(request: Evacuate) -> int:
    """How long a host is in maintenance: never for no time at all."""
    return max(1, request.minutes * 60)


@dataclass
class Rolling(Rounds):
    """The hosts that are `done`, those that cannot be (`never`, with why), and those that could not be in this window
    (`later`, with why).
    """

    request: Evacuate
    done: list[str] = field(default_factory=list)
    never: dict[str, tuple[str, ...]] = field(default_factory=dict)
    overlap: ClassVar[bool] = True
    at_a_time: ClassVar[int | None] = None
    """How many hosts have a round together at most, where fewer are tried than the request allows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.options = self.options_now(care_seconds(self.request))
        for name in self._asked:
            host = self.snapshot.content.hosts[name]
            if host.state != "up":
                self.never[name] = (f"is {host.state} already",)
            elif any(isinstance(self.options[stand.vm], str) for stand in self.scene.on(name)):
                self._keep(name)
        self._tried: list[str] = []
        self._possible = [host for host in self._asked if host not in self.never]

    @property
    def _asked(self) -> list[str]:
        return list(dict.fromkeys(self.request.hosts))

    @property
    def cut_short(self) -> bool:
        return self.over and bool(self.pending)

    @property
    def left_out(self) -> list[LeftOut]:
        return [
            LeftOut(host=host, reasons=self.never.get(host) or (self.later.get(host, NOT_TRIED),))
            for host in self._asked
            if host not in self.done
        ]

    @property
    def most(self) -> Mapping[str, int]:
        return {"named-freed": len({*self.done, *self._possible})}

    @property
    def ways(self) -> Mapping[str, Options | str]:
        return self.options

    def leaving(self) -> Mapping[str, int]:
        left = [stand for stand in self.first.stands() if stand.host in self.done]
        return downtimes(self.first, self.trips, left, self.options, lambda name: None)

    def leavers(self) -> Mapping[str, Sequence[Stand]]:
        return {host: list(self.first.on(host)) for host in self._possible}

    def soonest(self, emptying: Emptying, spans: Sequence[tuple[int, int]], *, known: bool) -> int | None:
        many, at_once = len(self.done), self.request.at_once or len(self.done)
        if known and not emptying.spare and {"capacity", "gpu"} <= {rule.kind for rule in self.rules}:
            least = self.leaving()  # who is down at all
            at_once = min(at_once, max(1, together(self.first, self._possible, lambda vm: not least.get(vm))))
        care = care_seconds(self.request)  # of those that are empty when `first` are, the last enters so much later
        entered = (
            within(spans, emptying.soonest(first)) + (many - first) // at_once * care for first in range(1, many + 1)
        )
        return max(entered, default=None)

    @property
    def pending(self) -> list[str]:
        """The hosts whose turn may still come."""
        known = {*self.done, *self.never, *self.later}
        return [host for host in self._asked if host not in known]

    def many(self) -> int:
        pending = self.pending
        waits = {vm for vm, may in self.options.items() if isinstance(may, Options) and may.wait}
        most = max(1, together(self.scene, pending, lambda vm: vm not in waits))
        return min(self.at_a_time or self.request.at_once or most, most, len(pending))

    def leave_out(self, why: str) -> None:
        (host,) = self._tried
        if why == TOO_LONG:
            self.later[host] = why
        elif not self._keep(host):
            self.never[host] = (why,)
        if self.request.in_order and self.later:
            if self.begun:  # nobody goes before it
                self.later |= dict.fromkeys(self.pending, TOO_LONG)
            else:
                self.never |= {host: (why,) for host, why in self.later.items()}

    def _keep(self, host: str) -> bool:
        """Leave a host out for its VMs that can go nowhere, if there are any."""
        kept = dict(nowhere_to_go(self.scene, self.rules, host, list(self.scene.on(host)), self.options))
        self.note_unmoved(host, kept)
        if kept:
            self.never[host] = tuple(f"{vm}: {'; '.join(reasons)}" for vm, reasons in kept.items())
        return bool(kept)

    def _chosen(self, pending: Sequence[str], size: int) -> tuple[list[str], Left | None]:
        """Which hosts are next, as many as `size`: those that can be left best now, where the order is free; and how,
        if nobody but their VMs moves and, of several hosts, each of those migrates.
        """
        if self.request.in_order or size == len(pending):
            return list(pending[:size]), None
        short = sorted(pending, key=self._weight)[: SHORT + 2 * size]
        if size == 1 and (one := self._easiest(short)) is not None:
            return one
        leavers = self._leavers(short)
        able = able_of(leavers, self.options)
        left = self.solve(self.scene, leavers, able, size, frozenset(pending), self._rounds_left(size))
        if not left.spots:
            return list(pending[:size]), None
        chosen = [spot.host for spot in left.spots]
        gone = sum(len(leavers[spot]) for spot in left.spots)
        plain = gone == len(left.goings) and all(going.way == "migrate" for going in left.goings)
        return chosen, left if plain else None

    def _easiest(self, hosts: Sequence[str]) -> tuple[list[str], Left] | None:
        """Of these hosts the one of whose VMs the fewest go to hosts that are still to be left, or are down though they
        could migrate: every host has its turn, so that is all that the order costs. None: none can be left but by
        others making room.
        """
        found: list[tuple[int, str, Left]] = []
        for host in hosts:
            leavers, later = self._leavers([host]), frozenset(self.pending) - {host}
            scene, able = in_maintenance(self.scene, [host]), able_of(leavers, self.options)
            left = self.solve(scene, leavers, able, 1, later, self._rounds_left(1))
            twice = sum(going.to is not None and going.to.host in later for going in left.goings)
            down = sum(going.way != "migrate" and able[going.vm].live for going in left.goings)
            if left.spots:
                found.append((twice + down, host, left))
            if found and (not found[-1][0] or self.over):
                break
        if not found:
            return None
        _, host, left = min(found, key=lambda one: one[0])
        return [host], left

    def _weight(self, host: str) -> tuple[int, int]:
        """How much it takes to leave a host, roughly: how long VMs are down, and how many have to go."""
        ways = [may for stand in self.scene.on(host) if isinstance(may := self.options[stand.vm], Options)]
        downs = (min((seconds for _, seconds in may.wait), default=0) for may in ways if not may.live)
        return sum(downs), len(ways)

    def _leavers(self, hosts: Sequence[str]) -> dict[Spot, Sequence[Stand]]:
        return {Spot(host): list(self.scene.on(host)) for host in hosts}

    def _rounds_left(self, size: int) -> int:
        return -(-len(self.pending) // size)

    def round(self, many: int, end: int) -> Round | str:
        chosen, left = self._chosen(self.pending, many)
        self._tried = chosen
        later = frozenset(self.pending) - set(chosen)
        try:
            found = self.attempt(
                self._leavers(chosen),
                self.options,
                self._care,
                end,
                later,
                wholly=self.request.in_order,
                rounds_left=self._rounds_left(len(chosen)),
                left=left,
            )
        except NoSeat as why:
            return str(why)
        if isinstance(found, str):
            return found
        gone, played = found
        self.done += [spot.host for spot in gone.spots]
        if self.progress is not None:
            self.progress("named-freed", len(self.done), len(self._possible))
        return played

    def _care(self, spots: Sequence[Spot]) -> Care:
        hosts = {spot.host for spot in spots}
        why = f"{self.request.minutes} minutes of maintenance"
        return Care(
            hosts=[host for host in self._asked if host in hosts],
            stages=(
                Stage("enter", "enter-maintenance", 0, 0, why),
                Stage("leave", "leave-maintenance", care_seconds(self.request), 0, "is done"),
            ),
            in_order=self.request.in_order,
            at_once=self.request.at_once,
            frees=True,
        )


@dataclass
class OneByOne(Rolling):
    """A host at a time is left, where more would be allowed: VMs find room on hosts whose turn is over, or still to
    come.
    """

    at_a_time: ClassVar[int | None] = 1
