"""The model that people write of a snapshot: whole numbers, rows that hold, and a weighted sum that is to be large.

`by_vm`, as a newcomer writes it: one Boolean for each VM on each host, and one for each of its shares on each GPU.
Else equal VMs are counted: how many of a sort go to a host, and how many of their shares to each of its GPUs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bench.peers.instance import Instance
from bench.world import WHOLE, Choice, Pod

Value = Callable[[int], int]
"""What a number is in a solution."""


@dataclass
class Row:
    """A weighted sum of numbers that is at most `most`."""

    most: int
    numbers: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)

    def add(self, number: int, weight: int) -> None:
        """One more term."""
        self.numbers.append(number)
        self.weights.append(weight)


class Stated:
    """The model: each number is at least 0 and at most `most[number]`; `rows` hold; `value` is what is to be large."""

    def __init__(self, instance: Instance, *, by_vm: bool) -> None:
        self.instance = instance
        self.scale = len(instance.pods) + 1
        """GPU first, then VMs: a thousandth of a GPU weighs more than all VMs."""
        self.most: list[int] = []
        self.rows: list[Row] = []
        self.value: list[tuple[int, int]] = []
        self._here: dict[tuple[Pod, int], int] = {}
        self._shares: dict[int, dict[int, int]] = {}
        self._taken: dict[tuple[int, int], int] = {}
        world = instance.world
        self._cpu = [Row(int(left)) for left in world.cpu]
        self._memory = [Row(int(left)) for left in world.memory]
        self._wholes = [Row(0) for _ in world.models]
        self._devices = [[Row(int(left)) for left in row] for row in world.free]
        self._sorts: dict[Pod, list[str]] = defaultdict(list)
        for pod in instance.pods:
            self._sorts[pod if by_vm else replace(pod, name="")].append(pod.name)
        for sort, names in self._sorts.items():
            self._sort(sort, len(names))
        for node, wholes in enumerate(self._wholes):
            for device, row in enumerate(self._devices[node]):
                if wholes.numbers and row.most == WHOLE:  # all of this free GPU is given away, or nothing
                    taken = self._taken[node, device] = self._number(1)
                    row.add(taken, WHOLE)
                    wholes.add(taken, -1)
        self.rows += [*self._cpu, *self._memory, *self._wholes, *(row for rows in self._devices for row in rows)]
        self.rows = [row for row in self.rows if row.numbers]

    def _number(self, most: int) -> int:
        self.most.append(most)
        return len(self.most) - 1

    def _sort(self, pod: Pod, count: int) -> None:
        together = Row(count)
        for node in self.instance.world.fits(pod).tolist():
            here = self._here[pod, node] = self._number(count)
            together.add(here, 1)
            self._cpu[node].add(here, pod.cpu_milli)
            self._memory[node].add(here, pod.memory_mib)
            self.value.append((here, pod.demand * self.scale + 1))
            if pod.milli == WHOLE:
                self._wholes[node].add(here, pod.gpus)
            elif pod.gpus:
                self._shared(pod, node, here, count)
        self.rows.append(together)

    def _shared(self, pod: Pod, node: int, here: int, count: int) -> None:
        needs = Row(0)
        needs.add(here, pod.gpus)
        self._shares[here] = {}
        for device, row in enumerate(self._devices[node]):
            if row.most >= pod.milli:
                share = self._shares[here][device] = self._number(min(count, row.most // pod.milli))
                row.add(share, pod.milli)
                needs.add(share, -1)
                if pod.gpus > 1 and count > 1:  # shares of one VM are on different GPUs
                    once = Row(0)
                    once.add(share, 1)
                    once.add(here, -1)
                    self.rows.append(once)
        self.rows.append(needs)

    def choices(self, value: Value) -> dict[str, Choice]:
        """What a solution says: which of equal VMs goes where is nobody's concern."""
        found: dict[str, Choice] = {}
        free = [[device for device, row in enumerate(rows) if row.most == WHOLE] for rows in self._devices]
        waiting = {sort: list(reversed(names)) for sort, names in self._sorts.items()}
        wholes: list[tuple[str, Pod, int]] = []
        for (pod, node), here in self._here.items():
            left = {device: value(share) for device, share in self._shares.get(here, {}).items()}
            for _ in range(value(here)):
                name = waiting[pod].pop()
                if pod.milli == WHOLE:
                    wholes.append((name, pod, node))
                    continue
                fullest = sorted(left, key=lambda device: -left[device])[: pod.gpus]  # so that one VM's differ
                for device in fullest:
                    left[device] -= 1
                free[node] = [device for device in free[node] if device not in fullest]
                found[name] = node, tuple(fullest)
        for name, pod, node in wholes:
            found[name] = node, tuple(free[node][: pod.gpus])
            del free[node][: pod.gpus]
        return found

    def values(self, choices: Mapping[str, Choice]) -> list[int]:
        """The solution that says these choices."""
        found = [0] * len(self.most)
        for sort, names in self._sorts.items():
            for node, devices in (choices[name] for name in names if name in choices):
                here = self._here[sort, node]
                found[here] += 1
                for device in devices:
                    found[self._taken[node, device] if sort.milli == WHOLE else self._shares[here][device]] += 1
        return found

    def bound(self, value: float) -> int | None:
        """What a bound on the weighted sum says of what is compared."""
        if not math.isfinite(value):
            return None
        most = math.floor(value + 1e-6 * max(1.0, abs(value) / 1e6))
        return most // self.scale if self.instance.by_gpu else most
