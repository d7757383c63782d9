"""When each step runs: a list schedule that keeps every rule at every instant, and the same night played backwards.

A migration holds both its hosts from start to end, so a move may have to wait until another VM has left its target.
The schedule is made by playing the night: at every instant each waiting action is started, in its order of priority,
if its target has room and no limit is reached. The way back is played backwards, from the morning on: where a move was
possible with both hosts held, so is its reverse, and where one waited for another, the other's reverse waits for its.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.judge.slots import Worlds
from placer.solve.traffic import Action, Key, Traffic
from placer.waits import has_room, needed, picked
from placer_models.night import Limits
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

Detour = Callable[[Scene, Sequence[Action], "int | None"], "list[Action] | None"]
"""Asked where nothing moves any more: the scene, the actions that wait, the room in the store (MiB; None: no limit).
It gives the actions that take the place of those of the same VMs, or None: there is no way.
"""


@dataclass(frozen=True)
class Timed:
    """An action with its start and end, in seconds from the window's start, and the actions that it waits for: those
    whose leaving makes its room.
    """

    action: Action
    start: int
    end: int
    waits_for: tuple[Action, ...] = ()


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
        return self.lefts().get(host, 0)

    def lefts(self) -> Mapping[str, int]:
        """When the last VM has left each host that some leave."""
        found: dict[str, int] = {}
        for timed in self.timed:
            if timed.action.source is not None:
                host = timed.action.source.host
                found[host] = max(found.get(host, 0), timed.end)
        return found

    @property
    def actions(self) -> list[Action]:
        """What is done, in the order in which it starts."""
        return [timed.action for timed in self.timed]


def list_schedule(
    now: Scene,
    rules: Sequence[Rule],
    actions: Sequence[Action],
    limits: Limits,
    rank: Mapping[str, int],
    *,
    earliest: Mapping[tuple[str, int], int] | None = None,
    slots_as_said: bool = False,
    detour: Detour | None = None,
    first: Scene | None = None,
    turns: Mapping[str, int] | None = None,
) -> Schedule:
    """Play the actions. They are tried host by host in the order of `rank` (source hosts, the most urgent first), those
    of the busiest hosts first, then the longest; a VM's own one after the other.

    `earliest` says before when an action (by its key) does not start. VMs get the slots that the manager picks, where
    it does, or those that their stands say (`slots_as_said`). Where nothing moves any more, `detour` is asked. What was
    broken in a `first` scene may be so again. `turns` gives the order of the VMs in place of `rank` and all that.
    """
    turns = turns_of(Traffic(now.cluster, limits), actions, rank) if turns is None else turns
    return _Play(now, rules, actions, limits, turns, earliest or {}, slots_as_said, detour, first).schedule


class _Play:
    """The night as it is played. An action that cannot start is parked at what it lacks, and woken when some of that
    comes free.
    """

    def __init__(
        self,
        now: Scene,
        rules: Sequence[Rule],
        actions: Sequence[Action],
        limits: Limits,
        turns: Mapping[str, int],
        earliest: Mapping[tuple[str, int], int],
        slots_as_said: bool,
        detour: Detour | None,
        first: Scene | None,
    ) -> None:
        self.schedule, self._first = Schedule(), first
        self._scene, self._traffic = now.copy(), Traffic(now.cluster, limits)
        self._picks = not slots_as_said
        worst = now.cluster.platform.slot_choice == "worst-case"
        self._worlds = Worlds(now) if worst and self._picks else None
        self._always = [rule for rule in rules if rule.always]
        self._earliest, self._turn = earliest, turns
        self._legs: dict[str, list[Action]] = defaultdict(list)
        for action in actions:
            self._legs[action.vm].append(action)
        self._ready: list[_Entry] = []
        self._later: list[tuple[int, _Entry]] = []
        self._parked: dict[Key, list[_Entry]] = defaultdict(list)
        self._running: list[tuple[int, int, Action]] = []
        self._gone: dict[str, list[Stand]] = defaultdict(list)
        self._who: dict[tuple[str, str], Action] = {}
        """Who left a host last by which action."""
        self._crowded: set[tuple[str, int]] = set()
        """The actions that lacked room once."""
        self._clock = 0
        for vm in self._legs:
            self._arise(vm)
        self._play(detour)

    def _play(self, detour: Detour | None) -> None:
        while True:
            while self._later and self._later[0][0] <= self._clock:
                heapq.heappush(self._ready, heapq.heappop(self._later)[1])
            while self._ready:
                entry = heapq.heappop(self._ready)
                lacks = self._start(entry[-1])
                if lacks is not None:
                    self._parked[lacks].append(entry)
            instants = [heap[0][0] for heap in (self._running, self._later) if heap]
            if instants:
                self._clock = min(instants)
                self._end()
                continue
            waiting = [entry[-1] for entry in sorted(entry for parked in self._parked.values() for entry in parked)]
            instead = detour(self._scene, waiting, self._traffic.store_left()) if detour and waiting else None
            if instead is None:
                self.schedule.stuck = waiting
                return
            self._replace(instead)

    def _arise(self, vm: str) -> None:
        """A VM's next action waits for its turn."""
        if self._legs[vm]:
            action = self._legs[vm][0]
            entry = self._turn[vm], action.leg, vm, action
            heapq.heappush(self._later, (max(self._clock, self._earliest.get(action.key, 0)), entry))

    def _replace(self, actions: Sequence[Action]) -> None:
        """Other actions for some of those that wait; all are tried again."""
        instead = {action.vm for action in actions}
        waiting = [entry for parked in self._parked.values() for entry in parked if entry[-1].vm not in instead]
        self._parked.clear()
        for vm in sorted(instead):
            legs = [action for action in actions if action.vm == vm] + self._legs[vm][1:]
            self._legs[vm] = [replace(action, leg=legs[0].leg + i) for i, action in enumerate(legs)]
            self._arise(vm)
        for entry in waiting:
            heapq.heappush(self._ready, entry)

    def _start(self, action: Action) -> Key | None:
        """Start an action, or say what it lacks."""
        full = self._traffic.full(action)
        if full is not None:
            return full
        waits: tuple[Action, ...] = ()
        if action.to is not None:
            to = picked(self._scene, action.to) if self._picks else action.to
            if to is None or not has_room(self._scene, self._always, to, self._first) or not self._surely(to):
                self._crowded.add(action.key)
                return "room", action.to.host
            if action.key in self._crowded:
                gone = self._gone[to.host]
                waits = tuple(self._who[stand.vm, stand.host] for stand in needed(self._scene, self._always, to, gone))
            action = replace(action, to=to)
            self._scene.put(to)
        self._legs[action.vm].pop(0)
        if self._legs[action.vm] and action.to is not None:  # it leaves from where it was put
            self._legs[action.vm][0] = replace(self._legs[action.vm][0], source=action.to)
        self._traffic.start(action)
        timed = Timed(action, self._clock, self._clock + action.seconds, waits)
        heapq.heappush(self._running, (timed.end, len(self.schedule.timed), action))
        self.schedule.timed.append(timed)
        return None

    def _surely(self, to: Stand) -> bool:
        """Whether it finds its slots whatever the manager picks, where that may pick any."""
        return self._worlds is None or not self._worlds.arrive(to, only_if_sure=True)

    def _end(self) -> None:
        """All that ends now ends, and who waited for it is woken."""
        while self._running and self._running[0][0] <= self._clock:
            action = heapq.heappop(self._running)[-1]
            woken: list[Key] = list(self._traffic.end(action))
            if action.source is not None:
                self._scene.remove(action.source)
                if self._worlds is not None:
                    self._worlds.leave(action.source)
                self._gone[action.source.host].append(action.source)
                self._who[action.vm, action.source.host] = action
                woken.append(("room", action.source.host))
            for key in woken:
                for entry in self._parked.pop(key, ()):
                    heapq.heappush(self._ready, entry)
            self._arise(action.vm)


