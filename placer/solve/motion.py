"""When each step runs: a list schedule that keeps every rule at every instant, and the same night played backwards.

A migration holds both its hosts from start to end, so a move may have to wait until another VM has left its target.
The schedule is made by playing the night: at every instant each waiting action is started, in its order of priority,
if its target has room and no limit is reached. The way back is the evening mirrored in time: where a move was
possible with both hosts held, so is its reverse, and where one waited for another, the other's reverse waits for its.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from placer.judge.check import broken, worse
from placer_models.cluster import Cluster
from placer_models.night import Limits
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


@dataclass(frozen=True)
class Action:
    """One thing to do to a VM in the evening: move it to a stand, or take it off its host. `seconds` is how long it
    takes.
    """

    vm: str
    kind: Literal["migrate", "suspend", "power-off"]
    seconds: int
    source: Stand
    to: Stand | None = None
    stun_seconds: float = 0.0


@dataclass(frozen=True)
class Timed:
    """An action with its start and end, in seconds from the window's start, and the VMs whose leaving it waits for."""

    action: Action
    start: int
    end: int
    waits_for: tuple[str, ...] = ()


@dataclass
class Schedule:
    """Timed actions, in the order in which they start; `stuck` are those that no instant reaches."""

    timed: list[Timed] = field(default_factory=list)
    stuck: list[Action] = field(default_factory=list)

    @property
    def seconds(self) -> int:
        """When the last of them ends."""
        return max((timed.end for timed in self.timed), default=0)

    def left(self, host: str) -> int:
        """When the last VM has left a host."""
        return max((timed.end for timed in self.timed if timed.action.source.host == host), default=0)


class Traffic:
    """The migrations under way, against what hosts, links and the cluster bear at once."""

    def __init__(self, cluster: Cluster, limits: Limits) -> None:
        self._cluster, self._limits = cluster, limits
        self._at: dict[tuple[str, str], int] = defaultdict(int)

    def bears(self, action: Action) -> bool:
        """Whether one more may start."""
        return all(self._at[key] < most for key, most in self._uses(action))

    def count(self, action: Action, sign: int) -> None:
        """An action starts (1) or ends (-1)."""
        for key, _ in self._uses(action):
            self._at[key] += sign

    def _uses(self, action: Action) -> list[tuple[tuple[str, str], int]]:
        if action.to is None:
            return []
        limits, hosts = self._limits, self._cluster.hosts
        ends = (action.source.host, action.to.host)
        uses = [(("host", host), limits.moves_at_once_per_host) for host in ends]
        if limits.moves_at_once is not None:
            uses.append((("cluster", ""), limits.moves_at_once))
        for link in limits.links:
            values = [hosts[host].labels.get(link.label) for host in ends]
            if values[0] == values[1]:
                continue
            most = [limits.moves_at_once_per_host * len(hosts)]
            most += [link.moves_at_once] if link.moves_at_once is not None else []
            most += [int(link.mib_per_second // limits.mib_per_second)] if link.mib_per_second is not None else []
            uses += [((link.label, value), min(most)) for value in values if value is not None]
        return uses


def list_schedule(
    now: Scene, rules: Sequence[Rule], actions: Sequence[Action], limits: Limits, rank: Mapping[str, int]
) -> Schedule:
    """Play the evening. Actions are tried host by host in the order of `rank` (source hosts, the most urgent first),
    the longest first.
    """
    schedule, scene, traffic = Schedule(), now.copy(), Traffic(now.cluster, limits)
    always = [rule for rule in rules if rule.always]
    waiting = sorted(actions, key=lambda a: (rank.get(a.source.host, len(rank)), -a.seconds, a.vm))
    running: list[tuple[int, int, Action]] = []
    gone_from: dict[str, list[str]] = defaultdict(list)
    no_room: dict[str, int] = {}  # VM -> how many had left its target when it last had no room there
    clock = 0
    while waiting or running:
        blocked: list[Action] = []
        for action in waiting:
            if not traffic.bears(action):
                blocked.append(action)
                continue
            waits: tuple[str, ...] = ()
            if action.to is not None:
                gone = gone_from[action.to.host]
                if no_room.get(action.vm) == len(gone) or not _room(scene, always, action.to):
                    no_room[action.vm] = len(gone)
                    blocked.append(action)
                    continue
                waits = tuple(gone) if action.vm in no_room else ()
                scene.put(action.to)
            traffic.count(action, 1)
            timed = Timed(action, clock, clock + action.seconds, waits)
            heapq.heappush(running, (timed.end, len(schedule.timed), action))
            schedule.timed.append(timed)
        waiting = blocked
        if not running:
            schedule.stuck = waiting
            break
        clock = running[0][0]
        while running and running[0][0] == clock:
            _, _, action = heapq.heappop(running)
            scene.remove(action.source)
            traffic.count(action, -1)
            gone_from[action.source.host].append(action.vm)
    return schedule


def _room(scene: Scene, always: Sequence[Rule], to: Stand) -> bool:
    before = broken(scene, always, (to.host,))
    with scene.trial(to):
        return not worse(always, before, broken(scene, always, (to.host,)))


def mirrored(schedule: Schedule, until: int, only: frozenset[str] | None = None) -> list[Timed]:
    """The way back: every action (or those of some VMs) undone, mirrored in time so that the last ends at `until`."""
    wanted = [timed for timed in schedule.timed if only is None or timed.action.vm in only]
    undone = [replace(timed, start=until - timed.end, end=until - timed.start, waits_for=()) for timed in wanted]
    before: dict[str, list[str]] = defaultdict(list)
    for timed in wanted:
        for other in timed.waits_for:
            before[other].append(timed.action.vm)
    back = [replace(timed, waits_for=tuple(before[timed.action.vm])) for timed in undone]
    return sorted(back, key=lambda timed: (timed.start, timed.action.vm))
