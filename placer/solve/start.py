"""First answers: VMs are put where they fit, kind by kind, in the milliseconds that a search takes to begin.

Hosts that are alike stay together in a pack: what fits on one of them fits on each, so a kind of VMs is tried once
for a pack and not once for a host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from placer.judge.check import broken, worse
from placer.solve.survey import Survey, transferred
from placer_models.cluster import Cluster, Host, Vm
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import held, stand_on, use_for, use_of

Vector = tuple[float, float, float]
"""Shares of a host's CPUs, memory and GPUs."""

Vectors = npt.NDArray[np.float64]
"""A vector in each row."""

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


SLACK = 0.01
"""How far shares may be off for their rounding before a VM is not even tried on a host."""

NOWHERE: Vector = (math.inf, math.inf, math.inf)
"""Asked by a VM of a host where it may not stand."""

FITS: tuple[Fit, ...] = (tight, aligned, lopsided)


@dataclass
class Pack:
    """Hosts that are alike, what each of them has free, their kind, and what their GPUs hold."""

    hosts: list[str]
    free: Vector
    kind: int
    gpus: Hashable


class Start:
    """One first answer, built up in `scene` (a scene of its own). `stands` are in the order in which they came."""

    def __init__(self, scene: Scene, survey: Survey, rules: Sequence[Rule], hosts: Sequence[str]) -> None:
        self.scene, self._survey, self._cluster = scene, survey, scene.cluster
        hard = [rule for rule in rules if not rule.soft]
        watched = [(rule, rule.keeper(scene)) for rule in hard]
        self._keepers = [keeper for _, keeper in watched if keeper is not None]
        self._rules = [rule for rule, keeper in watched if keeper is None]
        self._alone = not all(rule.by_host for rule in hard)
        self._before = {name: broken(scene, self._rules, (name,)) for name in hosts}
        groups = [[name] for name in hosts] if self._alone else survey.alike(scene, hosts)
        self._packs = [self._pack(list(names)) for names in groups]
        self.stands: list[Stand] = []
        self._shares: dict[tuple[int, int], Vector] = {}
        self._seated: dict[Hashable, bool] = {}

    def fill(self, groups: Sequence[Sequence[str]], fit: Fit, stop: Callable[[], bool]) -> None:
        """Put as many of these VMs as fit, group by group (each of VMs that are alike), until `stop` says so."""
        for names in groups:
            if stop():
                return
            self._put(list(names), fit)

    def _pack(self, hosts: list[str]) -> Pack:
        host = self._cluster.hosts[hosts[0]]
        kind = self._survey.host(host.name)
        gpus = tuple((self.scene.sharing(host.name, gpu), held(self.scene, host, gpu)) for gpu in host.gpus)
        return Pack(hosts, free_on(self.scene, host.name), kind, (kind, gpus))

    def keep(self, stands: Iterable[Stand], stop: Callable[[], bool]) -> None:
        """Put VMs on the hosts of another answer, seated anew, as far as the rules let them (no hosts may be alike)."""
        for other in stands:
            if stop():
                break
            stand = self._stand(other.vm, other.host)
            if stand is not None:
                self._start(stand)
                self.stands.append(stand)
        self._packs = [self._pack(pack.hosts) for pack in self._packs]

    def _start(self, stand: Stand) -> None:
        self.scene.put(stand)
        for keeper in self._keepers:
            keeper.took()

    def _put(self, names: list[str], fit: Fit) -> None:
        vm = self._cluster.vms[names[0]]
        for pack in self._ranked(vm, fit):
            if self._seats(vm, pack):
                while names and pack.hosts and self._onto(pack, names):
                    pass
            if not names:
                break
        self._packs = [pack for pack in self._packs if pack.hosts]

    def _ranked(self, vm: Vm, fit: Fit) -> list[Pack]:
        """The packs that may have room for a VM, those that suit it best first."""
        packs = self._packs
        if not packs:
            return []
        shares: dict[int, Vector | None] = {}
        for pack in packs:
            if pack.kind not in shares:
                host = self._cluster.hosts[pack.hosts[0]]
                shares[pack.kind] = self._asked(vm, host) if self._survey.admits(vm.name, host.name) else None
        asked = np.array([shares[pack.kind] or NOWHERE for pack in packs])
        free = np.array([pack.free for pack in packs])
        open_ = np.flatnonzero((asked <= free + SLACK).all(axis=1))
        order = np.argsort(fit(asked[open_], free[open_]), kind="stable")
        return [packs[number] for number in open_[order]]

    def _seats(self, vm: Vm, pack: Pack) -> bool:
        """Whether a VM's GPUs find a seat on the hosts of a pack: looked up once for all GPUs that hold the same."""
        if not vm.gpus:
            return True
        key = vm.wants, vm.needs, pack.gpus
        if key not in self._seated:
            self._seated[key] = stand_on(self.scene, vm, self._cluster.hosts[pack.hosts[0]]) is not None
        return self._seated[key]

    def _asked(self, vm: Vm, host: Host) -> Vector:
        key = (self._survey.vm(vm.name), self._survey.host(host.name))
        if key not in self._shares:
            self._shares[key] = asked_of(self._cluster, vm, host)
        return self._shares[key]

    def _onto(self, pack: Pack, names: list[str]) -> bool:
        """Fill one host of a pack with these VMs, then as many of the others as can be filled just so."""
        host = pack.hosts[0]
        placed: list[Stand] = []
        while names and (stand := self._stand(names[0], host)) is not None:
            self._start(stand)
            placed.append(stand)
            names.pop(0)
        if not placed:
            return False
        filled = [host]
        while not self._alone and len(names) >= len(placed) and len(filled) < len(pack.hosts):
            other = pack.hosts[len(filled)]
            for stand in placed:
                moved = transferred(self._cluster, stand, names.pop(0), other)
                self.scene.put(moved)
                self.stands.append(moved)
            filled.append(other)
        self.stands.extend(placed)
        pack.hosts = pack.hosts[len(filled) :]
        self._packs.append(self._pack(filled))
        return True

    def _stand(self, name: str, host: str) -> Stand | None:
        stand = stand_on(self.scene, self._cluster.vms[name], self._cluster.hosts[host])
        if stand is None:
            return None
        with self.scene.trial(stand):
            bad = worse(self._rules, self._before[host], broken(self.scene, self._rules, (host,)))
        return None if bad or any(keeper.against(stand) for keeper in self._keepers) else stand


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
                for gpu in {(gpu.model, gpu.mode, gpu.sharings): gpu for gpu in host.gpus}.values()
                for sharing in gpu.sharings
                if (use := use_for(cluster, ask, vm.needs, gpu, sharing)) is not None
            ),
            default=1.0,
        )
        for ask in vm.wants
    )


def free_on(scene: Scene, name: str) -> Vector:
    """What a host has free, in shares of the whole host."""
    host, use = scene.cluster.hosts[name], scene.use(name)
    room = host.memory_room_mib
    memory = use.gpu_vms_memory_mib + use.other_memory_mib * 1000 / host.memory_ratio_milli
    held = sum(
        taken.share_milli / 1000
        for gpu in host.gpus
        for _, hold in scene.holders(name, gpu.id)
        if (taken := use_of(scene.cluster, gpu, hold)) is not None
    )
    return (
        1 - use.cpu_milli / max(1, host.cpu_room_milli),
        1 - memory / max(1, room),
        1 - held / max(1, len(host.gpus)),
    )
