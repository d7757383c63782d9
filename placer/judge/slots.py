"""The slots that the manager picks: whether a VM is where it would be put, and whether VMs find theirs whatever legal
ones are picked (every choice is followed).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from placer_models.cluster import Cluster, Host
from placer_models.gpus import Items, Use, free_slots
from placer_models.gpus_use import POSITIONAL, held, model_of, unit_of, use_of
from placer_models.scene import Hold, Scene, Stand

MOST_WORLDS = 2_000
"""Contents of a GPU that are told apart at most; beyond it is only counted what new VMs may take from each other."""

Item = tuple[str | None, Use, int | None]
"""What a GPU may hold: the VM where it stood there at first (None: it came, and may be any that came), what it takes,
and where.
"""

World = frozenset[Item]


@dataclass(frozen=True)
class Crowd:
    """A GPU with too many possible contents: those that stand where they stood, and how many of each use have come."""

    known: World
    come: tuple[Use, ...] = ()

    def sure(self, use: Use, row: int) -> bool:
        """Whether one more finds a slot even where each that has come takes as many from it as it can."""
        known = tuple((other, slot) for _, other, slot in self.known)
        free = [start for start in free_slots(use, row, known) if start is not None]
        gone = sum(_most_taken(other, use, tuple(free), row, known) for other in self.come)
        return len(free) > gone and not any(
            sum(name in dict(other.caps) for other in (use, *self.come, *(other for other, _ in known))) > most
            for name, most in use.caps
        )


def _most_taken(other: Use, use: Use, free: tuple[int, ...], row: int, known: Items) -> int:
    """How many of these starts of a use one item of another takes at most."""
    places = [slot for slot in free_slots(other, row, known) if slot is not None]
    return max((sum(at < slot + other.units and slot < at + use.units for at in free) for slot in places), default=0)


class Worlds:
    """Each GPU's possible contents, from a first scene on: what arrives may come to any legal slot.

    VMs that have come with the same use are not told apart: when one leaves, it may be from the slot of any.
    """

    def __init__(self, first: Scene) -> None:
        self._first, self._cluster = first, first.cluster
        self._worlds: dict[tuple[str, str], frozenset[World] | Crowd] = {}

    def arrive(self, stand: Stand, *, only_if_sure: bool = False) -> list[str]:
        """A VM comes; the GPUs on which some choice of slots would leave it without one (`only_if_sure`: then it does
        not come).
        """
        host, short = self._cluster.hosts[stand.host], list[str]()
        before = {(host.name, hold.gpu): self._of(host, hold.gpu) for hold in stand.holds}
        for hold in stand.holds:
            gpu = host.gpu[hold.gpu]
            use = use_of(self._cluster, gpu, hold)
            if hold.sharing not in POSITIONAL or use is None:
                continue
            row = model_of(self._cluster, gpu).row_units(hold.sharing)
            sure, self._worlds[host.name, gpu.id] = _with(self._of(host, gpu.id), use, row)
            if not sure and gpu.id not in short:
                short.append(gpu.id)
        if short and only_if_sure:
            self._worlds.update(before)
        return short

    def leave(self, stand: Stand) -> None:
        """A VM goes."""
        host = self._cluster.hosts[stand.host]
        for gpu in {hold.gpu for hold in stand.holds}:
            uses = (use_of(self._cluster, host.gpu[gpu], hold) for hold in stand.holds if hold.gpu == gpu)
            gone = [use for use in uses if use is not None]
            self._worlds[host.name, gpu] = _without(self._of(host, gpu), stand.vm, gone)

    def _of(self, host: Host, gpu: str) -> frozenset[World] | Crowd:
        key = host.name, gpu
        if key not in self._worlds:
            self._worlds[key] = frozenset([frozenset(_items(self._cluster, host, self._first.holders(host.name, gpu)))])
        return self._worlds[key]


def _items(cluster: Cluster, host: Host, holders: Iterable[tuple[Stand, Hold]]) -> Iterable[Item]:
    for stand, hold in holders:
        use = use_of(cluster, host.gpu[hold.gpu], hold)
        if use is not None:
            yield stand.vm, use, unit_of(hold)


def _with(worlds: frozenset[World] | Crowd, use: Use, row: int) -> tuple[bool, frozenset[World] | Crowd]:
    """Whether one more is sure of a slot, and the contents with it."""
    if isinstance(worlds, Crowd):
        return worlds.sure(use, row), replace(worlds, come=(*worlds.come, use))
    sure, after = True, set[World]()
    for world in worlds:
        slots = free_slots(use, row, tuple((other, slot) for _, other, slot in world))
        after.update(world | {(None, use, slot)} for slot in slots)
        sure = sure and bool(slots)
    if len(after) <= MOST_WORLDS:
        return sure, frozenset(after) or worlds
    one = next(iter(after))
    known = frozenset(item for item in one if item[0] is not None)
    return sure, Crowd(known, tuple(other for name, other, _ in one if name is None))


def _without(worlds: frozenset[World] | Crowd, vm: str, uses: Iterable[Use]) -> frozenset[World] | Crowd:
    """The contents when a VM with these items has gone."""
    if isinstance(worlds, Crowd):
        kept = frozenset(item for item in worlds.known if item[0] != vm)
        come = list(worlds.come)
        for use in uses if kept == worlds.known else ():
            if use in come:
                come.remove(use)
        return Crowd(kept, tuple(come))
    after = frozenset(frozenset(item for item in world if item[0] != vm) for world in worlds)
    for use in uses if after == worlds else ():
        after = frozenset(
            world - {item}
            for world in after
            for item in [item for item in world if item[:2] == (None, use)] or [(None, use, None)]
        )
    return after


def not_first(scene: Scene, stand: Stand) -> Iterator[str]:
    """What of a VM that comes is not at the first legal slot, which the manager takes, beside those who stand there and
    its own before it: a sentence each.
    """
    cluster, host = scene.cluster, scene.cluster.hosts[stand.host]
    for number, hold in enumerate(stand.holds):
        gpu = host.gpu[hold.gpu]
        use = use_of(cluster, gpu, hold)
        if use is None or hold.sharing not in POSITIONAL:
            continue
        own = [(use_of(cluster, gpu, one), one.slot) for one in stand.holds[:number] if one.gpu == gpu.id]
        beside = [(other, slot) for other, slot in own if other is not None]
        row = model_of(cluster, gpu).row_units(hold.sharing)
        legal = free_slots(use, row, (*held(scene, host, gpu), *beside))
        if legal and legal[0] != hold.slot:
            said = "without a slot" if hold.slot is None else f"at {hold.slot}"
            yield f"the manager puts {stand.vm} at slot {legal[0]} of GPU {gpu.id}, not {said}"


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
