"""The night's target: which VMs move where, which are suspended or stopped, and which hosts are emptied for which jobs.

The board of class x host counts, with two things more: a class may also be *away* (suspended, or powered off), and a
host may be *emptied*. Jobs are counted by host (`z` instances over the night): what they take of an emptied host,
times how long they run, is at most what the host has, times how long it is free. That is a relaxation of their
schedule (exact for jobs that want whole hosts), so the bound on job value holds for every plan; `jobs.py` then gives
them their hours.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from placer.solve.board import CountBoard
from placer.solve.dive import FEW_UNKNOWNS
from placer.solve.movers import Movers
from placer.solve.run import Outcome, Progress, solve_board
from placer_models.cluster import Host, Vm
from placer_models.decision import Search
from placer_models.goals.night import HostsFreed, NightGoal
from placer_models.rules.rule import Place, Rule, Term, Var, VmClass
from placer_models.scene import Scene, Stand

Way = Literal["suspend", "power-off"]

SHARE = 0.5
"""The part of the time that is left which one goal takes at most."""


@dataclass(frozen=True)
class Ways:
    """What may be done to a VM this night, and what it costs: VMs with equal ways are alike.

    `stun_ms` is for a migration, `away` how many seconds the VM is down for each way of being away, `state_mib` what
    its state takes. `carry` is how a VM that may not migrate (its `stun_ms` is then 0) is brought to another host in
    the evening, with the seconds for which it is down then. `not_to` are hosts to which it does not go.
    """

    migrate: bool
    away: tuple[tuple[Way, int], ...]
    stun_ms: int = 0
    state_mib: int = 0
    carry: tuple[Way, int] | None = None
    not_to: frozenset[str] = frozenset()

    @property
    def fixed(self) -> bool:
        """Whether nothing may be done to it."""
        return not self.migrate and not self.away


@dataclass(frozen=True)
class JobOn:
    """One job on one host, once that is empty: how many instances could be done there at most in the time that there
    is.
    """

    job: str
    host: str
    most: int


@dataclass(frozen=True)
class Work:
    """The jobs as the target sees them. `amounts` says what one instance takes of a host's resources, times its
    seconds, and `rooms` what a host has of each, times the seconds for which it can be free.
    """

    value: Mapping[str, int] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    spots: Sequence[JobOn] = ()
    amounts: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    rooms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class NightAsk:
    """What the target must keep: `may_free` are the hosts that may be emptied, `must_free` those that must be if they
    can, `most_freed` and `most_moves` bound the night, `store_mib` is the room for suspended VMs. `trips` is how
    often a moved VM is migrated in all: twice where it returns. `drain`: VMs leave only hosts that are emptied, so that
    none waits for room that another leaves.
    """

    ways: Mapping[str, Ways]
    may_free: frozenset[str]
    most_freed: int | None = None
    most_moves: int | None = None
    store_mib: int | None = None
    named: frozenset[str] = frozenset()
    least_gain: int = 0
    trips: int = 1
    work: Work = Work()
    drain: bool = False


@dataclass
class Target:
    """The night's target: the stands of migrated VMs, who is away and how, which hosts are empty, how many of which
    job on each.
    """

    stands: list[Stand] = field(default_factory=list)
    away: dict[str, Way] = field(default_factory=dict)
    emptied: list[str] = field(default_factory=list)
    jobs: dict[tuple[str, str], int] = field(default_factory=dict)


def _cpus(vm: Vm) -> int:
    return vm.cpu_milli


def _least_memory(vm: Vm) -> int:
    """A VM's memory times a thousand: what it takes of a host at least, whatever the host's memory ratio."""
    return vm.memory_mib * 1000


RESOURCES: tuple[tuple[Callable[[Host], int], Callable[[Vm], int]], ...] = (
    (lambda host: host.cpu_room_milli, _cpus),
    (lambda host: host.memory_room_mib * host.memory_ratio_milli, _least_memory),
)
"""What a host has room for, and what a VM takes of it at least."""


class NightBoard(CountBoard):
    """A board on which VMs may also be away, and hosts be emptied for jobs."""

    def __init__(self, scene: Scene, rules: Sequence[Rule], ask: NightAsk) -> None:
        self._ask = ask
        self.target = Target()
        movable = {name for name, ways in ask.ways.items() if not ways.fixed}
        super().__init__(scene, rules, (), {}, movable)
        self._empty: dict[str, Var] = {}
        self._jobs: dict[tuple[str, str], Var] = {}
        self._free_hosts()
        self.leaders = list(self._empty.values())
        if ask.drain:
            self._only_drain()
        self._offer_jobs()
        self._bound_night()

    def _like(self, stand: Stand) -> Hashable:
        return super()._like(stand), self._ask.ways[stand.vm]

    def _travels(self, stand: Stand, host: str) -> bool:
        ways = self._ask.ways[stand.vm]
        travels = (ways.migrate or ways.carry is not None) and host not in ways.not_to
        return travels and super()._travels(stand, host)

    def _away(self, stand: Stand, size: int) -> dict[str, Var]:
        return {way: self.integer(size, f"{stand.vm} {way}") for way, _ in self._ask.ways[stand.vm].away}

    def _free_hosts(self) -> None:
        """An emptied host has no VM. Said of the room, too: it is what lets the search see how many must stay open."""
        for place in self._places:
            name, here = place.host.name, self._here[place.host.name]
            if name not in self._ask.may_free or any(vms.fixed for vms, _ in here):
                continue
            empty = self._empty[name] = self.integer(1, f"{name} empty")
            for vms, count in here:
                most = min(len(vms.names), *self._fitting(vms, place)) if vms.moving else len(vms.names)
                self.at_most([(1, count), (most, empty)], most, eased=False)
            for room, amount in RESOURCES:
                if not self._over(name, room, amount):
                    full = [(amount(vms.vm), count) for vms, count in here]
                    self.at_most([*full, (room(place.host), empty)], room(place.host), eased=False)
        for room, amount in RESOURCES:
            self._open_enough(room, amount)

    def _only_drain(self) -> None:
        """Whoever stands on a host that is not emptied stays there."""
        for movers in self._movers:
            for vms, place, stay in movers.stay:
                size, empty = len(vms.names), self._empty.get(place.host.name, 0)
                self.at_most([(-1, stay), (-size, empty)], -size, eased=False)

    def _fitting(self, vms: VmClass, place: Place) -> list[int]:
        """How many VMs of a class have room on a host by each resource, if nothing else stands there."""
        return [room(place.host) // amount(vms.vm) for room, amount in RESOURCES if amount(vms.vm)] or [len(vms.names)]

    def _open_enough(self, room: Callable[[Host], int], amount: Callable[[Vm], int]) -> None:
        """A redundant cut: what stays open has room for what stands."""
        hosts = [place.host for place in self._places]
        if not self._empty or any(self._over(host.name, room, amount) for host in hosts):
            return
        terms: list[Term] = [(room(host), self._empty[host.name]) for host in hosts if host.name in self._empty]
        terms += [(amount(vms.vm), count) for vms, _, count in self.where()]
        self.at_most(terms, sum(map(room, hosts)), eased=False)

    def _over(self, host: str, room: Callable[[Host], int], amount: Callable[[Vm], int]) -> bool:
        """Whether more stands on a host now than it has room for (then the cut would not hold)."""
        stands = sum(amount(self.scene.cluster.vms[stand.vm]) for stand in self.scene.on(host))
        return stands > room(self.scene.cluster.hosts[host])

    def _offer_jobs(self) -> None:
        work = self._ask.work
        by_job: dict[str, list[Term]] = defaultdict(list)
        by_host: dict[str, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
        gains: dict[str, list[Term]] = defaultdict(list)
        for spot in work.spots:
            empty = self._empty.get(spot.host)
            if empty is None:
                continue
            count = self.integer(min(spot.most, work.instances[spot.job]), f"{spot.job} on {spot.host}")
            self._jobs[(spot.job, spot.host)] = count
            self.at_most([(1, count), (-spot.most, empty)], 0, eased=False)
            by_job[spot.job].append((1, count))
            gains[spot.host].append((work.value[spot.job], count))
            for resource, amount in work.amounts[(spot.job, spot.host)].items():
                by_host[spot.host][resource].append((amount, count))
        for job, terms in by_job.items():
            self.at_most(terms, work.instances[job], eased=False)
        for host, resources in by_host.items():
            for resource, terms in resources.items():
                self.at_most([*terms, (-work.rooms[host][resource], self._empty[host])], 0, eased=False)
        if self._ask.least_gain:
            for host, empty in self._empty.items():
                if host not in self._ask.named:
                    loss = [(-value, count) for value, count in gains[host]]
                    self.at_most([*loss, (self._ask.least_gain, empty)], 0, eased=False)

    def _bound_night(self) -> None:
        ask = self._ask
        if ask.most_freed is not None:
            self.at_most([(1, empty) for empty in self._empty.values()], ask.most_freed, eased=False)
        if ask.most_moves is not None:
            self.at_most([(ask.trips, count) for _, count in self._moved()], ask.most_moves, eased=False)
        if ask.store_mib is not None:
            states = [
                (self._ways(movers).state_mib, movers.away["suspend"])
                for movers in self._movers
                if "suspend" in movers.away
            ]
            self.at_most(states, ask.store_mib, eased=False)

    def _ways(self, movers: Movers) -> Ways:
        return self._ask.ways[movers.travel.names[0]]

    def _moved(self) -> list[Term]:
        return [(1, count) for movers in self._movers if self._ways(movers).migrate for _, count in movers.arrive]

    def aim(self, kind: str) -> tuple[list[Term], int]:
        """One of the night's goals on this board (`soonest` is a matter of the schedule: nothing here)."""
        work = self._ask.work
        if kind == "job-value":
            return [(work.value[job], count) for (job, _), count in self._jobs.items()], 0
        if kind == "named-freed":
            return [(1, empty) for host, empty in self._empty.items() if host in self._ask.named], 0
        if kind == "hosts-freed":
            return [(1, empty) for empty in self._empty.values()], 0
        if kind == "downtime":
            gone = [(seconds, movers.away[way]) for movers in self._movers for way, seconds in self._ways(movers).away]
            return gone + [
                (self._ask.trips * carry[1], count)
                for movers in self._movers
                if (carry := self._ways(movers).carry) is not None
                for _, count in movers.arrive
            ], 0
        if kind == "stun":
            stuns = [(self._ways(movers).stun_ms, count) for movers in self._movers for _, count in movers.arrive]
            return [(self._ask.trips * stun, count) for stun, count in stuns], 0
        if kind == "moves":
            return [(self._ask.trips, count) for _, count in self._moved()], 0
        return [], 0

    def read(self, value: Callable[[Var], int]) -> list[Stand]:
        stands = super().read(value)
        self.target = Target(stands)
        for movers, gone in zip(self._movers, self.left_over, strict=True):
            for way, count in movers.away.items():
                for _ in range(value(count)):
                    self.target.away[gone.pop(0)] = way  # type: ignore[assignment]
        self.target.emptied = [host for host, empty in self._empty.items() if value(empty)]
        self.target.jobs = {spot: value(count) for spot, count in self._jobs.items() if value(count)}
        return stands


