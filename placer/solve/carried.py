"""Chosen changes of hosts carried out: which VM goes where, seated, one after the other, both ends counted.

Which VM of a kind goes where is decided on the road: whoever opens most seats by leaving goes first, into any seat of
its kind that has room now. Who waits starts after all moves. Where nobody finds room any more, a VM goes aside over a
third host; where that does not help either the rest stays where it is, and who was to come in its place stays off.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.judge.check import broken, worse
from placer.solve.board import CountBoard
from placer.solve.budget import Budget
from placer.solve.changes import Change
from placer.solve.inventory import Inventory
from placer.solve.run import solve_board
from placer.solve.survey import Survey
from placer.waits import free, go, has_room, picked, spares
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.placed import Placed
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

WORK = 0.1
"""Deterministic seconds for seating those who come to one host at most."""


@dataclass
class Carried:
    """Moves in an order that can be carried out, and those who start after them."""

    moves: list[Stand] = field(default_factory=list)
    starts: list[Stand] = field(default_factory=list)


class Carrier:
    """Carries out changes on a scene, for these rules."""

    def __init__(
        self, inventory: Inventory, survey: Survey, rules: Sequence[Rule], search: Search, budget: Budget
    ) -> None:
        self._in, self._survey, self._rules = inventory, survey, rules
        self._hard = [rule for rule in rules if not rule.soft]
        self._search, self._budget = search, budget

    def carry(self, chosen: Sequence[tuple[Change, int]], most: int) -> Carried:
        """As much of these changes as so many moves carry out."""
        leaving, coming = self._dealt(chosen)
        scene = self._in.scene.copy()
        gone = [scene.of(name)[0] for names in leaving.values() for name in names]
        with scene.lifted(*gone):
            spots = self._seated(scene, leaving, coming)
        return self._ordered(scene, leaving, spots, most)

    def _dealt(self, chosen: Sequence[tuple[Change, int]]) -> tuple[dict[int, list[str]], dict[str, list[int]]]:
        """For each kind the VMs that leave their hosts, and for each host the kinds of those that come."""
        leaving: dict[int, list[str]] = defaultdict(list)
        coming: dict[str, list[int]] = {}
        hosts = [list(group.hosts) for group in self._in.groups]
        for change, times in chosen:
            for _ in range(times):
                host = hosts[change.group].pop()
                for kind, name in self._leavers(host, change):
                    leaving[kind].append(name)
                coming[host] = [kind for kind, many in change.comes for _ in range(many)]
        return leaving, coming

    def _leavers(self, host: str, change: Change) -> Iterable[tuple[int, str]]:
        """The VMs of a host that leave it, by kind."""
        rows = self._in.rows(host)
        left = Counter(dict(change.leaves))
        for row, kinds in change.rows:
            gpu = next(gpu for gpu, (known, _) in rows.items() if known == row)
            names = list(rows.pop(gpu)[1])
            for kind in kinds:
                name = next(name for name in names if self._in.number.get(name) == kind)
                names.remove(name)
                left[kind] -= 1
                yield kind, name
        for kind, many in left.items():
            alone = (s.vm for s in self._in.scene.on(host) if self._in.number.get(s.vm) == kind and len(s.holds) != 1)
            for _, name in zip(range(many), alone, strict=False):
                yield kind, name

    def _seated(
        self, scene: Scene, leaving: Mapping[int, Sequence[str]], coming: Mapping[str, Sequence[int]]
    ) -> dict[int, list[Stand]]:
        """For each kind the seats of those that come, one VM standing for the others; at most as many as there are."""
        found: dict[int, list[Stand]] = defaultdict(list)
        names = {kind: [*one.waiting, *leaving.get(kind, ())] for kind, one in enumerate(self._in.kinds)}
        for host, kinds in coming.items():
            here = [names[kind].pop() for kind in kinds if names[kind]]
            for stand in self._on(scene, host, here):
                found[self._in.number[stand.vm]].append(stand)
        return found

    def _on(self, scene: Scene, host: str, names: list[str]) -> list[Stand]:
        """These VMs on one host: the largest first, or by a board where that leaves one out."""
        cluster = scene.cluster
        found: list[Stand] = []
        for name in sorted(names, key=lambda name: -milli_of(cluster, cluster.vms[name])):
            stand = stand_on(scene, cluster.vms[name], cluster.hosts[host])
            if stand is not None and has_room(scene, self._hard, stand):
                scene.put(stand)
                found.append(stand)
        for stand in found:
            scene.remove(stand)
        if len(found) == len(names):
            return found
        goal: Sequence[Goal] = (Placed(),)
        rules = [rule for rule in self._rules if rule.by_host]
        board = CountBoard(scene, rules, goal, dict.fromkeys(names, 0), (), [host], survey=self._survey)
        outcome = solve_board(board, goal, self._search, 0.0, budget=self._budget, work=WORK)
        return max(found, outcome.stands, key=len)

    def _ordered(
        self, scene: Scene, leaving: dict[int, list[str]], spots: dict[int, list[Stand]], most: int
    ) -> Carried:
        """Moves and starts into these seats, as many as find room one after the other."""
        done = Carried()
        road = _Road(scene, self._hard, leaving, spots)
        while len(done.moves) < most and not self._budget.over():
            stand = road.next() or road.aside(most - len(done.moves))
            if stand is None:
                break
            done.moves.append(stand)
        for kind, stands in spots.items():
            waiting = list(self._in.kinds[kind].waiting)
            for spot in stands:
                stand = free(scene, self._hard, replace(spot, vm=waiting[0])) if waiting else None
                if stand is not None:
                    scene.put(stand)
                    done.starts.append(stand)
                    waiting.pop(0)
        return done


class _Road:
    """Who can go next: VMs that leave, by kind, into seats of their kind."""

    def __init__(
        self, scene: Scene, hard: Sequence[Rule], leaving: dict[int, list[str]], spots: dict[int, list[Stand]]
    ) -> None:
        self._scene, self._hard = scene, hard
        self._always = [rule for rule in hard if rule.always]
        self._later = [rule for rule in hard if not rule.always and not rule.by_host]
        self._broken = broken(scene, self._later)
        self._leaving, self._spots = leaving, spots
        self._fits: dict[Stand, bool] = {}
        self._opens: dict[str, int] = {}

    def next(self) -> Stand | None:
        """The next move; None: nobody finds room as it is."""
        while (best := self._best()) is not None:
            kind, name, spot = best
            self._leaving[kind].remove(name)
            stand = self._go(replace(spot, vm=name))
            if stand is not None:
                self._spots[kind].remove(spot)
                return stand
        return None

    def _best(self) -> tuple[int, str, Stand] | None:
        """Of all moves into seats that have room (kind, VM, seat), the one that opens most seats where it leaves."""
        best: tuple[int, int, str, Stand] | None = None
        for kind, stands in self._spots.items():
            for name in self._leaving.get(kind, ()):
                opens = self._opened(name)
                if best is not None and opens <= best[0]:
                    continue
                host = self._scene.of(name)[0].host
                spot = next((spot for spot in stands if spot.host != host and self._fit(spot, name)), None)
                if spot is not None:
                    best = opens, kind, name, spot
        return None if best is None else best[1:]

    def aside(self, left: int) -> Stand | None:
        """A move to a third host for a while, of the VM that opens most seats where it leaves; None where so many
        moves are too few for it, or none helps.
        """
        scene = self._scene
        names = [(name, kind) for kind, some in self._leaving.items() for name in some if self._spots.get(kind)]
        if left < 2:
            return None
        for name, kind in sorted(names, key=lambda one: -self._opened(one[0])):
            if not self._opened(name):
                return None
            (source,) = scene.of(name)
            to = next(spot for spot in self._spots[kind])
            stand = next(spares(scene, self._always, source, to, scene.cluster.hosts), None)
            if stand is not None and (moved := self._go(stand)) is not None:
                return moved
        return None

    def _go(self, target: Stand) -> Stand | None:
        """Let a VM go to a seat; None: it has none there, or a rule of what stands in the end is against it."""
        stand = picked(self._scene, target)
        if stand is None:
            return None
        source = go(self._scene, stand)
        if worse(self._later, self._broken, broken(self._scene, self._later)):
            go(self._scene, source)
            return None
        hosts = (source.host, stand.host)
        self._fits = {spot: fits for spot, fits in self._fits.items() if spot.host not in hosts}
        self._opens = {name: many for name, many in self._opens.items() if not self._on_one(name, hosts)}
        return stand

    def _fit(self, spot: Stand, name: str) -> bool:
        """Whether a seat has room for a VM of its kind that stands on another host."""
        if spot not in self._fits:
            self._fits[spot] = has_room(self._scene, self._hard, replace(spot, vm=name))
        return self._fits[spot]

    def _opened(self, name: str) -> int:
        """How many seats have room once a VM has left its host that have none now: for those who move on."""
        if name not in self._opens:
            (source,) = self._scene.of(name)
            others = [
                (spot, some[0] if some[0] != name else some[-1])
                for kind, stands in self._spots.items()
                if (some := self._leaving.get(kind))
                for spot in stands
                if spot.host == source.host
            ]
            others = [
                (spot, other) for spot, other in others if other != name and not self._on_one(other, (spot.host,))
            ]
            closed = [(spot, other) for spot, other in others if not self._fit(spot, other)]
            with self._scene.lifted(source):
                self._opens[name] = sum(
                    has_room(self._scene, self._hard, replace(spot, vm=other)) for spot, other in closed
                )
        return self._opens[name]

    def _on_one(self, name: str, hosts: Collection[str]) -> bool:
        """Whether a VM stands on one of these hosts."""
        return any(stand.host in hosts for stand in self._scene.of(name))
