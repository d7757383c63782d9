"""The freed hosts with their hours, and where they have room for one more run of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from placer.judge.check import broken, worse
from placer.solve.errands import Errand, Run, Slot
from placer.solve.least import resources_of
from placer.solve.parts import Stretch
from placer_models.cluster import Cluster, Vm
from placer_models.plan import Breach
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import stand_on

MOST_COUNTED = 1_000
"""Instances at once on one host that are counted."""


class FreedHosts:
    """The freed hosts with their hours, and the runs that are on them so far.

    Runs must leave what rules at rest keep for the VMs of a slot's night (a reserve).
    """

    def __init__(self, cluster: Cluster, rules: Sequence[Rule], slots: Sequence[Slot]) -> None:
        self._cluster = cluster
        self._always = [rule for rule in rules if rule.always]
        self.slots = slots
        self.resources = resources_of(cluster)
        self.runs: list[list[Run]] = [[] for _ in slots]
        self._resting = [rule for rule in rules if not rule.always]
        self._broken_now: dict[int, list[list[Breach]]] = {}
        self._enough: dict[Hashable, bool] = {}
        """Whether runs that are under way together leave enough: the same come together again and again."""
        self._since: dict[tuple[str, int], int] = {}
        """Before when a slot has no room for one more run of an errand."""
        self._stretched: dict[tuple[str, int], tuple[int, list[Stretch]]] = {}

    def fit(self, errand: Errand, number: int, instances: Sequence[int]) -> list[Run]:
        """The earliest runs of instances in a slot, added to it: as many as fit at the earliest instant at which one
        does. Nothing: there is none.
        """
        opens, closes = errand.within(self.slots[number].hours)
        latest = closes - errand.seconds
        since = self._since.get((errand.name, number), opens)  # before that there was no room, and there is none now
        for start in sorted({since, *(run.end for run in self.runs[number] if since < run.end)}):
            if opens <= start <= latest:
                self._since[errand.name, number] = start
                found = self._together(errand, number, instances, start, start + errand.seconds)
                if found:
                    self.runs[number] += found
                    return found
        self._since[errand.name, number] = closes
        return []

    def _together(self, errand: Errand, number: int, instances: Sequence[int], start: int, end: int) -> list[Run]:
        """As many runs of instances as fit from `start` to `end`."""
        slot = self.slots[number]
        first = self._at(errand, number, instances[0], start, end)
        if first is None or errand.whole_host or (slot.night is not None and self._resting):
            return [] if first is None else [first]
        beside = [run for run in self.runs[number] if run.start < end and start < run.end]
        scene = self._scene(slot, {run.name: run.vm for run in beside}, beside)
        every = self._seats(scene, errand, slot, len(instances))
        return [
            Run(errand, instance, slot.host.name, start, end, holds, number)
            for instance, holds in zip(instances, every, strict=False)
        ]

    def _at(self, errand: Errand, number: int, instance: int, start: int, end: int) -> Run | None:
        slot = self.slots[number]
        beside = [run for run in self.runs[number] if run.start < end and start < run.end]
        if beside and (errand.whole_host or any(run.whole_host for run in beside)):
            return None
        holds = self._seat(errand, slot, beside)
        run = None if holds is None else Run(errand, instance, slot.host.name, start, end, holds, number)
        return run if run is not None and self._leaves_enough(run, slot) else None

    def _leaves_enough(self, run: Run, slot: Slot) -> bool:
        """Whether rules at rest hold beside all runs that are under way during this one."""
        if slot.night is None or not self._resting:
            return True
        others = [other for runs in self.runs for other in runs]
        runs = [run, *(other for other in others if other.start < run.end and run.start < other.end)]
        open_ = [number for number, each in enumerate(self.slots) if each.opens < run.end and run.start < each.closes]
        together = Counter((each.slot, each.job, each.holds) for each in runs)
        key = id(slot.night), run.slot, tuple(open_), frozenset(together.items())
        if key not in self._enough:
            self._enough[key] = self._leave_enough(runs, slot, open_)
        return self._enough[key]

    def _leave_enough(self, runs: Sequence[Run], slot: Slot, open_: Sequence[int]) -> bool:
        """Whether they do while these slots are open, as the rules say."""
        assert slot.night is not None
        one = self._cluster
        then = {self.slots[number].host.name: self.slots[number].host for number in open_}
        hosts = {**one.hosts, **then, slot.host.name: slot.host}
        vms = {f"{number} {each.name}": each.on(hosts[each.host]) for number, each in enumerate(runs)}
        cluster = replace(one, hosts=hosts, vms={**one.vms, **vms})
        stands = [Stand(name, each.host, each.holds) for name, each in zip(vms, runs, strict=True)]
        now = self._broken_now.setdefault(id(slot.night), broken(slot.night, self._resting))
        return not worse(self._resting, now, broken(Scene(cluster, [*slot.night.stands(), *stands]), self._resting))

    def _seat(self, errand: Errand, slot: Slot, beside: Sequence[Run]) -> tuple[Hold, ...] | None:
        """The GPUs that one more instance could have beside these runs; None: there is no room."""
        return self._seated(self._scene(slot, {run.name: run.vm for run in beside}, beside), errand.vm, slot)

    def _scene(self, slot: Slot, vms: dict[str, Vm], runs: Sequence[Run]) -> Scene:
        one, host = self._cluster, slot.host
        alone = Cluster(one.name, one.platform, {host.name: host}, vms, {}, one.catalogue)
        return Scene(alone, [Stand(run.name, host.name, run.holds) for run in runs])

    def _seated(self, scene: Scene, vm: Vm, slot: Slot) -> tuple[Hold, ...] | None:
        """Seat one more in a scene of a slot's host; None, and it is as it was: there is no room."""
        scene.cluster.vms[vm.name] = vm  # type: ignore[index]
        stand = stand_on(scene, vm, slot.host)
        if stand is None:
            return None
        scene.put(stand)
        if worse(self._always, [[] for _ in self._always], broken(scene, self._always)):
            scene.remove(stand)
            return None
        return stand.holds

    def _seats(self, scene: Scene, errand: Errand, slot: Slot, most: int) -> list[tuple[Hold, ...]]:
        """The GPUs of as many instances more as there is room for in a scene of a slot's host: twice as many at a time
        as long as that goes well, then half as many.
        """
        found: list[tuple[Hold, ...]] = []
        many, grows = 1, True
        while many and len(found) < most:
            stands: list[Stand] = []
            while len(stands) < min(many, most - len(found)):
                vm = errand.vm.model_copy(update={"name": f"{len(found) + len(stands)}"})
                scene.cluster.vms[vm.name] = vm  # type: ignore[index]
                stand = stand_on(scene, vm, slot.host)
                if stand is None:
                    break
                scene.put(stand)
                stands.append(stand)
            fits = not worse(self._always, [[] for _ in self._always], broken(scene, self._always))
            grows = grows and fits and len(stands) == many
            if fits:
                found += [stand.holds for stand in stands]
            else:
                for stand in stands:
                    scene.remove(stand)
            many = 2 * many if grows else many // 2
        return found

    def at_once(self, errand: Errand, number: int = 0) -> int:
        """How many instances of a job could run at the same time on an empty host; more than are counted: all."""
        slot = self.slots[number]
        most = 1 if errand.whole_host else errand.instances
        found = len(self._seats(self._scene(slot, {}, ()), errand, slot, min(most, MOST_COUNTED)))
        return most if found == MOST_COUNTED else found

    def stretches(self, errand: Errand, number: int) -> list[Stretch]:
        """When a slot has room for one more run of an errand, from when until when at the longest."""
        seen = sum(map(len, self.runs)) if self._resting else len(self.runs[number])
        known = self._stretched.get((errand.name, number))
        if known is None or known[0] != seen:
            known = seen, list(self._found_stretches(errand, number))
            self._stretched[errand.name, number] = known
        return known[1]

    def _found_stretches(self, errand: Errand, number: int) -> Iterator[Stretch]:
        opens, closes = errand.within(self.slots[number].hours)
        there = self.runs[number]
        starts = sorted({opens, *(run.end for run in there if opens < run.end < closes)})
        ends = sorted({*(run.start for run in there if opens < run.start < closes), closes})
        last = opens
        for start in starts:
            longest = start
            for end in (end for end in ends if end > start):
                if self._at(errand, number, 0, start, end) is None:
                    break
                longest = end
            if longest > last:
                last = longest
                yield Stretch(number, start, longest)

    def put(self, errand: Errand, instance: int, pieces: Sequence[Stretch]) -> Sequence[Run]:
        """Add runs of an instance for all of these pieces, which do not overlap; nothing: one of them has no room."""
        runs = [self._at(errand, number, instance, start, end) for number, start, end in pieces]
        found = [run for run in runs if run is not None]
        if len(found) < len(pieces):
            return ()
        for run in found:
            self.runs[run.slot].append(run)
        return found

    def clear(self) -> None:
        """Take all runs away."""
        for runs in self.runs:
            runs.clear()
        self._stretched.clear()
        self._since.clear()