def solve_target(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    ask: NightAsk,
    search: Search,
    deadline: float,
    progress: Progress | None = None,
) -> tuple[Outcome, Target]:
    """The best target found before `deadline` (of `time.monotonic`), goal by goal.

    First one in which nobody waits for room that another leaves: what it needs of the night is sure to be had. One that
    makes room by moving others, too, is taken only where it is better; its bounds hold for both.
    """
    drained, target = _solved(scene, rules, goals, replace(ask, drain=True), search, _part(deadline), progress)
    if ask.drain:
        return drained, target
    any_order, other = _solved(scene, rules, goals, ask, search, deadline, progress)
    if not drained.tiers or _scores(any_order) > _scores(drained):
        return any_order, other
    return _bounded(drained, any_order), target


def _part(deadline: float) -> float:
    now = time.monotonic()
    return now + SHARE * max(0.0, deadline - now)


def _scores(outcome: Outcome) -> list[int]:
    """The scores, so that more is always better."""
    return [tier.score if tier.goal.sense == "most" else -tier.score for tier in outcome.tiers]


def _bounded(outcome: Outcome, other: Outcome) -> Outcome:
    """An outcome with the bounds of a search that was allowed more: each holds as long as the goals before it came out
    alike.
    """
    tiers, alike = [], True
    for number, tier in enumerate(outcome.tiers):
        free = other.tiers[number] if alike and number < len(other.tiers) else None
        tiers.append(replace(tier, bound=None if free is None else free.bound))
        alike = free is not None and free.score == tier.score
    closed = all(tier.closed for tier in tiers)
    stopped = other.stopped if not closed and outcome.stopped == "proven" else outcome.stopped
    return replace(outcome, tiers=tiers, status="optimal" if closed else "feasible", stopped=stopped)


def _solved(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    ask: NightAsk,
    search: Search,
    deadline: float,
    progress: Progress | None,
) -> tuple[Outcome, Target]:
    board = NightBoard(scene, rules, ask)
    if ask.work.spots and len(board.model.proto.variables) <= FEW_UNKNOWNS:
        _count_hosts(board, search, deadline)
    board.aims = [board.aim(goal.kind) for goal in goals]
    outcome = solve_board(board, goals, search, deadline, progress, lns=False, share=SHARE)
    return outcome, board.target


def _count_hosts(board: NightBoard, search: Search, deadline: float) -> None:
    """A redundant cut: no more hosts can be emptied than are proven to be. Without it the bound on job value counts on
    parts of hosts.
    """
    end = time.monotonic() + (1 - SHARE) * max(0.0, deadline - time.monotonic())
    board.aims = [board.aim("hosts-freed")]
    tiers = solve_board(board, [HostsFreed()], search, end, lns=False).tiers
    board.model.clear_objective()  # type: ignore[no-untyped-call]
    board.model.clear_hints()  # type: ignore[no-untyped-call]
    if tiers and tiers[0].bound is not None:
        board.at_most([(1, empty) for empty in board.leaders], tiers[0].bound, eased=False)
