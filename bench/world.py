"""A small world of nodes and GPU devices for online policies: what is free, what fits, and nothing given twice.

The words are the trace's: a node has devices, a pod asks for CPU, memory and a share of one device or whole devices.
Amounts are whole: thousandths of a CPU, MiB, thousandths of a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Choice = tuple[int, tuple[int, ...]]
"""A node and its devices that a pod gets."""

WHOLE = 1000


@dataclass(frozen=True, slots=True)
class Pod:
    """One arrival: `gpus` different devices with `milli` thousandths of each; `models` are those that it accepts."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int = 0
    milli: int = 0
    models: frozenset[str] | None = None

    @property
    def demand(self) -> int:
        """Thousandths of a GPU that it asks for in all."""
        return self.gpus * self.milli


class World:
    """What is free on each node. `rank` settles ties: the lowest first (default: the order of the nodes).

    `free[n, d]` is what device d of node n has left; a device that a node does not have has nothing. `changed[n]` grows
    whenever node n changes, so that whoever remembers a figure of it knows when it is stale.
    """

    def __init__(
        self,
        cpu_milli: Sequence[int],
        memory_mib: Sequence[int],
        devices: Sequence[Sequence[int]],
        models: Sequence[str],
        rank: Sequence[int] | None = None,
    ) -> None:
        size = len(models)
        self.cpu: Ints = np.array(cpu_milli, dtype=np.int64)
        self.memory: Ints = np.array(memory_mib, dtype=np.int64)
        self.models = tuple(models)
        self.rank: Ints = np.array(range(size) if rank is None else rank, dtype=np.int64)
        self.devices: Ints = np.array([len(row) for row in devices], dtype=np.int64)
        self.free: Ints = np.zeros((size, max(1, int(self.devices.max(initial=0)))), dtype=np.int64)
        for node, row in enumerate(devices):
            self.free[node, : len(row)] = row
        self.idle: Ints = self.free.sum(axis=1)
        self.largest: Ints = self.free.max(axis=1)
        self.whole: Ints = (self.free == WHOLE).sum(axis=1)
        self.changed: Ints = np.ones(size, dtype=np.int64)
        self._time = 1
        self._accepted: dict[frozenset[str], Bools] = {}

    def accepted(self, models: frozenset[str]) -> Bools:
        """Which nodes have one of these models."""
        mask = self._accepted.get(models)
        if mask is None:
            mask = self._accepted[models] = np.array([model in models for model in self.models], dtype=np.bool_)
        return mask

    def fits(self, pod: Pod) -> Ints:
        """The nodes on which there is room for a pod."""
        room: Bools = (self.cpu >= pod.cpu_milli) & (self.memory >= pod.memory_mib)
        if pod.gpus:
            if pod.milli == WHOLE:
                room &= self.whole >= pod.gpus
            elif pod.gpus == 1:
                room &= self.largest >= pod.milli
            else:
                room &= (self.free >= pod.milli).sum(axis=1) >= pod.gpus
            if pod.models is not None:
                room &= self.accepted(pod.models)
        return np.flatnonzero(room)

    def tightest(self, node: int, pod: Pod) -> tuple[int, ...]:
        """The devices of a node that have room for a pod and least beyond it; of equals the first."""
        if not pod.gpus:
            return ()
        free = self.free[node].tolist()
        able = [device for device, left in enumerate(free) if left >= pod.milli]
        return tuple(sorted(able, key=lambda device: (free[device], device))[: pod.gpus])

    def place(self, pod: Pod, node: int, devices: Sequence[int]) -> None:
        """Give a pod its part of a node. Raises ValueError, and changes nothing, where a limit would break."""
        wrong_model = pod.gpus and pod.models is not None and self.models[node] not in pod.models
        if len(set(devices)) != pod.gpus or len(devices) != pod.gpus or wrong_model:
            raise ValueError(f"{pod.name} asks for other devices than {list(devices)} of node {node}")
        if pod.cpu_milli > self.cpu[node] or pod.memory_mib > self.memory[node]:
            raise ValueError(f"{pod.name} asks for more CPU or memory than node {node} has left")
        if any(pod.milli > self.free[node, device] for device in devices):
            raise ValueError(f"{pod.name} asks for more of a device than node {node} has left")
        self._take(pod, node, devices, 1)

    def release(self, pod: Pod, node: int, devices: Sequence[int]) -> None:
        """Take back what `place` gave."""
        self._take(pod, node, devices, -1)

    def _take(self, pod: Pod, node: int, devices: Sequence[int], sign: int) -> None:
        self.cpu[node] -= sign * pod.cpu_milli
        self.memory[node] -= sign * pod.memory_mib
        for device in devices:
            self.free[node, device] -= sign * pod.milli
        row = self.free[node]
        self.idle[node] = row.sum()
        self.largest[node] = row.max()
        self.whole[node] = (row == WHOLE).sum()
        self._time += 1
        self.changed[node] = self._time


class Policy(Protocol):
    """Decides for one pod at a time. What it chooses is then placed by whoever asked."""

    def choose(self, world: World, pod: Pod) -> Choice | None:
        """The node and devices for a pod, or None where it fits nowhere."""


def best(world: World, nodes: Ints, scores: npt.NDArray[np.int64 | np.int16]) -> int:
    """The node with the highest score; of equals the one with the lowest rank."""
    top = nodes[scores == scores.max()]
    return int(top[world.rank[top].argmin()])
