"""Where there is room, said for all hosts at once: by rules that count amounts, and by the states that GPUs are in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from placer.warm.columns import Columns
from placer.warm.rows import Rows
from placer.warm.seats import simple
from placer.warm.states import Ints
from placer_models.cluster import Vm
from placer_models.goals.stranded import typical_asks
from placer_models.rules.rule import Rule
from placer_models.scene import Scene

Vectors = npt.NDArray[np.float64]
"""Shares of a host's CPUs, memory and GPUs in each row."""

MANY = 2**40
"""More VMs than anybody has."""


def figures_of(scene: Scene, rules: Sequence[Rule]) -> Columns:
    """The figures of every host in a scene, for the rules that must hold and that need nobody's watch."""
    rows = Rows(scene.cluster)
    for ask, needs, times in typical_asks(scene.cluster):
        rows.expect((ask, needs), times)
    return Columns(scene, [rule for rule in rules if not rule.soft and rule.keeper(scene) is None], rows)


def roomy(figures: Columns, vm: Vm, hosts: Ints) -> Ints:
    """Those of some hosts (by number) where nothing that is counted is against a VM: on all others it has no room as
    long as nobody leaves.
    """
    return hosts[most_alone(figures, vm, hosts) > 0]


def most_alone(figures: Columns, vm: Vm, hosts: Ints) -> Ints:
    """How many VMs like this one each of these hosts (by number) takes at most, by what is counted there."""
    most: Ints = np.full(len(hosts), MANY, dtype=np.int64)
    for room in figures.rooms:
        if room.rule.concerns(vm):
            for measure, take in enumerate(room.rule.takes(vm)):
                if take > 0:
                    most = np.minimum(most, np.maximum(0, room.left[hosts, measure]) // take)
    one = simple(vm)
    if one is not None:
        item, count = one
        takes = figures.rows.room(figures.rows.item(item))
        most = np.minimum(most, takes[figures.gpus[hosts]].sum(axis=1) // count)
    return most


def free(figures: Columns, hosts: Ints) -> Vectors:
    """What these hosts (by number) have free, in shares of the whole host."""
    used = figures.rows.used()
    width = np.maximum(1, (figures.gpus[hosts] > 0).sum(axis=1))
    most = figures.most[:, hosts]
    given = (most - figures.left[:, hosts]) / np.maximum(most, 1)
    return np.column_stack((*(1 - given), 1 - used[figures.gpus[hosts]].sum(axis=1) / 1000 / width))
