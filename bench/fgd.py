"""FGD: fragmentation gradient descent, the best published online policy on the openb trace.

Of a typical mix of pod shapes, a shape that a node could take can use the devices which have room for one of its parts;
the rest of what is idle on the node is a fragment to it, and all of it is where the node could not take the shape (a
shape without a GPU can never use any). A node's fragmentation F is the mean over the mix. A pod goes where F grows
least: score = floor(100 x sigmoid((F before - F after) / 1000)), for a share the best over the devices; of equal scores
the node of the lowest rank. The rounding is part of the policy: without it the allocation is a point and more lower.

The mix is the most frequent shapes (CPU, GPU share, number, accepted models; not memory) that cover 95 % of the pods.
F is kept as a whole number of pods x thousandths, so that no rounding of sums decides a tie.

Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023; github.com/hkust-adsl/kubernetes-scheduler-simulator (pkg/utils/frag.go, plugin/fgd_score.go).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.world import WHOLE, Choice, Ints, Pod, World, best

COVER = 0.95
MOST_AT_ONCE = 4096
"""Nodes scored in one go: bounds the memory of the intermediate arrays."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What FGD tells pods apart by."""

    cpu_milli: int
    milli: int
    gpus: int
    models: frozenset[str] | None = None

    @classmethod
    def of(cls, pod: Pod) -> Shape:
        """A pod's shape."""
        return cls(pod.cpu_milli, pod.milli if pod.gpus else 0, pod.gpus, pod.models if pod.gpus else None)

    @property
    def key(self) -> tuple[int, int, int, list[str]]:
        """What orders shapes that are equally frequent."""
        return self.cpu_milli, self.milli, self.gpus, sorted(self.models or ())


def typical(pods: Iterable[Pod], cover: float = COVER) -> list[tuple[Shape, int]]:
    """The most frequent shapes that cover so much of the pods, with how many pods each has."""
    counted = Counter(map(Shape.of, pods))
    found: list[tuple[Shape, int]] = []
    left = cover * counted.total()
    for shape, count in sorted(counted.items(), key=lambda item: (item[1], item[0].key), reverse=True):
        if left <= 0:
            break
        found.append((shape, count))
        left -= count
    return found


class Fragments:
    """F of nodes for a mix of shapes, in pods x thousandths of a GPU (divide by `total` for thousandths)."""

    def __init__(self, mix: Sequence[tuple[Shape, int]], world: World) -> None:
        with_gpu = [(shape, count) for shape, count in mix if shape.gpus]
        self.total = sum(count for _, count in mix)
        self.levels: Ints = np.array(sorted({shape.milli for shape, _ in with_gpu}), dtype=np.int64)
        self.level: Ints = np.searchsorted(self.levels, [shape.milli for shape, _ in with_gpu])
        self.gpus: Ints = np.array([shape.gpus for shape, _ in with_gpu], dtype=np.int64)
        self.cpu: Ints = np.array([shape.cpu_milli for shape, _ in with_gpu], dtype=np.int64)
        self.count: Ints = np.array([count for _, count in with_gpu], dtype=np.int64)
        anywhere = np.ones(len(world.models), dtype=np.bool_)
        masks = [anywhere if shape.models is None else world.accepted(shape.models) for shape, _ in with_gpu]
        self.accepted = np.array(masks, dtype=np.bool_).reshape(len(masks), len(world.models)).T

    def of(self, nodes: Ints, free: Ints, cpu: Ints) -> Ints:
        """F of each of these nodes if its devices had `free[i]` left and its CPUs `cpu[i]`."""
        idle = free.sum(axis=1)
        enough = free[:, :, None] >= self.levels
        able = enough.sum(axis=1)[:, self.level] >= self.gpus
        able &= cpu[:, None] >= self.cpu
        able &= self.accepted[nodes]
        usable = (free[:, :, None] * enough).sum(axis=1)[:, self.level]
        fragments: Ints = idle * self.total - np.where(able, usable, 0) @ self.count
        return fragments


class Fgd:
    """Fragmentation gradient descent for a known mix of shapes; remembers the scores of nodes that have not changed."""

    def __init__(self, mix: Sequence[tuple[Shape, int]]) -> None:
        self._mix = list(mix)
        self._world: World | None = None
        self._rows: dict[Shape, int] = {}

    def choose(self, world: World, pod: Pod) -> Choice | None:
        if self._world is not world:
            self._forget(world)
        nodes = world.fits(pod)
        if not len(nodes):
            return None
        shape = Shape.of(pod)
        row = self._row(shape)
        seen, scores = self._seen[row], self._scores[row]
        stale = nodes[seen[nodes] != world.changed[nodes]]
        for start in range(0, len(stale), MOST_AT_ONCE):
            some = stale[start : start + MOST_AT_ONCE]
            scores[some], self._devices[row][some] = self._score(world, shape, some)
            seen[some] = world.changed[some]
        node = best(world, nodes, scores[nodes])
        if pod.gpus == 1 and pod.milli < WHOLE:
            return node, (int(self._devices[row][node]),)
        return node, world.tightest(node, pod)

    def _forget(self, world: World) -> None:
        self._world = world
        self._fragments = Fragments(self._mix, world)
        self._rows.clear()
        self._seen: list[Ints] = []
        self._scores: list[npt.NDArray[np.int16]] = []
        self._devices: list[npt.NDArray[np.int16]] = []

    def _row(self, shape: Shape) -> int:
        if shape not in self._rows:
            self._rows[shape] = len(self._seen)
            size = len(self._world.models) if self._world else 0
            self._seen.append(np.zeros(size, dtype=np.int64))
            self._scores.append(np.zeros(size, dtype=np.int16))
            self._devices.append(np.zeros(size, dtype=np.int16))
        return self._rows[shape]

    def _score(self, world: World, shape: Shape, nodes: Ints) -> tuple[Ints, Ints]:
        """Scores of these nodes for a shape, and for a share the best device of each."""
        free, cpu = world.free[nodes], world.cpu[nodes] - shape.cpu_milli
        before = self._fragments.of(nodes, free, world.cpu[nodes])
        size, width = free.shape
        if not (shape.gpus == 1 and shape.milli < WHOLE):
            after = self._fragments.of(nodes, _without(free, shape), cpu)
            return self._points(before - after), np.zeros(size, dtype=np.int64)
        node, device = np.nonzero(free >= shape.milli)
        tried = free[node]
        tried[np.arange(len(node)), device] -= shape.milli
        points = np.full((size, width), -1, dtype=np.int64)
        points[node, device] = self._points(before[node] - self._fragments.of(nodes[node], tried, cpu[node]))
        return points.max(axis=1), points.argmax(axis=1)

    def _points(self, better: Ints) -> Ints:
        gain = better / (self._fragments.total * 1000)
        return (1.0 / (1.0 + np.exp(-gain)) * 100).astype(np.int64)


def _without(free: Ints, shape: Shape) -> Ints:
    """What is left of the devices when a shape takes the tightest that have room."""
    if not shape.gpus:
        return free
    order = np.argsort(np.where(free >= shape.milli, free, WHOLE + 1), axis=1, kind="stable")[:, : shape.gpus]
    left = free.copy()
    np.put_along_axis(left, order, np.take_along_axis(free, order, axis=1) - shape.milli, axis=1)
    return left
