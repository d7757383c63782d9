"""A night's target without a solver: host by host is emptied, each VM going to the first host that takes it.

It is what is had where no board is small enough for the memory or the time that there is: GPUs on which many profiles
stand at their slots have more layouts than can be listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from placer.judge.check import broken, worse
from placer.solve.survey import Survey
from placer.solve.target import NightAsk, Target, Way
from placer.waits import has_room
from placer_models.goals.night import NightGoal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

MOST_TRIES = 20_000
"""Pairs of a VM and a host that are tried at most: some seconds."""

LAST = 10**9


def by_hand(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    ask: NightAsk,
    hosts: Collection[str] | None = None,
) -> Target:
    """A target in which VMs leave only hosts that are emptied: those named first, then those with the fewest VMs.

    They go to these `hosts` (default: all). After each host every rule holds that held before, or the host is left as
    it is. Of two ways the better is taken: hosts that are empty remain so, or take VMs, too.
    """
    found = [_emptied(scene, rules, ask, hosts or scene.cluster.hosts, keep=keep) for keep in (True, False)]
    return max(found, key=lambda target: target.scores(goals, ask))


def _emptied(scene: Scene, rules: Sequence[Rule], ask: NightAsk, hosts: Collection[str], *, keep: bool) -> Target:
    must = [rule for rule in rules if not rule.soft]
    hand = _Hand(scene.copy(), must, ask, Survey(scene.cluster, rules, ()), hosts)

    def turn(name: str) -> tuple[bool, int, str]:
        many = len(list(scene.on(name)))
        return name not in ask.named, many if many or keep else LAST, name

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
    target: Target = field(default_factory=Target)
    tries: int = 0

    def __post_init__(self) -> None:
        self._first = broken(self.scene, self.rules)
        self._quick = [rule for rule in self.rules if not rule.exact]
        self._guests: set[str] = set()

    def empty(self, host: str) -> None:
        """Empty a host, if that can be."""
        there, part = list(self.scene.on(host)), Target(emptied=[host])
        if host in self._guests or any(self.ask.ways[stand.vm].fixed for stand in there):
            return
        there.sort(key=lambda stand: (-self.scene.cluster.vms[stand.vm].memory_mib, stand.vm))
        for number, stand in enumerate(there):
            self.scene.remove(stand)
            if not self._leaves(stand, part):
                self._undo(there[: number + 1], part)
                return
        if not self._within(part) or worse(self.rules, self._first, broken(self.scene, self.rules)):
            self._undo(there, part)
            return
        self.target = self.target.with_(part)
        self._guests.update(stand.host for stand in part.stands)

    def _undo(self, there: Sequence[Stand], part: Target) -> None:
        for stand in part.stands:
            self.scene.remove(stand)
        for stand in there:
            self.scene.put(stand)

    def _leaves(self, stand: Stand, part: Target) -> bool:
        """Let a VM go to a host that takes it, or away; whether it can."""
        to = next(self._seats(stand, part), None)
        if to is not None:
            self.scene.put(to)
            part.stands.append(to)
        elif away := self.ask.ways[stand.vm].away:
            way: Way = away[0][0]
            part.away[stand.vm] = way
        return to is not None or stand.vm in part.away

    def _seats(self, stand: Stand, part: Target) -> Iterator[Stand]:
        """Where a VM could go, hosts with much on them first."""
        ways, cluster = self.ask.ways[stand.vm], self.scene.cluster
        closed = {*self.target.emptied, *part.emptied, stand.host, *ways.not_to}
        hosts = [name for name in self.hosts if name not in closed] if ways.migrate else []
        for name in sorted(hosts, key=lambda name: (-self._load(name), name)):
            if self.tries >= MOST_TRIES:
                return
            if not (self.survey.admits(stand.vm, name) and self.survey.reaches((stand,), name)):
                continue
            self.tries += 1
            found = stand_on(self.scene, cluster.vms[stand.vm], cluster.hosts[name])
            if found is not None and has_room(self.scene, self._quick, found):
                yield found

    def _load(self, host: str) -> int:
        use = self.scene.use(host)
        return use.gpu_vms_memory_mib + use.other_memory_mib

    def _within(self, part: Target) -> bool:
        """Whether the night may have so many moves and so much in its store."""
        whole, ask = self.target.with_(part), self.ask
        store = sum(ask.ways[vm].state_mib for vm, way in whole.away.items() if way == "suspend")
        moves = ask.most_moves is None or ask.trips * len(whole.stands) <= ask.most_moves
        return moves and (ask.store_mib is None or store <= ask.store_mib)


def with_jobs(target: Target, ask: NightAsk) -> Target:
    """A target with jobs for its emptied hosts, of each no more than is asked for."""
    work = ask.work
    wanted = {job: many * work.parts.get(job, 1) for job, many in work.instances.items()}
    counts = {(spot.job, work.pool(spot.host)): wanted[spot.job] for spot in work.spots if spot.host in target.emptied}
    found, taken = dict[tuple[str, str], int](), Counter[str]()
    for (job, host), many in work.dealt(counts, target.emptied).items():
        most = min(many, wanted[job] - taken[job])
        if most > 0:
            found[job, host] = most
            taken[job] += most
    return replace(target, jobs=found)
