"""First answers: VMs are put where they fit, kind by kind, in the milliseconds that a search takes to begin.

Rules that count amounts and the states of GPUs say for all hosts at once where a kind of VMs has room
(`placer.warm.columns`); the other rules are only asked about the VMs that they concern. A kind is tried on each host
once, and as many of it are put there as fit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from placer.solve.figures import Vectors, figures_of, free, roomy
from placer.solve.survey import Survey
from placer.warm.columns import Columns
from placer.warm.seats import Seats, simple
from placer.warm.states import Ints
from placer_models.cluster import Cluster, Host, Vm
from placer_models.gpus_together import misfit
from placer_models.gpus_use import use_for
from placer_models.rules.gpu import GpuRule
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand

Vector = tuple[float, float, float]
"""Shares of a host's CPUs, memory and GPUs."""

Fit = Callable[[Vectors, Vectors], Vectors]
"""How well a VM's wishes (first) suit what hosts have free (second), row by row: the lowest is taken."""


def tight(asked: Vectors, free: Vectors) -> Vectors:
    """Best fit: least is left over."""
    return np.asarray(free.sum(axis=1) - asked.sum(axis=1))


def aligned(asked: Vectors, free: Vectors) -> Vectors:
    """Dot product: the host has most of what the VM asks most of."""
    return np.asarray(-(asked * free).sum(axis=1))


def lopsided(asked: Vectors, free: Vectors) -> Vectors:
    """What is left over is in proportion."""
    left = free - asked
    return np.asarray(left.max(axis=1) - left.min(axis=1) + 0.01 * left.sum(axis=1))


NOWHERE: Vector = (math.inf, math.inf, math.inf)
"""Asked by a VM of a host where it may not stand."""

Seat = tuple[tuple[Hold, ...], "list[int] | None"]
"""What a VM holds, and the states of its host's GPUs then (None: not known)."""

FITS: tuple[Fit, ...] = (tight, aligned, lopsided)


