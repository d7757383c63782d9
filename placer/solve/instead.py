"""Whose places would do for whom: VMs that ask for the same but take no more.

With it a column speaks for all those in which smaller VMs stand instead, so far fewer are needed, and a smaller VM's
place is never worth more than a larger one's (Valerio de Carvalho, "Using extra dual cuts to accelerate column
generation", 2005).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from placer_models.cluster import Vm
from placer_models.rules.gpu import GpuRule
from placer_models.rules.rule import Rule
from placer_models.scene import Scene

MOST = 1_000
"""Classes that are told apart by amounts alone at most: to compare more takes longer than it saves."""

Pairs = tuple[tuple[int, int], ...]
"""Two classes of VMs each: a place for the first would do for the second."""


def instead(vms: Sequence[Vm], rules: Sequence[Rule], scene: Scene) -> Pairs:
    """The pairs among these VMs (by their numbers) that imply all others: wherever the first of a pair may be, beside
    whomever, the second may be instead. They are told apart by amounts alone, of which the second takes no more.
    """
    hosts = scene.cluster.hosts.values()
    counted = [rule for rule in rules if hosts and all(rule.room(scene, host) is not None for host in hosts)]
    known = set(map(id, counted))
    others = [rule for rule in rules if id(rule) not in known and not isinstance(rule, GpuRule)]
    sorts: dict[Hashable, list[int]] = defaultdict(list)
    for number, vm in enumerate(vms):
        concerned = tuple(rule.concerns(vm) for rule in counted)
        sorts[vm.wants, vm.needs, concerned, *(rule.vm_key(vm) for rule in others)].append(number)
    return tuple(pair for some in sorts.values() if len(some) <= MOST for pair in _covering(some, vms, counted))


def _covering(numbers: Sequence[int], vms: Sequence[Vm], rules: Sequence[Rule]) -> list[tuple[int, int]]:
    """Of classes that differ by amounts: each with those that take no more, unless by way of a third."""
    takes = np.array(
        [[amount for rule in rules if rule.concerns(vms[n]) for amount in rule.takes(vms[n])] for n in numbers]
    ).reshape(len(numbers), -1)
    less = (takes[None, :, :] <= takes[:, None, :]).all(axis=2)  # the second takes no more than the first
    alike = less & less.T
    less &= ~(alike & np.tri(len(numbers), dtype=np.bool_))  # of those that take the same, the first stands for both
    np.fill_diagonal(less, False)
    covering = less & ~((less.astype(np.float32) @ less.astype(np.float32)) > 0)
    return [(numbers[first], numbers[second]) for first, second in np.argwhere(covering).tolist()]
