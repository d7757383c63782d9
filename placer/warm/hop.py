"""Room for a VM by one move: of all VMs that run, the one whose leaving opens a place, and another host for it.

Every VM that may be moved is looked at, in columns; then the places for those whose leaving would do, kind by kind.
The best by what is stranded, then by the look ahead at both hosts, is taken to the rules: the VM stands on both hosts
while it moves, then it is gone, then the other one starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from placer.judge.arrival import refusals
from placer.steps import placed_gpus
from placer.warm.field import Field
from placer.warm.leavers import Leavers
from placer.warm.rows import NEVER
from placer.warm.states import Ints
from placer_models.cluster import Cluster, Host, Vm
from placer_models.goals.balance import fullness
from placer_models.gpus_together import misfit
from placer_models.moving import unreachable
from placer_models.plan import Move
from placer_models.rules.gpu import GpuRule
from placer_models.scene import Stand

MOST_KINDS = 12
"""For how many kinds of VMs that could leave another place is looked for, those first whose leaving costs least; for
more where none of them finds any.
"""

MOST_PLACES = 4
"""How many places are kept for each kind, and how many VMs of it are thought of that could leave."""

MOST_TRIES = 32
"""How many ways are taken to the rules."""


@dataclass(frozen=True)
class Hop:
    """A VM that moves from one stand to another, the VM that starts in its room, what is lost of what is expected, and
    the goals' scores then.
    """

    leaves: Stand
    goes: Stand
    start: Stand
    lost: int
    score: Mapping[str, int]

    def move(self, cluster: Cluster) -> Move:
        """The move, as answers say it."""
        values = {"id": "move-1", "vm": self.goes.vm, "from": self.leaves.host, "to": self.goes.host}
        gpus = placed_gpus(cluster, self.goes.host, self.goes.holds)
        return Move.model_validate(
            {**values, "gpus": gpus, "why": f"makes room on {self.start.host} for {self.start.vm}"}
        )


@dataclass(frozen=True)
class _Way:
    """A VM (by its number among those that may leave) to a host (by its place): what is stranded more, and lost."""

    stranded: int
    lost: int
    leaver: int
    to: int


class Hops:
    """Looks for hops in one field."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self._leavers = Leavers(field.columns, field.must)
        self._always = [rule for rule in field.must if rule.always]
        rooms = {id(room.rule) for room in field.columns.rooms}
        self._others = [rule for rule in field.must if id(rule) not in rooms and not isinstance(rule, GpuRule)]

    def best(self, vm: Vm) -> tuple[Hop | None, bool]:
        """The best hop that no rule refuses, and whether it is certain where there is none. Raises Unsure, and
        Disagreement (our bug).
        """
        self.field.openings.check_sayable(vm)
        self._leavers.refresh()
        ways, all_seen = self._ways(vm)
        for way in ways[:MOST_TRIES]:
            hop = self._tried(vm, way)
            if hop is not None:
                return hop, True
        return None, all_seen and not ways

    # by figures

    def _ways(self, vm: Vm) -> tuple[list[_Way], bool]:
        """The best ways, and whether there are none where none is found."""
        leavers, columns = self._leavers, self.field.columns
        if not leavers.stands or misfit(self.field.cluster, vm):
            return [], True
        costs = self._costs(vm)
        able = np.flatnonzero(leavers.room_for(vm) & (costs < NEVER) & (columns.up[leavers.host] > 0))
        open_to = [number for number in set(leavers.host[able].tolist()) if self._admits(vm, columns.hosts[number])]
        able = able[np.isin(leavers.host[able], open_to)]
        stranded: Ints = np.zeros(len(able), dtype=np.int64)
        if self.field.strands:
            losses = self.field.rows.losses()
            then, now = leavers.gpus[:, able], columns.by_gpu[:, leavers.host[able]]
            stranded = losses[then].sum(axis=0) + costs[able] - losses[now].sum(axis=0)
        lost = self.field.lost_instead(vm, leavers.host[able], leavers.gpus[:, able], leavers.left[able])
        order = np.lexsort([lost, stranded]).tolist() if len(able) else []
        places: dict[Hashable, list[tuple[int, int, int]]] = {}
        ways: list[_Way] = []
        of_kind: Counter[Hashable] = Counter()
        all_seen = True
        for at in order:
            leaver = int(able[at])
            stand = leavers.stands[leaver]
            other = self.field.cluster.vms[stand.vm]
            seen = tuple(rule.vm_key(other) for rule in self._others)
            kind = other.wants, other.needs, other.cpu_milli, other.memory_mib, seen
            if kind not in places:
                if ways and len(places) >= MOST_KINDS:
                    continue
                places[kind] = self._places(other)
            if of_kind[kind] == MOST_PLACES:
                continue
            found = self._elsewhere(stand, places[kind])
            all_seen &= found is not None or len(places[kind]) < MOST_PLACES
            if found is not None:
                of_kind[kind] += 1
                more, less, to = found
                ways.append(_Way(int(stranded[at]) + more, int(lost[at]) + less, leaver, to))
        ways.sort(key=lambda way: (way.stranded, way.lost))
        return ways, all_seen

    def _costs(self, vm: Vm) -> Ints:
        """By how much more would be lost of GPUs where the VM comes in the place of each that may leave."""
        leavers, one = self._leavers, self.field.openings.one(vm)
        if not vm.gpus:
            return np.zeros(len(leavers.stands), dtype=np.int64)
        if one is not None and one[0] is not None:
            return self.field.rows.spread(one[0], one[1], leavers.gpus)[0]
        hosts = [self.field.columns.hosts[number] for number in leavers.host.tolist()]
        states = leavers.gpus.T.tolist()
        return np.array([self.field.openings.cost(vm, host, some) for host, some in zip(hosts, states, strict=True)])

    def _places(self, vm: Vm) -> list[tuple[int, int, int]]:
        """The best places for a VM that moves: what is stranded more there, what is lost, and which host it is."""
        found, stranded, lost = self.field.arrivals(vm)
        places: list[tuple[int, int, int]] = []
        for at in np.lexsort([lost, stranded]).tolist():
            host = self.field.columns.hosts[int(found[at])]
            if self._admits(vm, host):
                places.append((int(stranded[at]), int(lost[at]), int(found[at])))
                if len(places) == MOST_PLACES:
                    break
        return places

    def _admits(self, vm: Vm, host: Host) -> bool:
        """Whether the VM may stand on the host by the rules that count neither amounts nor GPUs, whoever else does."""
        return all(rule.admits(self.field.cluster, vm, host) for rule in self._others)

    def _elsewhere(self, stand: Stand, places: list[tuple[int, int, int]]) -> tuple[int, int, int] | None:
        """The best of these places to which a VM can go from where it stands."""
        hosts = self.field.columns.hosts
        for place in places:
            host = hosts[place[2]]
            if host.name != stand.host and unreachable(self.field.cluster, stand, host) is None:
                return place
        return None

    # by the rules

    def _tried(self, vm: Vm, way: _Way) -> Hop | None:
        """The hop, judged; None: a rule refuses it, or it would break a wish."""
        field, scene = self.field, self.field.scene
        stand, to = self._leavers.stands[way.leaver], field.columns.hosts[way.to]
        there = field.cluster.hosts[stand.host]
        other = field.cluster.vms[stand.vm]
        broken = field.wishes.broken
        goes = self._seated(other, to)
        if goes is None or refusals(scene, self._always, goes):
            return None
        with scene.lifted(stand):
            if refusals(scene, field.must, goes):
                return None
            with scene.trial(goes):
                start = self._seated(vm, there)
                if start is None or refusals(scene, field.must, start):
                    return None
                with scene.trial(start):
                    wishes = field.wishes.afresh()
                    if wishes > broken:
                        return None
                    return Hop(stand, goes, start, way.lost, self._score(vm, wishes, (there, to)))

    def _seated(self, vm: Vm, host: Host) -> Stand | None:
        """A VM's best seat on a host as it stands now."""
        best = self.field.openings.seats.best(vm, host, self.field.rows.of_host(self.field.scene, host))
        return None if best is None else Stand(vm.name, host.name, best[1])

    def _score(self, vm: Vm, wishes: int, hosts: tuple[Host, Host]) -> dict[str, int]:
        """The goals' scores in the scene as it is, in which only these hosts differ from the columns."""
        field, columns, full = self.field, self.field.columns, self.field.columns.full.copy()
        more = 0
        for host in hosts:
            number = columns.index[host.name]
            full[number] = fullness(field.scene, host)
            if field.strands and host.state == "up":
                states = field.rows.of_host(field.scene, host)
                losses = field.rows.losses()
                more += int(losses[states].sum() - losses[columns.by_gpu[:, number]].sum())
        return field.scores.moved(vm, wishes, more, int(full.max()))
