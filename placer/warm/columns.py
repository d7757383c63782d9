"""Figures of every host in columns, kept up to date host by host."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from placer.warm.rows import Rows
from placer.warm.states import Ints
from placer_models.cluster import Host, Vm
from placer_models.goals.balance import fullness
from placer_models.rules.rule import Rule
from placer_models.scene import Scene

Bools = npt.NDArray[np.bool_]


@dataclass
class Room:
    """What a rule that counts amounts leaves on each host, by its measures."""

    rule: Rule
    left: Ints

    def narrow(self, vm: Vm, hosts: Bools) -> None:
        """Leave of some hosts those on which the rule lets a VM in."""
        for measure, take in enumerate(self.rule.takes(vm)):
            if take > 0:
                hosts &= self.left[:, measure] >= take

    def lets(self, vm: Vm, number: int) -> bool:
        """Whether the rule lets a VM in on one host."""
        if not self.rule.concerns(vm):
            return True
        left = self.left[number].tolist()
        return all(take <= 0 or take <= free for take, free in zip(self.rule.takes(vm), left, strict=True))

    def added(self, vm: Vm, hosts: Ints) -> Ints:
        """By how much the VM would add to the rule's breaches on each of these hosts."""
        total = np.zeros(len(hosts), dtype=np.int64)
        for measure, take in enumerate(self.rule.takes(vm)):
            left = self.left[hosts, measure]
            total += np.maximum(0, take - left) - np.maximum(0, -left)
        return total


class Columns:
    """`rooms` for each rule that counts amounts, `gpus` the state of each GPU (0: there is none), `up`, what there is
    at `most` and what is `left` of CPUs (a row of thousandths) and of memory (a row of MiB), how `full` each host is by
    that, and at which of the `looks` at hosts it was looked at last (`times`). `by_gpu` is `gpus` the other way round,
    as it lies in memory: what is looked up for each GPU and then summed over a host's few GPUs is summed over long
    rows.
    """

    def __init__(self, scene: Scene, rules: Sequence[Rule], rows: Rows) -> None:
        self.scene, self.rows = scene, rows
        self.hosts: list[Host] = list(scene.cluster.hosts.values())
        self.index = {host.name: i for i, host in enumerate(self.hosts)}
        self.rooms: list[Room] = []
        for rule in rules:
            left = [room for host in self.hosts if (room := rule.room(scene, host)) is not None]
            if left:
                self.rooms.append(Room(rule, np.array(left, dtype=np.int64, order="F")))
        width = max((len(host.gpus) for host in self.hosts), default=0)
        self.by_gpu: Ints = np.zeros((width, len(self.hosts)), dtype=np.int64)
        self._tally: Ints = np.zeros(256, dtype=np.int64)
        """How many GPUs of hosts that are up are in each state."""
        self.up: Ints = np.zeros(len(self.hosts), dtype=np.int64)
        self.most: Ints = np.zeros((2, len(self.hosts)), dtype=np.int64)
        self.left: Ints = np.zeros((2, len(self.hosts)), dtype=np.int64)
        self.full: Ints = np.zeros(len(self.hosts), dtype=np.int64)
        self.looks = 0
        self.times: Ints = np.zeros(len(self.hosts), dtype=np.int64)
        self._calm: tuple[int, Ints] = -1, self.left
        """How full the fullest host is, and how much more of CPUs and memory (a row each) others take until then."""
        self._stranded: tuple[int, int] | None = None
        """What all strand, as of so many changes of the weights."""
        for number in range(len(self.hosts)):
            self._take(number)

    @property
    def gpus(self) -> Ints:
        """The state of each GPU, a row for each host."""
        return self.by_gpu.T

    def copy(self, scene: Scene) -> Columns:
        """The same figures for a scene of its own, in which the same VMs stand."""
        other = copy.copy(self)
        other.scene, other.hosts = scene, list(self.hosts)
        other.rooms = [Room(room.rule, room.left.copy()) for room in self.rooms]
        for name in ("by_gpu", "up", "most", "left", "full", "times", "_tally"):
            setattr(other, name, getattr(self, name).copy())
        other._calm = -1, other.left
        return other

    def refresh(self, name: str, states: Sequence[int] | None = None) -> None:
        """Look at a host again: who stands on it has changed, or the host itself. `states` are those of its GPUs, where
        they are known.
        """
        number = self.index[name]
        host = self.hosts[number] = self.scene.cluster.hosts[name]
        for room in self.rooms:
            room.left[number] = room.rule.room(self.scene, host) or ()
        self._take(number, states)

    def _take(self, number: int, states: Sequence[int] | None = None) -> None:
        host = self.hosts[number]
        use = self.scene.use(host.name)
        self._count(number, -1)
        self.by_gpu[: len(host.gpus), number] = self.rows.of_host(self.scene, host) if states is None else states
        self.up[number] = host.state == "up"
        self._count(number, 1)
        most = host.cpu_room_milli, host.memory_room_mib
        self.most[:, number] = most
        self.left[:, number] = most[0] - use.cpu_milli, most[1] - use.gpu_vms_memory_mib - use.other_memory_mib
        full, spare = self._calm
        if full >= 0:
            spare[:, number] = self._spare(full, self.left[:, number], self.most[:, number])
        self.full[number] = fullness(self.scene, host)
        self.looks += 1
        self.times[number] = self.looks
        self._stranded = None

    def _count(self, number: int, times: int) -> None:
        if self.up[number]:
            self._grow()
            for state in self.by_gpu[:, number].tolist():
                self._tally[state] += times

    def _grow(self) -> None:
        if len(self._tally) < len(self.rows.states):
            self._tally = np.concatenate([self._tally, np.zeros(len(self.rows.states), dtype=np.int64)])

    def fullest(self, hosts: Ints, vm: Vm) -> Ints:
        """How full the fullest of all hosts would be with a VM more on each of these, as goal `balance` counts it."""
        now = self.fullest_now
        if self._calm[0] != now:
            self._calm = now, self._spare(now, self.left, self.most)
        spare = self._calm[1]
        calm = (spare[0] >= 1000 * vm.cpu_milli) & (spare[1] >= 1000 * vm.memory_mib)
        found: Ints = np.full(len(hosts), now, dtype=np.int64)
        fuller: Ints = (~calm[hosts]).nonzero()[0]
        if len(fuller):
            most = self.most[:, hosts[fuller]]
            given = most - self.left[:, hosts[fuller]] + np.array([[vm.cpu_milli], [vm.memory_mib]])
            shares = np.where(most > 0, -(-1000 * given // np.maximum(most, 1)), 0)
            found[fuller] = np.maximum(now, shares.max(axis=0))
        return found

    @staticmethod
    def _spare(full: int, left: Ints, most: Ints) -> Ints:
        """How many thousandths more of CPUs and memory may be taken until hosts are so full."""
        return 1000 * left - (1000 - full) * most

    @property
    def fullest_now(self) -> int:
        """How full the fullest host is."""
        return int(np.maximum.reduce(self.full, initial=0))

    def lost(self) -> int:
        """What all GPUs of hosts that are up strand, times the weights."""
        if self._stranded is None or self._stranded[0] != self.rows.changes:
            losses = self.rows.losses()
            self._grow()
            self._stranded = self.rows.changes, int(losses @ self._tally[: len(losses)])
        return self._stranded[1]
