"""Whether VMs find their slots whatever legal ones the manager picks: every choice that it has is followed."""

from __future__ import annotations

from collections.abc import Iterable

from placer_models.cluster import Cluster, Host
from placer_models.gpus import Use, free_slots
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import POSITIONAL, model_of, unit_of, use_of

World = frozenset[tuple[str, int, Use, int | None]]
"""What a GPU may come to hold: the VM, which of its holds, what it takes, where."""


class Worlds:
    """Each GPU's possible contents, from a first scene on: what arrives may come to any legal slot."""

    def __init__(self, first: Scene) -> None:
        self._first, self._cluster = first, first.cluster
        self._worlds: dict[tuple[str, str], set[World]] = {}

    def arrive(self, stand: Stand, *, only_if_sure: bool = False) -> list[str]:
        """A VM comes; the GPUs on which some choice of slots would leave it without one (`only_if_sure`: then it does
        not come).
        """
        host, short = self._cluster.hosts[stand.host], list[str]()
        before = {(host.name, hold.gpu): self._of(host, hold.gpu) for hold in stand.holds}
        for i, hold in enumerate(stand.holds):
            gpu = host.gpu[hold.gpu]
            use = use_of(self._cluster, gpu, hold)
            if hold.sharing not in POSITIONAL or use is None:
                continue
            row = model_of(self._cluster, gpu).row_units(hold.sharing)
            after: set[World] = set()
            for world in self._of(host, hold.gpu):
                slots = free_slots(use, row, tuple((other, slot) for _, _, other, slot in world))
                after |= {world | {(stand.vm, i, use, slot)} for slot in slots}
                if not slots and gpu.id not in short:
                    short.append(gpu.id)
            self._worlds[host.name, gpu.id] = after or self._of(host, gpu.id)
        if short and only_if_sure:
            self._worlds.update(before)
        return short

    def leave(self, stand: Stand) -> None:
        """A VM goes."""
        host = self._cluster.hosts[stand.host]
        for gpu in {hold.gpu for hold in stand.holds}:
            worlds = self._of(host, gpu)
            self._worlds[host.name, gpu] = {
                frozenset(item for item in world if item[0] != stand.vm) for world in worlds
            }

    def _of(self, host: Host, gpu: str) -> set[World]:
        key = host.name, gpu
        if key not in self._worlds:
            self._worlds[key] = {frozenset(_items(self._cluster, host, self._first.holders(host.name, gpu)))}
        return self._worlds[key]


def _items(
    cluster: Cluster, host: Host, holders: Iterable[tuple[Stand, Hold]]
) -> Iterable[tuple[str, int, Use, int | None]]:
    for i, (stand, hold) in enumerate(holders):
        use = use_of(cluster, host.gpu[hold.gpu], hold)
        if use is not None:
            yield stand.vm, i, use, unit_of(hold)


def surely_seated(before: Scene, after: Scene, stand: Stand) -> bool:
    """Whether a VM that is started last, beside all who came to its GPUs since `before`, is sure of its slots."""
    worlds, cluster = Worlds(before), after.cluster
    for gpu in dict.fromkeys(hold.gpu for hold in stand.holds if hold.sharing in POSITIONAL):
        now = {other.vm: other for other, _ in before.holders(stand.host, gpu)}
        then = {other.vm: other for other, _ in after.holders(stand.host, gpu)}
        for vm, other in now.items():
            if then.get(vm) != other:
                worlds.leave(other)
        for vm, other in then.items():
            if now.get(vm) != other:
                only = tuple(hold for hold in other.holds if hold.gpu == gpu)
                worlds.arrive(Stand(vm, other.host, only))
    assert stand.vm in cluster.vms
    return not worlds.arrive(stand)
