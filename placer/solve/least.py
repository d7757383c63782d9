"""What a host has, and what a VM takes of it at least, whichever host it is: what cuts and bounds add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from placer_models.cluster import Ask, Cluster, Host, Vm
from placer_models.gpus import SHARINGS, GpuModel, Sharing, Use

PARTS = 10_080
"""Parts of a GPU: rows of up to ten units, and of 12, 14, 16, 18, 20, ..., are whole numbers of them."""


class Resource(NamedTuple):
    """What a host has room for, and what a VM takes of that at least."""

    name: str
    room: Callable[[Host], int]
    amount: Callable[[Vm], int]


def resources_of(cluster: Cluster) -> tuple[Resource, ...]:
    """CPUs, memory (whatever the hosts' memory ratios) and, where there are any, GPUs."""
    models = {cluster.catalogue.find(gpu.model) for host in cluster.hosts.values() for gpu in host.gpus}
    cpus = Resource("cpus", lambda host: host.cpu_room_milli, lambda vm: vm.cpu_milli)
    memory = Resource(
        "memory", lambda host: host.memory_room_mib * host.memory_ratio_milli, lambda vm: vm.memory_mib * 1000
    )
    if not models:
        return cpus, memory

    @cache
    def parts(ask: Ask) -> int:
        return ask.count * min((part for model in models for part in _parts(model, ask)), default=PARTS)

    return cpus, memory, Resource("gpus", lambda host: PARTS * len(host.gpus), lambda vm: sum(map(parts, vm.wants)))


def _parts(model: GpuModel, ask: Ask) -> Iterator[int]:
    """What one item of an ask takes of a GPU of this model, sharing by sharing: its units' part of the row, or one of
    as many as there may be where all are of one size.
    """
    for sharing in SHARINGS if not ask.whole else ():
        use = model.use(sharing, profile=ask.profile, milli=ask.milli)
        if use is not None:
            yield part_of(model, use, sharing)


def part_of(model: GpuModel, use: Use, sharing: Sharing) -> int:
    """How many parts of a GPU one item takes in a sharing."""
    return PARTS * use.units // (model.row_units(sharing) if use.lock is None else len(use.starts or ()))
