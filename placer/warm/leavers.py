"""The running VMs that may be moved, each with what its host has left once it is gone: in columns, kept up to date host
by host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placer.warm.columns import Bools, Columns
from placer.warm.states import Ints
from placer_models.cluster import Host, Vm
from placer_models.moving import immovable
from placer_models.rules.rule import Rule
from placer_models.scene import Stand


@dataclass(frozen=True)
class _Here:
    """Those on one host: the states of its GPUs without each (a row for each GPU), what the rules of amounts leave, and
    its CPUs and memory.
    """

    stands: tuple[Stand, ...]
    gpus: Ints
    room: Ints
    left: Ints


class Leavers:
    """`stands` are where they stand, `host` the place of each one's host; `gpus` (a row for each GPU) and `left` are
    the states of the host's GPUs and its CPUs and memory without it.
    """

    def __init__(self, columns: Columns, rules: Sequence[Rule]) -> None:
        self._columns, self._rules = columns, rules
        self._rooms = [room for room in columns.rooms if not room.rule.soft]
        self._measures = sum(room.left.shape[1] for room in self._rooms)
        self._seen: Ints = np.full(len(columns.hosts), -1, dtype=np.int64)
        self._here: list[_Here] = [self._of([]) for _ in columns.hosts]
        self.stands: list[Stand] = []

    def refresh(self) -> None:
        """Look again at the hosts that have changed."""
        columns = self._columns
        changed = np.flatnonzero(self._seen != columns.times).tolist()
        if not changed:
            return
        for number in changed:
            self._here[number] = self._on(number)
        self._seen = columns.times.copy()
        self.stands = [stand for here in self._here for stand in here.stands]
        self.host: Ints = np.repeat(np.arange(len(columns.hosts)), [len(here.stands) for here in self._here])
        self.gpus: Ints = np.concatenate([here.gpus for here in self._here], axis=1)
        self._room: Ints = np.concatenate([here.room for here in self._here])
        self.left: Ints = np.concatenate([here.left for here in self._here])

    def _on(self, number: int) -> _Here:
        scene, columns, found = self._columns.scene, self._columns, []
        host, states = columns.hosts[number], columns.by_gpu[:, number].tolist()
        for stand in list(scene.on(host.name)):
            vm = scene.cluster.vms[stand.vm]
            if immovable(scene.cluster, vm, stand) or any(rule.pins(vm) for rule in self._rules):
                continue
            with scene.lifted(stand):
                found.append((stand, self._states(host, stand, states), self._rooms_of(host), self._left_of(host)))
        return self._of(found)

    def _of(self, found: Sequence[tuple[Stand, list[int], list[int], tuple[int, int]]]) -> _Here:
        count = len(found)
        return _Here(
            tuple(stand for stand, *_ in found),
            np.array([states for _, states, *_ in found], dtype=np.int64).reshape(count, len(self._columns.by_gpu)).T,
            np.array([room for _, _, room, _ in found], dtype=np.int64).reshape(count, self._measures),
            np.array([left for *_, left in found], dtype=np.int64).reshape(count, 2),
        )

    def _states(self, host: Host, gone: Stand, states: Sequence[int]) -> list[int]:
        """The states of a host's GPUs, of which only those may differ that a VM held."""
        if not gone.holds:
            return list(states)
        held = {hold.gpu for hold in gone.holds}
        gpus = [gpu for gpu in host.gpus if gpu.id in held]
        new = self._columns.rows.of_gpus(self._columns.scene, host, gpus)
        now = {gpu.id: state for gpu, state in zip(gpus, new, strict=True)}
        known = [now.get(gpu.id, state) for gpu, state in zip(host.gpus, states, strict=False)]
        return [*known, *states[len(known) :]]

    def _rooms_of(self, host: Host) -> list[int]:
        return [left for one in self._rooms for left in one.rule.room(self._columns.scene, host) or ()]

    def _left_of(self, host: Host) -> tuple[int, int]:
        use = self._columns.scene.use(host.name)
        memory = use.gpu_vms_memory_mib + use.other_memory_mib
        return host.cpu_room_milli - use.cpu_milli, host.memory_room_mib - memory

    def room_for(self, vm: Vm) -> Bools:
        """Whose leaving gives another VM room on the host by the rules that count amounts."""
        found: Bools = np.ones(len(self.stands), dtype=np.bool_)
        at = 0
        for room in self._rooms:
            takes = room.rule.takes(vm) if room.rule.concerns(vm) else ()
            for measure, take in enumerate(takes):
                if take > 0:
                    found &= self._room[:, at + measure] >= take
            at += room.left.shape[1]
        return found