_Entry = tuple[int, int, str, Action]


def turns_of(traffic: Traffic, actions: Sequence[Action], rank: Mapping[str, int]) -> dict[str, int]:
    """Each VM's turn: by the rank of the host that it leaves; who makes room for others on a host that is not ranked
    has theirs. Then the busiest hosts first, then the longest way.
    """
    load: dict[Key, int] = defaultdict(int)
    ways: dict[str, list[Action]] = defaultdict(list)
    coming: dict[str, int] = {}
    for action in actions:
        ways[action.vm].append(action)
        for key, _ in traffic.uses(action):
            load[key] += action.seconds
        if action.source is not None and action.to is not None and action.source.host in rank:
            coming[action.to.host] = min(rank[action.source.host], coming.get(action.to.host, len(rank)))

    def turn(vm: str) -> tuple[int, int, int, str]:
        way = ways[vm]
        hosts = [stand.host for action in way for stand in (action.source, action.to) if stand is not None]
        first = rank.get(hosts[0], coming.get(hosts[0], len(rank)))
        busiest = max((load[key] for action in way for key, _ in traffic.uses(action) if key[0] == "host"), default=0)
        return first, -busiest, -sum(action.seconds for action in way), vm

    return {vm: number for number, vm in enumerate(sorted(ways, key=turn))}
