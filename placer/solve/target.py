"""What a night's target is asked for, and what it is: who moves where, who is suspended or stopped, which hosts are
emptied for which jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from placer_models.decision import Search
from placer_models.goals.night import NightGoal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

Way = Literal["suspend", "power-off"]


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
    is (of a job that is done in parts: how many seconds).
    """

    job: str
    host: str
    most: int


@dataclass(frozen=True)
class Work:
    """The jobs as the target sees them. `amounts` says what one instance takes of a host's resources, times its
    seconds, and `rooms` what a host has of each, times the seconds for which it can be free. `pools` names for hosts
    that no job tells apart (all take as much of them) the pool in which they are added up; others are their own.

    Jobs in `parts` may be done in parts, here and there: of them the seconds are counted, and said is how many an
    instance needs. `longest` is for how many seconds an instance can run in all.
    """

    value: Mapping[str, int] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    spots: Sequence[JobOn] = ()
    amounts: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    rooms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    pools: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    longest: Mapping[str, int] = field(default_factory=dict)
    span: int = 0
    lasting: Mapping[str, int] = field(default_factory=dict)
    tick: int = 0

    def ticks(self, host: str) -> int:
        """For how many ticks a host can be free."""
        return self.rooms[host]["time"] // self.tick

    def pool(self, host: str) -> str:
        """The name of a host's pool."""
        return self.pools.get(host, host)

    def dealt(self, counts: Mapping[tuple[str, str], int], emptied: Sequence[str]) -> dict[tuple[str, str], int]:
        """How many instances of which job each emptied host has, from how many its pool has: those that take most of a
        host first, on the first hosts with room. Who finds none is left out.
        """
        left = {host: dict(self.rooms[host]) for host in emptied if host in self.rooms}
        most = {(spot.job, spot.host): spot.most for spot in self.spots if spot.host in left}
        hosts: dict[str, list[str]] = defaultdict(list)
        for host in left:
            hosts[self.pool(host)].append(host)

        def size(spot: tuple[str, str]) -> float:
            job, pool = spot
            some = [host for host in hosts[pool] if (job, host) in most][:1]
            return max(
                (
                    amount / max(1, left[host][what])
                    for host in some
                    for what, amount in self.amounts[job, host].items()
                ),
                default=0,
            )

        found: dict[tuple[str, str], int] = {}
        for job, pool in sorted(counts, key=size, reverse=True):
            wanted = counts[job, pool]
            for host in hosts[pool]:
                amounts = self.amounts.get((job, host), {})
                rooms = (left[host][what] // amount for what, amount in amounts.items() if amount)
                many = min([wanted, most.get((job, host), 0), *rooms])
                if many > 0:
                    found[job, host] = many
                    wanted -= many
                    for what, amount in amounts.items():
                        left[host][what] -= many * amount
        return found


@dataclass(frozen=True)
class NightAsk:
    """What the target must keep: `may_free` are the hosts that may be emptied, `named` those that are asked for by
    name; `most_freed` and `most_moves` bound the night, `store_mib` is the room for suspended VMs. `trips` is how often
    a moved VM is migrated in all: twice where it returns. `drain`: VMs leave only hosts that are emptied, so that none
    waits for room that another leaves.
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


@dataclass(frozen=True)
class NightQuestion:
    """What a night's search is asked: the best target for a scene, by these goals one after the other. `search` says
    how long it may take, and with what seed.
    """

    scene: Scene
    rules: Sequence[Rule]
    goals: Sequence[NightGoal]
    ask: NightAsk
    search: Search

    def scores(self, target: Target) -> list[int]:
        """What a target promises of each goal, so that more is always better."""
        return target.scores(self.goals, self.ask)


@dataclass
class Target:
    """The night's target: the stands of migrated VMs, who is away and how, which hosts are empty, how many of which
    job on each (of a job that is done in parts: how many seconds).
    """

    stands: list[Stand] = field(default_factory=list)
    away: dict[str, Way] = field(default_factory=dict)
    emptied: list[str] = field(default_factory=list)
    jobs: dict[tuple[str, str], int] = field(default_factory=dict)

    def with_(self, other: Target) -> Target:
        """Both together: of other VMs and hosts each."""
        return Target(
            [*self.stands, *other.stands],
            {**self.away, **other.away},
            [*self.emptied, *other.emptied],
            {**self.jobs, **other.jobs},
        )

    def score(self, kind: str, ask: NightAsk) -> int:
        """What the target promises of a night's goal (of what only the clock tells: 0)."""
        carries = [ask.ways[stand.vm].carry for stand in self.stands]
        match kind:
            case "job-value":
                counts: dict[str, int] = defaultdict(int)
                for (job, _), count in self.jobs.items():
                    counts[job] += count
                return sum(ask.work.value[job] * (n // ask.work.parts.get(job, 1)) for job, n in counts.items())
            case "named-freed":
                return len(ask.named.intersection(self.emptied))
            case "hosts-freed":
                return len(self.emptied)
            case "downtime":
                gone = sum(dict(ask.ways[vm].away)[way] for vm, way in self.away.items())
                return gone + ask.trips * sum(carry[1] for carry in carries if carry is not None)
            case "stun":
                return ask.trips * sum(ask.ways[stand.vm].stun_ms for stand in self.stands)
            case "moves":
                return ask.trips * sum(carry is None for carry in carries)
            case _:
                return 0

    def scores(self, goals: Sequence[NightGoal], ask: NightAsk) -> list[int]:
        """What it promises of each goal, so that more is always better."""
        return [(1 if goal.sense == "most" else -1) * self.score(goal.kind, ask) for goal in goals]