class Start:
    """One first answer, built up in `scene` (a scene of its own). `stands` are in the order in which they came."""

    def __init__(
        self,
        scene: Scene,
        survey: Survey,
        rules: Sequence[Rule],
        hosts: Sequence[str],
        figures: Columns | None = None,
    ) -> None:
        """`figures` are those of another scene with the same stands, which saves working them out."""
        self.scene, self._survey, self._cluster = scene, survey, scene.cluster
        watched = [(rule, rule.keeper(scene)) for rule in rules if not rule.soft]
        self._keepers = [keeper for _, keeper in watched if keeper is not None]
        rules = [rule for rule, keeper in watched if keeper is None]
        self._columns = figures_of(scene, rules) if figures is None else figures.copy(scene)
        self._rows = self._columns.rows
        self._seats = Seats(self._rows)
        counted = {id(room.rule) for room in self._columns.rooms}
        self._others = [rule for rule in rules if id(rule) not in counted and not isinstance(rule, GpuRule)]
        self._open = np.array(sorted(self._columns.index[name] for name in hosts), dtype=np.int64)
        self._kinds = np.array([survey.host(name) for name in self._columns.index], dtype=np.int64)
        self.stands: list[Stand] = []
        self._shares: dict[tuple[int, int], Vector] = {}
        self._losses: list[int] = []

    def fill(self, groups: Sequence[Sequence[str]], fit: Fit, stop: Callable[[], bool]) -> None:
        """Put as many of these VMs as fit, group by group (each of VMs that are alike), until `stop` says so."""
        for names in groups:
            if stop():
                return
            self._put(deque(names), fit, stop)

    def keep(self, stands: Iterable[Stand], stop: Callable[[], bool]) -> None:
        """Put VMs on the hosts of another answer, seated anew, as far as the rules let them."""
        for other in stands:
            if stop():
                return
            self._onto(other.vm, self._columns.index[other.host])

    def _put(self, names: deque[str], fit: Fit, stop: Callable[[], bool]) -> None:
        vm = self._cluster.vms[names[0]]
        if misfit(self._cluster, vm):
            return
        one = simple(vm)
        item = self._rows.item(one[0]) if one is not None and one[1] == 1 else None
        for number in self._ranked(vm, fit):
            while names and self._onto(names[0], number, item):
                names.popleft()
            if not names or stop():
                return

    def _ranked(self, vm: Vm, fit: Fit) -> list[int]:
        """The hosts that have room for a VM as far as amounts and GPUs say, those that suit it best first."""
        hosts = roomy(self._columns, vm, self._open)
        kinds = {int(kind): self._asked(vm, int(kind), int(first)) for kind, first in _firsts(self._kinds, hosts)}
        asked = np.array([kinds[kind] for kind in self._kinds[hosts].tolist()], dtype=np.float64).reshape(-1, 3)
        may = np.isfinite(asked).all(axis=1)
        hosts, asked = hosts[may], asked[may]
        ranked: list[int] = hosts[np.argsort(fit(asked, free(self._columns, hosts)), kind="stable")].tolist()
        return ranked

    def _asked(self, vm: Vm, kind: int, number: int) -> Vector:
        key, host = (self._survey.vm(vm.name), kind), self._columns.hosts[number]
        if key not in self._shares:
            admitted = self._survey.admits(vm.name, host.name)
            self._shares[key] = asked_of(self._cluster, vm, host) if admitted else NOWHERE
        return self._shares[key]

    def _onto(self, name: str, number: int, item: int | None = None) -> bool:
        """Put a VM (which asks for a single `item`, where given) on a host if no rule is against it."""
        columns, vm = self._columns, self._cluster.vms[name]
        if not all(room.lets(vm, number) for room in columns.rooms):
            return False
        host = columns.hosts[number]
        seat = self._seat(vm, host, columns.gpus[number, : len(host.gpus)].tolist(), item)
        if seat is None:
            return False
        stand = Stand(name, host.name, seat[0])
        if self._refused(vm, host, stand) or any(keeper.against(stand) for keeper in self._keepers):
            return False
        self.scene.put(stand)
        for keeper in self._keepers:
            keeper.took()
        self.stands.append(stand)
        columns.refresh(host.name, seat[1])
        return True

    def _seat(self, vm: Vm, host: Host, states: list[int], item: int | None) -> Seat | None:
        """Where the VM strands least of the host's GPUs, of equal ones on the fullest."""
        if not vm.gpus:
            return (), states
        if item is None:
            best = self._seats.best(vm, host, states)
            return None if best is None else (best[1], None)
        rows = self._rows
        turns = [
            (lost[turn.state] - lost[state], lost[state], place, turn)
            for place, state in enumerate(states)
            for turn in rows.turns(item, state)
            for lost in (self._lost(),)
        ]
        if not turns:
            return None
        _, _, place, turn = min(turns, key=lambda found: found[:3])
        states[place] = turn.state
        rows.visit((turn.state,))
        ask = vm.wants[0]
        return (Hold(host.gpus[place].id, turn.sharing, ask.profile, turn.slot, ask.milli),), states

    def _lost(self) -> list[int]:
        """What each state of a GPU strands, times the weights."""
        if len(self._losses) < len(self._rows.states):
            self._losses = self._rows.losses().tolist()
        return self._losses

    def _refused(self, vm: Vm, host: Host, stand: Stand) -> bool:
        """Whether a rule that counts no amounts is against it: only those are asked which the VM concerns."""
        for rule in self._others:
            if rule.concerns(vm):
                adds = rule.adds(self.scene, vm)
                if (rule.why(self.scene, stand) is not None) if adds is None else adds(host):
                    return True
        return False


def _firsts(kinds: Ints, hosts: Ints) -> Iterable[tuple[int, int]]:
    """Each kind among these hosts, with one host of it."""
    found, at = np.unique(kinds[hosts], return_index=True)
    return zip(found.tolist(), hosts[at].tolist(), strict=True)


def asked_of(cluster: Cluster, vm: Vm, host: Host) -> Vector:
    """What a VM takes of a host, in shares of the whole host."""
    gpus = _gpus_asked(cluster, vm, host) / max(1, len(host.gpus))
    memory = vm.memory_mib * (1 if vm.gpus else 1000 / host.memory_ratio_milli)
    return vm.cpu_milli / max(1, host.cpu_room_milli), memory / max(1, host.memory_room_mib), gpus


def _gpus_asked(cluster: Cluster, vm: Vm, host: Host) -> float:
    return sum(
        ask.count
        * min(
            (
                use.share_milli / 1000
                for gpu in {(gpu.make, gpu.sharings): gpu for gpu in host.gpus}.values()
                for sharing in gpu.sharings
                if (use := use_for(cluster, ask, vm.needs, gpu, sharing)) is not None
            ),
            default=1.0,
        )
        for ask in vm.wants
    )
