"""A night's target without a solver: host by host is emptied, each VM going to the first host that takes it.

It is what is had where no board is small enough for the memory or the time that there is: GPUs on which many profiles
stand at their slots have more layouts than can be listed.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from placer.judge.check import broken, worse
from placer.solve.budget import Budget
from placer.solve.least import resources_of
from placer.solve.survey import Survey
from placer.solve.target import JobOn, NightAsk, NightQuestion, Target, Way
from placer.waits import has_room
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

MOST_TRIES = 20_000
"""Pairs of a VM and a host that are tried at most."""

LEAST_SECONDS = 1.0
"""It may always take so long, also where the time has ended: there would be nothing else."""

LAST = 10**9


def by_hand(question: NightQuestion, hosts: Collection[str] | None = None, budget: Budget | None = None) -> Target:
    """A target in which VMs leave only hosts that are emptied: those named first, then those with the least on them.

    They go to these `hosts` (default: all). After each host every rule holds that held before, or the host is left as
    it is. Of two ways the better is taken: hosts that are empty remain so, or take VMs, too.
    """
    ends = math.inf if budget is None else time.monotonic() + max(LEAST_SECONDS, budget.left)
    every = hosts or question.scene.cluster.hosts
    return max((_emptied(question, every, ends, keep=keep) for keep in (True, False)), key=question.scores)


def _emptied(question: NightQuestion, hosts: Collection[str], ends: float, *, keep: bool) -> Target:
    scene, ask = question.scene, question.ask
    must = [rule for rule in question.rules if not rule.soft]
    hand = _Hand(scene.copy(), must, ask, Survey(scene.cluster, question.rules, ()), hosts, ends)

    def turn(name: str) -> tuple[bool, float, str]:
        load = hand.load(name)
        return name not in ask.named, load if load or keep else LAST, name

    for host in sorted(ask.may_free, key=turn):
        if ask.most_freed is not None and len(hand.target.emptied) >= ask.most_freed:
            break
        hand.empty(host)
    return with_jobs(hand.target, ask)


@dataclass
class _Hand:
    scene: Scene
    rules: Sequence[Rule]
    ask: NightAsk
    survey: Survey
    hosts: Collection[str]
    ends: float
    target: Target = field(default_factory=Target)
    tries: int = 0

    def __post_init__(self) -> None:
        cluster = self.scene.cluster
        self._of_hosts = [rule for rule in self.rules if rule.by_host]
        self._across = [rule for rule in self.rules if not rule.by_host]
        self._first = broken(self.scene, self._of_hosts), broken(self.scene, self._across)
        self._quick = [rule for rule in self.rules if not rule.exact]
        self._guests: set[str] = set()
        self._resources = resources_of(cluster)
        self._rooms = {name: [each.room(host) for each in self._resources] for name, host in cluster.hosts.items()}
        self._left = {name: list(rooms) for name, rooms in self._rooms.items()}
        self._taken: dict[int, list[int]] = {}
        self._full: set[tuple[int, str]] = set()
        """The kinds of VMs for which a host has no room, whoever comes yet."""
        for stand in self.scene.stands():
            self._count(stand, -1)

    def load(self, host: str) -> float:
        """How much of a host is taken: of that of which most is."""
        parts = zip(self._left[host], self._rooms[host], strict=True)
        return max(((room - left) / room for left, room in parts if room), default=0.0)

    def empty(self, host: str) -> None:
        """Empty a host, if that can be."""
        there, part = list(self.scene.on(host)), Target(emptied=[host])
        if host in self._guests or any(self.ask.ways[stand.vm].fixed for stand in there):
            return
        there.sort(key=lambda stand: (-self._size(stand), stand.vm))
        for number, stand in enumerate(there):
            self._remove(stand)
            if not self._leaves(stand, part):
                self._undo(there[: number + 1], part)
                return
        if not self._within(part) or not self._keeps_rules({host, *(stand.host for stand in part.stands)}):
            self._undo(there, part)
            return
        self.target = self.target.with_(part)
        self._guests.update(stand.host for stand in part.stands)

    def _keeps_rules(self, hosts: Collection[str]) -> bool:
        """Whether every rule holds that held at first, now that something has changed on these hosts."""
        first, across = self._first
        here = worse(self._of_hosts, first, broken(self.scene, self._of_hosts, hosts))
        return not here and not worse(self._across, across, broken(self.scene, self._across))

    def _undo(self, there: Sequence[Stand], part: Target) -> None:
        for stand in part.stands:
            self._remove(stand)
        for stand in there:
            self._put(stand)

    def _put(self, stand: Stand) -> None:
        self.scene.put(stand)
        self._count(stand, -1)

    def _remove(self, stand: Stand) -> None:
        self.scene.remove(stand)
        self._count(stand, 1)

    def _count(self, stand: Stand, sign: int) -> None:
        left = self._left[stand.host]
        for number, amount in enumerate(self._takes(stand.vm)):
            left[number] += sign * amount

    def _takes(self, vm: str) -> list[int]:
        """What a VM takes of a host at least."""
        kind = self.survey.vm(vm)
        if kind not in self._taken:
            self._taken[kind] = [each.amount(self.scene.cluster.vms[vm]) for each in self._resources]
        return self._taken[kind]

    def _size(self, stand: Stand) -> float:
        parts = zip(self._takes(stand.vm), self._rooms[stand.host], strict=True)
        return max((amount / room for amount, room in parts if room), default=0.0)

    def _leaves(self, stand: Stand, part: Target) -> bool:
        """Let a VM go to a host that takes it, or away; whether it can."""
        to = next(self._seats(stand, part), None)
        if to is not None:
            self._put(to)
            part.stands.append(to)
        elif away := self.ask.ways[stand.vm].away:
            way: Way = away[0][0]
            part.away[stand.vm] = way
        return to is not None or stand.vm in part.away

    def _seats(self, stand: Stand, part: Target) -> Iterator[Stand]:
        """Where a VM could go, the fullest hosts first."""
        ways, cluster = self.ask.ways[stand.vm], self.scene.cluster
        closed = {*self.target.emptied, *part.emptied, stand.host, *ways.not_to}
        hosts = [name for name in self.hosts if name not in closed] if ways.migrate else []
        takes, kind = self._takes(stand.vm), self.survey.vm(stand.vm)
        hosts = [name for name in hosts if all(map(int.__le__, takes, self._left[name]))]
        for name in sorted(hosts, key=lambda name: (-self.load(name), name)):
            if self.tries >= MOST_TRIES or time.monotonic() > self.ends:
                return
            if (kind, name) in self._full or not self.survey.admits(stand.vm, name):
                continue
            if not self.survey.reaches((stand,), name):
                continue
            self.tries += 1
            found = stand_on(self.scene, cluster.vms[stand.vm], cluster.hosts[name])
            if found is not None and has_room(self.scene, self._quick, found):
                yield found
            elif all(one.host != name for one in part.stands):  # those of this part may yet go again
                self._full.add((kind, name))

    def _within(self, part: Target) -> bool:
        """Whether the night may have so many moves and so much in its store."""
        whole, ask = self.target.with_(part), self.ask
        store = sum(ask.ways[vm].state_mib for vm, way in whole.away.items() if way == "suspend")
        moves = ask.most_moves is None or ask.trips * len(whole.stands) <= ask.most_moves
        return moves and (ask.store_mib is None or store <= ask.store_mib)


def with_jobs(target: Target, ask: NightAsk) -> Target:
    """A target with jobs for its emptied hosts: those that bring most for what they take first, each on the first hosts
    with room.
    """
    work = ask.work
    left = {host: dict(work.rooms[host]) for host in target.emptied if host in work.rooms}
    spots: dict[str, list[JobOn]] = defaultdict(list)
    for spot in work.spots:
        if spot.host in left:
            spots[spot.job].append(spot)

    def worth(job: str) -> float:
        host = spots[job][0].host
        amounts, rooms = work.amounts[job, host], work.rooms[host]
        size = max((amount / max(1, rooms[what]) for what, amount in amounts.items()), default=0)
        return work.value[job] / work.parts.get(job, 1) / size if size else math.inf

    found: dict[tuple[str, str], int] = {}
    for job in sorted(spots, key=lambda job: (-worth(job), job)):
        wanted = work.instances[job] * work.parts.get(job, 1)
        for spot in spots[job]:
            room, amounts = left[spot.host], work.amounts[job, spot.host]
            many = min([wanted, spot.most, *(room[what] // amount for what, amount in amounts.items() if amount)])
            if many > 0:
                found[job, spot.host] = many
                wanted -= many
                for what, amount in amounts.items():
                    room[what] -= many * amount
    return replace(target, jobs=found)
