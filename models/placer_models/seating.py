"""Which GPUs of a host a VM takes, and where on them: for the gpu rule, for whoever explains, and for first answers.

What one item takes of a GPU is said in `placer_models.gpus_use`, which items can be together in
`placer_models.gpus_together`; here seats are looked for beside those who stand there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache

from placer_models.cluster import Ask, Cluster, Gpu, Host, Vm
from placer_models.gpus import GpuModel, Sharing, Use, free_slots
from placer_models.gpus_together import misfit, zones
from placer_models.gpus_use import Held, held, model_of, use_for
from placer_models.scene import Hold, Scene, Stand, items


def seat(scene: Scene, vm: Vm, host: Host) -> tuple[Hold, ...] | None:
    """Holds for a VM on a host beside all who stand there, in the order of its asks; None: there is no such seating.

    Exact: None means that no choice of GPUs, sharings and slots serves the VM while the others stay as they are.
    Among the possible ones it prefers GPUs that are in use already, the fullest first, and slots that leave the most
    open.
    """
    return next(_seatings(scene, vm, host, anyhow=False), None)


def seatings(scene: Scene, vm: Vm, host: Host) -> Iterator[tuple[Hold, ...]]:
    """Every seating of a VM on a host, save that of GPUs that are alike in all that matters one is taken; slots as
    anybody likes, whatever the platform.
    """
    return _seatings(scene, vm, host, anyhow=True)


def _seatings(scene: Scene, vm: Vm, host: Host, *, anyhow: bool) -> Iterator[tuple[Hold, ...]]:
    if not vm.gpus:
        yield ()
        return
    if misfit(scene.cluster, vm):
        return
    allowed = zones(host, vm.needs)
    asked = items(vm)
    most = max(sum(ask.whole for ask in asked), *(ask.count for ask in vm.wants if ask.milli is not None), 0)
    for zone in [None] if allowed is None else allowed:
        gpus = [gpu for gpu in host.gpus if zone is None or gpu.id in zone]
        if most <= len(gpus) and (not vm.needs.nvlink or len(gpus) == len(asked)):
            yield from _Search(scene, vm, host, gpus, anyhow).every()


class _Search:
    """Depth-first over the items, the hardest first (in the VM's own order where the manager picks slots by it); GPUs
    in the same state are tried once. `anyhow`: slots are chosen freely, and GPUs on different boards, NUMA nodes or
    NVLink groups are told apart.
    """

    def __init__(self, scene: Scene, vm: Vm, host: Host, gpus: Sequence[Gpu], anyhow: bool) -> None:
        self.cluster, self.vm, self.gpus = scene.cluster, vm, gpus
        self.first_legal = scene.cluster.platform.slot_choice == "first-legal" and not anyhow
        self.apart = {gpu.id: whereabouts(host, gpu) if anyhow else None for gpu in gpus}
        self.asked = items(vm)
        self.of = [number for number, ask in enumerate(vm.wants) for _ in range(ask.count)]
        self.held = {gpu.id: held(scene, host, gpu) for gpu in gpus}
        self.sharing = {gpu.id: scene.sharing(host.name, gpu) for gpu in gpus}
        self.order = list(range(len(self.asked)))
        if not self.first_legal and any(ask is not self.asked[0] for ask in self.asked):
            self.order.sort(key=lambda i: (-self._size(self.asked[i]), str(self.asked[i]), i))
        self.found: dict[int, Hold] = {}
        self.barren: set[Hashable] = set()
        """What the GPUs held with so many items seated when the others found no seat."""

    def _size(self, ask: Ask) -> int:
        uses = (
            use_for(self.cluster, ask, self.vm.needs, gpu, sharing) for gpu in self.gpus for sharing in gpu.sharings
        )
        return max((use.share_milli for use in uses if use is not None), default=0)

    def every(self, at: int = 0) -> Iterator[tuple[Hold, ...]]:
        """The seatings, the preferred first."""
        if at == len(self.order):
            yield tuple(self.found[i] for i in range(len(self.asked)))
            return
        index = self.order[at]
        state = self._state(at) if at else None
        if state in self.barren:
            return
        seen, barren = set(), True
        for gpu, sharing, use in self._candidates(self.asked[index], index):
            alike = gpu.make, gpu.sharings, self.apart[gpu.id]
            one = (alike, sharing, self.held[gpu.id], self._taken_by_ask(index, gpu))
            if one in seen:
                continue
            seen.add(one)
            for slot in self._slots(gpu, sharing, use):
                before = self.held[gpu.id], self.sharing[gpu.id]
                self.held[gpu.id] = (*before[0], (use, slot))
                self.sharing[gpu.id] = sharing
                ask = self.asked[index]
                kept = None if sharing == "passthrough" else slot
                self.found[index] = Hold(gpu.id, sharing, ask.profile, kept, ask.milli)
                for holds in self.every(at + 1):
                    barren = False
                    yield holds
                del self.found[index]
                self.held[gpu.id], self.sharing[gpu.id] = before
        if state is not None and barren:
            self.barren.add(state)

    def _state(self, at: int) -> Hashable:
        """All that matters to the items that are left, whichever of GPUs that are alike holds what."""
        index = self.order[at]
        gpus = Counter(
            (gpu.make, gpu.sharings, self.apart[gpu.id], self.sharing[gpu.id], held_, taken)
            for gpu in self.gpus
            for held_ in [frozenset(Counter(self.held[gpu.id]).items())]
            for taken in [self._taken_by_ask(index, gpu)]
        )
        return at, frozenset(gpus.items())

    def _candidates(self, ask: Ask, index: int) -> Iterator[tuple[Gpu, Sharing, Use]]:
        rank = {gpu.id: (-sum(use.share_milli for use, _ in self.held[gpu.id]), i) for i, gpu in enumerate(self.gpus)}
        for gpu in sorted(self.gpus, key=lambda gpu: rank[gpu.id]):
            if self._taken_by_ask(index, gpu):
                continue
            for sharing in (self.sharing[gpu.id],) if self.held[gpu.id] else gpu.sharings:
                use = use_for(self.cluster, ask, self.vm.needs, gpu, sharing)
                if use is not None:
                    yield gpu, sharing, use

    def _taken_by_ask(self, index: int, gpu: Gpu) -> bool:
        """Whether another share of the same ask is on this GPU (the shares of one ask are on different GPUs)."""
        ask = self.asked[index]
        if ask.milli is None or ask.count == 1:
            return False
        return any(hold.gpu == gpu.id and self.of[i] == self.of[index] for i, hold in self.found.items())

    def _slots(self, gpu: Gpu, sharing: Sharing, use: Use) -> Sequence[int | None]:
        model = model_of(self.cluster, gpu)
        if self.first_legal:
            return free_slots(use, model.row_units(sharing), self.held[gpu.id])[:1]
        return open_slots(model, sharing, use, self.held[gpu.id])


def open_slots(model: GpuModel, sharing: Sharing, use: Use, holds: Held) -> Sequence[int | None]:
    """The slots that an item may be given on a GPU that holds this, those first that leave the most open; one of those
    that are alike.
    """
    free = free_slots(use, model.row_units(sharing), holds)
    if len(free) < 2 or sharing in ("same-size", "passthrough", "fraction"):
        return free[:1]
    return sorted(free, key=lambda slot: (-_openness(model, sharing, (*holds, (use, slot))), slot or 0))


def whereabouts(host: Host, gpu: Gpu) -> tuple[object, ...]:
    """What tells a GPU of a host from others like it for VMs whose GPUs must be together."""
    return gpu.board, gpu.numa_node, tuple(i for i, group in enumerate(host.nvlink_groups) if gpu.id in group)


@lru_cache(maxsize=65536)
def _openness(model: GpuModel, sharing: Sharing, holds: Held) -> int:
    """How much a GPU that holds this still offers: legal slots over all profiles, each weighted by its share of the
    GPU.
    """
    uses = {use for profile in model.profiles if (use := model.use(sharing, profile=profile.name))}
    return sum(len(free_slots(use, model.row_units(sharing), holds)) * use.share_milli for use in uses)


def match(cluster: Cluster, vm: Vm, host: Host, holds: Sequence[Hold]) -> tuple[Hold, ...] | None:
    """The holds put in the order of the VM's asks; None: they do not serve the asks one to one."""
    asked = items(vm)
    if len(asked) != len(holds):
        return None
    order: list[Hold] = []

    def fits(ask: Ask, hold: Hold) -> bool:
        gpu = host.gpu.get(hold.gpu)
        return (
            gpu is not None
            and (ask.profile, ask.milli) == (hold.profile, hold.milli)
            and use_for(cluster, ask, vm.needs, gpu, hold.sharing) is not None
        )

    def fill(left: tuple[Hold, ...]) -> bool:
        if not left:
            return True
        for i, hold in enumerate(left):
            if hold not in left[:i] and fits(asked[len(order)], hold):
                order.append(hold)
                if fill(left[:i] + left[i + 1 :]):
                    return True
                order.pop()
        return False

    return tuple(order) if fill(tuple(holds)) else None


def stand_on(scene: Scene, vm: Vm, host: Host) -> Stand | None:
    """The VM's stand on a host, seated; None: its GPUs find no seat there."""
    holds = seat(scene, vm, host)
    return None if holds is None else Stand(vm.name, host.name, holds)
