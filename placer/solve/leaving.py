"""Who goes where when hosts, or single GPUs of them, are left for a while: everybody there is moved to another host, or
waits until what it left can be had again.

The board of class x host counts, with two things more: a class may also *wait* (suspended, or powered off), and a spot
(a host, a GPU) may be *left* by all who have to leave it. Where a VM cannot be live-migrated to a host, it may be taken
down and started there: each pair of a class and a host has one way, that with the least downtime. Who comes to a host
that is to be emptied later has to go on from there, so that costs twice. How soon all can have left is known from
below: hosts, links and the cluster bear so many migrations at once, and the busiest of them is done last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from placer.memory import affordable
from placer.progress import Progress
from placer.solve.board import CountBoard
from placer.solve.budget import Budget
from placer.solve.movers import Movers
from placer.solve.run import solve_board
from placer.solve.traffic import CLUSTER, Action, Key, Traffic
from placer_models.decision import Search
from placer_models.goals.night import NightGoal
from placer_models.motion import step_seconds
from placer_models.night import Limits
from placer_models.rules.rule import Rule, Term, Var
from placer_models.scene import Scene, Stand

MOST_UNKNOWNS = 300_000
"""Unknowns of a board at most."""

WORK = 0.5
"""Deterministic seconds of the search at most for how soon all has been done, which is a guess as yet."""

Down = Literal["suspend", "power-off"]
Way = Literal["migrate", "suspend", "power-off"]


@dataclass(frozen=True)
class Options:
    """What may be done to a VM; VMs with equal options are alike. Downtimes are in seconds.

    `live`: it may be live-migrated. `elsewhere`: it may be taken down and started on another host (from a suspension
    only where it could be migrated to). `wait`: it may be down until its host is back.
    """

    live: bool
    elsewhere: tuple[tuple[Down, int], ...] = ()
    wait: tuple[tuple[Down, int], ...] = ()
    stun_ms: int = 0
    state_mib: int = 0


class Spot(NamedTuple):
    """What is to be left: a whole host, or one GPU of it."""

    host: str
    gpu: str | None = None


@dataclass(frozen=True)
class LeavingAsk:
    """What is asked: of the spots in `leavers` as many as can be are left by those VMs, `most` of them at once.

    `options` says what may be done to each VM that may be touched at all; only leavers have ways to wait. Nobody comes
    to a host in `barred`; who comes to one in `later` has to go on another time, who comes to one that is `shut` has
    to wait until it can be had. `trips`: how often a VM that goes elsewhere travels in all (twice where it returns).
    `most_moves` is what is left of those that the `limits` allow.
    """

    leavers: Mapping[Spot, frozenset[str]]
    options: Mapping[str, Options]
    most: int
    barred: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    trips: int = 1
    most_moves: int | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Going:
    """How one VM leaves: to another stand, or (`to` is None) until it may come back to its host."""

    vm: str
    way: Way
    to: Stand | None = None


@dataclass
class Left:
    """What is left, and how each VM goes (those that make room on other hosts, too)."""

    spots: list[Spot] = field(default_factory=list)
    goings: list[Going] = field(default_factory=list)


class Arrival(NamedTuple):
    """How many of a class come to one place, on a host: by which way, how long each is down, how often it travels.
    `sources` has one stand for each host on which some of the class are.
    """

    sources: Sequence[Stand]
    options: Options
    count: Var
    way: Way
    seconds: int
    often: int
    host: str


class LeavingBoard(CountBoard):
    """A board on which hosts and GPUs are left by their VMs. Raises TooLarge where more than `most` unknowns would come
    about.
    """

    def __init__(self, scene: Scene, rules: Sequence[Rule], ask: LeavingAsk, most: int | None = None) -> None:
        self._ask = ask
        self.left = Left()
        self._leaves: dict[str, tuple[Spot, ...]] = defaultdict(tuple)
        for spot, vms in ask.leavers.items():
            for vm in vms:
                self._leaves[vm] += (spot,)
        super().__init__(scene, rules, (), {}, ask.options.keys(), most=most)
        self._arrivals = [one for movers in self._movers for one in self._arriving(movers)]
        self._gone: dict[Spot, Var] = {}
        self._leave()
        self._keep_limits()

    def _like(self, stand: Stand) -> Hashable:
        spots = self._leaves.get(stand.vm, ())
        told = len(self._ask.leavers) <= self._ask.most  # who waits is told by what it leaves, but where one chooses
        return super()._like(stand), self._ask.options[stand.vm], bool(spots), spots if told else ()

    def _travels(self, stand: Stand, host: str) -> bool:
        return self._way(stand, host) is not None

    def _way(self, stand: Stand, host: str) -> tuple[Way, int] | None:
        """How VMs like this one come to a host, and how long they are down for it."""
        options = self._ask.options[stand.vm]
        if host in self._ask.barred or not self._survey.admits(stand.vm, host):
            return None
        reaches = self._survey.reaches((stand,), host)
        if options.live and reaches:
            return "migrate", 0
        able = [(way, seconds) for way, seconds in options.elsewhere if reaches or way == "power-off"]
        return min(able, key=lambda one: one[1], default=None)

    def _away(self, stand: Stand, size: int) -> dict[str, Var]:
        return {way: self.integer(size, f"{stand.vm} {way}") for way, _ in self._ask.options[stand.vm].wait}

    def _arriving(self, movers: Movers) -> Iterator[Arrival]:
        sources = [vms.stands[0] for vms, _, _ in movers.stay]
        stand = sources[0]
        for place, count in movers.arrive:
            way = self._way(stand, place.host.name)
            assert way is not None, f"{stand.vm} does not travel to {place.host.name}"
            often = self._ask.trips * (2 if place.host.name in self._ask.later else 1)
            yield Arrival(sources, self._of(movers), count, *way, often, place.host.name)

    def _of(self, movers: Movers) -> Options:
        return self._ask.options[movers.travel.names[0]]

    def _leave(self) -> None:
        for spot, leavers in self._ask.leavers.items():
            here = self._here[spot.host]
            if any(vms.fixed and not leavers.isdisjoint(vms.names) for vms, _ in here):
                continue
            gone = self._gone[spot] = self.integer(1, f"{spot.host} {spot.gpu or ''} left")
            for vms, count in here:
                size = len(vms.names)
                if (vms.moving and spot.gpu is None) or not leavers.isdisjoint(vms.names):
                    self.at_most([(1, count), (size, gone)], size, eased=False)
        for movers in self._movers:  # nobody waits for what is not left
            if len(movers.stay) == 1 and movers.away:
                spots = self._leaves.get(movers.travel.names[0], ())
                gone_too = [(-movers.size, self._gone[spot]) for spot in spots if spot in self._gone]
                waiting = [(1, count) for count in movers.away.values()]
                self.at_most([*waiting, *gone_too], 0, eased=False)

    def _keep_limits(self) -> None:
        ask = self._ask
        self.at_most([(1, gone) for gone in self._gone.values()], ask.most, eased=False)
        if ask.most_moves is not None:
            moved = [(ask.trips, one.count) for one in self._arrivals if one.way == "migrate"]
            self.at_most(moved, ask.most_moves, eased=False)
        if ask.limits.store_mib is not None:  # taken together, also of those who are not in the store at one time
            states = [(one.options.state_mib, one.count) for one in self._arrivals if one.way == "suspend"]
            asleep = [(movers, movers.away["suspend"]) for movers in self._movers if "suspend" in movers.away]
            states += [(self._of(movers).state_mib, count) for movers, count in asleep]
            self.at_most(states, ask.limits.store_mib, eased=False)

    def aim(self, kind: str) -> tuple[list[Term], int]:
        """One of a night's goals on this board (`soonest` is a matter of the schedule; here, as few as can be wait for
        a host that is shut).
        """
        live = [one for one in self._arrivals if one.way == "migrate"]
        match kind:
            case "named-freed" | "hosts-freed" | "modes-set":
                return [(1, gone) for gone in self._gone.values()], 0
            case "downtime":
                waiting = [
                    (seconds, movers.away[way]) for movers in self._movers for way, seconds in self._of(movers).wait
                ]
                return [*waiting, *((one.often * one.seconds, one.count) for one in self._arrivals)], 0
            case "stun":
                return [(one.often * one.options.stun_ms, one.count) for one in live], 0
            case "moves":
                return [(one.often, one.count) for one in live], 0
            case "soonest":
                return [(1, one.count) for one in self._arrivals if one.host in self._ask.shut], 0
            case _:
                return [], 0

    def sooner(self) -> tuple[list[Term], int]:
        """As few as can be wait for a host that is shut; then, what has most migrations to bear has them for a short
        time. Of VMs that come from one host of several, only where they go is counted.
        """
        traffic, loads, bears = Traffic(self.scene.cluster, self._ask.limits), defaultdict[Key, list[Term]](list), {}
        for one in self._arrivals:
            source, seconds = one.sources[0], self._seconds(one.sources[0])
            action = Action(source.vm, "migrate", seconds, source, Stand(source.vm, one.host))
            for key, most in traffic.uses(action) if one.way == "migrate" else ():
                if len(one.sources) == 1 or key in (("host", one.host), CLUSTER):
                    loads[key].append((seconds, one.count))
                    bears[key] = most
        longest = sum(self._seconds(movers.stay[0][0].stands[0]) * movers.size for movers in self._movers)
        busiest = self.integer(longest, "busiest")
        for key, load in loads.items():
            self.at_most([*load, (-bears[key], busiest)], 0, eased=False)
        waiting, _ = self.aim("soonest")
        return [*((longest + 1, count) for _, count in waiting), (1, busiest)], 0

    def _seconds(self, stand: Stand) -> int:
        cluster = self.scene.cluster
        return step_seconds(cluster, cluster.vms[stand.vm], "migrate", self._ask.limits)

    def read(self, value: Callable[[Var], int]) -> list[Stand]:
        stands = super().read(value)
        self.left = Left([spot for spot, gone in self._gone.items() if value(gone)])
        for stand in stands:
            (source,) = self.scene.of(stand.vm)
            way = self._way(source, stand.host)
            assert way is not None, f"{stand.vm} does not travel to {stand.host}"
            self.left.goings.append(Going(stand.vm, way[0], stand))
        for movers, rest in zip(self._movers, self.left_over, strict=True):
            for down, _ in self._of(movers).wait:
                for _ in range(value(movers.away[down])):
                    self.left.goings.append(Going(rest.pop(0), down))
        return stands


def solve_leaving(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    ask: LeavingAsk,
    search: Search,
    budget: Budget,
    progress: Progress | None = None,
) -> Left:
    """The best way to leave what is asked that is found within `budget`, goal by goal. Raises TooLarge where the board
    is too large for the memory that there is.
    """
    board = LeavingBoard(scene, rules, ask, affordable(search.memory_limit_mib, MOST_UNKNOWNS))
    board.aims = [board.aim(goal.kind) for goal in goals]
    kinds = [goal.kind for goal in goals]
    told = kinds[-1] == "soonest" and "downtime" in kinds  # else those would be taken down who could migrate
    if told:
        board.aims[-1] = board.sooner()
    solve_board(board, goals, search, budget.deadline, progress, budget=budget, last=WORK if told else None)
    return board.left
