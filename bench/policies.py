"""The simple online policies that FGD was compared with, as its simulator scores them.

Scores are whole numbers from 0 to 100, cut off as there, because ties are what the nodes' ranks then settle. Devices
are the tightest that have room. Source: github.com/hkust-adsl/kubernetes-scheduler-simulator, pkg/simulator/plugin, and
Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 6.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np

from bench.world import WHOLE, Choice, Ints, Pod, Policy, World, best

MOST_CPU_MILLI = 128_000
MOST_GPU_MILLI = 8_000
"""The largest node of the trace: what the simulator scales CPU and GPU by."""


class Scored(ABC):
    """The node with the best score, and its tightest devices."""

    @abstractmethod
    def score(self, world: World, pod: Pod, nodes: Ints) -> Ints:
        """A score from 0 to 100 for each of these nodes, all of which have room."""

    def choose(self, world: World, pod: Pod) -> Choice | None:
        nodes = world.fits(pod)
        if not len(nodes):
            return None
        node = best(world, nodes, self.score(world, pod, nodes))
        return node, world.tightest(node, pod)


class FirstFit(Scored):
    """The first node, by rank, that has room."""

    def score(self, world: World, pod: Pod, nodes: Ints) -> Ints:
        return np.zeros(len(nodes), dtype=np.int64)


class BestFit(Scored):
    """The node on which least CPU and GPU is left over, each scaled by the largest node's, with equal weight."""

    def __init__(self, most_cpu_milli: int = MOST_CPU_MILLI, most_gpu_milli: int = MOST_GPU_MILLI) -> None:
        self._most_cpu, self._most_gpu = most_cpu_milli, most_gpu_milli

    def score(self, world: World, pod: Pod, nodes: Ints) -> Ints:
        cpu = (world.cpu[nodes] - pod.cpu_milli) / self._most_cpu * 0.5
        gpu = (world.idle[nodes] - pod.demand) / self._most_gpu * 0.5
        return ((1.0 - (cpu + gpu)) * 100).astype(np.int64)


class DotProduct(Scored):
    """The node whose free CPU and GPU have the smallest inner product with what is asked (GPU merged, scaled by the
    largest node's)."""

    def score(self, world: World, pod: Pod, nodes: Ints) -> Ints:
        cpu = world.cpu[nodes] / MOST_CPU_MILLI * (pod.cpu_milli / MOST_CPU_MILLI)
        gpu = world.idle[nodes] / MOST_GPU_MILLI * (pod.demand / MOST_GPU_MILLI)
        return ((1.0 - (cpu + gpu) / 2) * 100).astype(np.int64)


class Packing(Scored):
    """Devices that are shared already come first (the fuller the better), then free devices of nodes in use, then idle
    nodes (the smaller the better). Pods without a GPU go anywhere.
    """

    def score(self, world: World, pod: Pod, nodes: Ints) -> Ints:
        if not pod.gpus:
            return np.zeros(len(nodes), dtype=np.int64)
        free, whole = world.free[nodes], world.whole[nodes]
        used = np.sort(np.where(free >= pod.milli, free, WHOLE), axis=1)[:, : pod.gpus]
        fresh = (used == WHOLE).sum(axis=1)
        shared = 100 - (used * 100 // WHOLE).sum(axis=1) // 10
        on_used = np.where(fresh > 0, np.maximum(50 - fresh, 33), np.maximum(shared, 50))
        return np.where(whole == world.devices[nodes], np.maximum(33 - whole, whole), on_used)


class Clustering(Scored):
    """Nodes that hold only pods of the same kind (a share; one, two ... whole GPUs) come first, then those that hold
    such among others, then nodes without GPU pods, then the rest; the fuller the better. It serves one world, because
    it remembers what it chose.
    """

    def __init__(self) -> None:
        self._kinds: dict[int, set[tuple[int, bool]]] = {}

    def score(self, world: World, pod: Pod, nodes: Ints) -> Ints:
        if not pod.gpus:
            return np.zeros(len(nodes), dtype=np.int64)
        filled = 25 * (MOST_GPU_MILLI - world.idle[nodes]) // MOST_GPU_MILLI
        return filled + np.array([self._tier(node, _kind(pod)) for node in nodes.tolist()], dtype=np.int64)

    def _tier(self, node: int, kind: tuple[int, bool]) -> int:
        kinds = self._kinds.get(node, set())
        if kind in kinds:
            return 75 if len(kinds) == 1 else 50
        return 0 if kinds else 25

    def choose(self, world: World, pod: Pod) -> Choice | None:
        choice = super().choose(world, pod)
        if choice is not None and pod.gpus:
            self._kinds.setdefault(choice[0], set()).add(_kind(pod))
        return choice


def _kind(pod: Pod) -> tuple[int, bool]:
    return pod.gpus, pod.milli < WHOLE


class Random:
    """Any node that has room, and any of its devices."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)

    def choose(self, world: World, pod: Pod) -> Choice | None:
        nodes = world.fits(pod)
        if not len(nodes):
            return None
        node = int(nodes[self._chance.randrange(len(nodes))])
        able = np.flatnonzero(world.free[node] >= pod.milli).tolist() if pod.gpus else []
        return node, tuple(self._chance.sample(able, pod.gpus))


SIMPLE: Mapping[str, Callable[[int], Policy]] = {
    "random": Random,
    "first-fit": lambda seed: FirstFit(),
    "dot-product": lambda seed: DotProduct(),
    "clustering": lambda seed: Clustering(),
    "packing": lambda seed: Packing(),
    "best-fit": lambda seed: BestFit(),
}
"""Name -> a fresh policy for a seed (only `random` has chance in it)."""
