"""Which GPUs of a host a VM could take, and where on them: shared by the gpu rule, by whoever explains, and by first
answers.

A GPU is a short row of units (`placer_models.gpus`); here the row meets the asks of VMs: models and modes, CUDA,
several vGPUs in one VM, GPUs that must be together on a board, on a NUMA node or in an NVLink group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache

from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs, Vm
from placer_models.gpus import Catalogue, GpuModel, Sharing, Use, free_slots
from placer_models.scene import Hold, Scene, Stand, items

POSITIONAL: tuple[Sharing, ...] = ("mixed-size", "mig")
"""Sharings in which it matters where on the GPU an item is."""

Held = tuple[tuple[Use, int | None], ...]
"""What a GPU holds: each item's use of the row, and its slot."""


def model_of(cluster: Cluster, gpu: Gpu) -> GpuModel:
    """The catalogue's model of a GPU."""
    return cluster.catalogue.find(gpu.model)


@lru_cache(maxsize=65536)
def accepts(catalogue: Catalogue, ask: Ask, model: str, mode: str) -> bool:
    """Whether an ask's models and mode take in a GPU of this model and mode.

    A whole GPU is asked for in one firmware mode (graphics unless it says compute, or names "....compute"); a profile
    stands on the graphics mode of models that have both (UG4.3); a share does not mind.
    """
    have, gpu_mode = catalogue.canonical(model)
    if mode == "compute":
        gpu_mode = "compute"
    wanted = [catalogue.canonical(name) for name in ask.models or (have,)]
    if ask.models is None:
        wanted = [(have, "graphics")]
    if ask.whole:
        return any(name == have and (ask.mode or wanted_mode) == gpu_mode for name, wanted_mode in wanted)
    if not any(name == have for name, _ in wanted):
        return False
    if ask.profile is not None:
        return gpu_mode == "graphics" or len(catalogue.find(model).modes) < 2
    return ask.mode is None or ask.mode == gpu_mode


@lru_cache(maxsize=65536)
def _use(catalogue: Catalogue, ask: Ask, cuda: bool, model: str, mode: str, sharing: Sharing) -> Use | None:
    if not accepts(catalogue, ask, model, mode):
        return None
    gpu = catalogue.find(model)
    if ask.profile is not None and cuda:
        profile = gpu.profile(ask.profile)
        if profile is None or not profile.cuda:
            return None
    if ask.whole and sharing == "fraction":
        return gpu.use(sharing, milli=1000)
    return gpu.use(sharing, profile=ask.profile, milli=ask.milli)


def use_for(cluster: Cluster, ask: Ask, needs: Needs, gpu: Gpu, sharing: Sharing) -> Use | None:
    """What one item of an ask takes of this GPU's row in this sharing; None: it cannot be served so.

    A whole GPU is served by pass-through, and by a free GPU that stands in `fraction`.
    """
    return _use(cluster.catalogue, ask, needs.cuda, gpu.model, gpu.mode, sharing)


@lru_cache(maxsize=65536)
def _use_held(catalogue: Catalogue, model: str, sharing: Sharing, profile: str | None, milli: int | None) -> Use | None:
    gpu = catalogue.find(model)
    if profile is None and milli is None and sharing == "fraction":
        return gpu.use(sharing, milli=1000)
    return gpu.use(sharing, profile=profile, milli=milli)


def use_of(cluster: Cluster, gpu: Gpu, hold: Hold) -> Use | None:
    """What a hold takes of its GPU's row; None: the GPU cannot serve such a hold."""
    return _use_held(cluster.catalogue, gpu.model, hold.sharing, hold.profile, hold.milli)


def unit_of(hold: Hold) -> int | None:
    """The unit of the row at which a hold begins: a whole GPU begins at the first."""
    return 0 if hold.sharing == "passthrough" else hold.slot


def held(scene: Scene, host: Host, gpu: Gpu) -> Held:
    """What a GPU holds in a scene (holds that it cannot serve are left out; the gpu rule reports them)."""
    uses = ((use_of(scene.cluster, gpu, hold), unit_of(hold)) for _, hold in scene.holders(host.name, gpu.id))
    return tuple((use, slot) for use, slot in uses if use is not None)


def zones(host: Host, needs: Needs) -> list[frozenset[str]] | None:
    """The sets of GPUs inside which all of a VM's GPUs must be, by its needs; None: anywhere on the host.

    An NVLink group must be taken whole (FM: a request must equal a partition). A GPU that does not
    say its board is a board of its own; one that does not say its NUMA node is on none.
    """
    found: list[frozenset[str]] | None = None
    if needs.nvlink:
        found = [frozenset(group) for group in host.nvlink_groups]
    for needed, key in ((needs.same_board, "board"), (needs.same_numa_node, "numa_node")):
        if needed:
            groups = _grouped(host, key)
            found = groups if found is None else [both for a in found for b in groups if (both := a & b)]
    if needs.nvlink and found is not None:
        whole = {frozenset(group) for group in host.nvlink_groups}
        found = [zone for zone in found if zone in whole]
    return found


def _grouped(host: Host, key: str) -> list[frozenset[str]]:
    groups: dict[object, set[str]] = {}
    for gpu in host.gpus:
        value = getattr(gpu, key)
        if value is not None:
            groups.setdefault(value, set()).add(gpu.id)
        elif key == "board":
            groups.setdefault((gpu.id,), set()).add(gpu.id)
    return [frozenset(group) for group in groups.values()]


def in_zone(host: Host, needs: Needs, gpus: Sequence[str]) -> bool:
    """Whether a VM's GPUs are together as it needs them to be."""
    allowed = zones(host, needs)
    if allowed is None or not gpus:
        return True
    have = frozenset(gpus)
    return any(have == zone if needs.nvlink else have <= zone for zone in allowed)


def _linked(cluster: Cluster, ask: Ask) -> bool:
    """Whether what a VM gets for an ask may be joined to others by NVLink."""
    if ask.profile is None:
        return ask.milli in (None, 1000)
    profiles = [model.profile(ask.profile) for model in cluster.catalogue.profile_models(ask.profile)]
    return all(one and one.series == "C" and one.max_per_gpu == 1 and not one.gpu_instance_profile for one in profiles)


def _is_double(cluster: Cluster, profile: str) -> bool:
    """Whether a vGPU stands on a MIG instance of one compute slice and two memory slices."""
    for model in cluster.catalogue.profile_models(profile):
        backing = getattr(model.profile(profile), "gpu_instance_profile", None)
        for one in model.mig.instances if model.mig else ():
            if one.name == backing and (one.compute_slices, one.memory_slices) == (1, 2):
                return True
    return False


def misfit(cluster: Cluster, vm: Vm) -> str | None:
    """Why a VM's GPU items can never be together in one VM, wherever it stands; None: they can.

    NVIDIA: several vGPUs of a VM are of the same board type and series, of types that allow it, and an exclusive type
    is not combined with other types (NV8M; multiVgpuSupported and multiVgpuExclusive of XML). The platform says how
    many, and whether they may be less than the whole frame buffer (VM-67, MAX8, NVC). NVLink joins whole GPUs, and of
    vGPUs only time-sliced ones of series C that are the whole frame buffer (NVC); who gets less of a GPU has none.
    MIG-backed types with twice the memory of their slice are to be had on vSphere from 8.0 U3 on (NVC).
    """
    if vm.needs.nvlink and (less := next((ask for ask in vm.wants if not _linked(cluster, ask)), None)):
        what = less.profile or f"{less.milli}/1000 of a GPU"
        return f"{what} has no NVLink, which whole GPUs have, and vGPUs of series C that are a whole GPU"
    if not cluster.platform.has_mixed_sizes:
        double = next((ask.profile for ask in vm.wants if ask.profile and _is_double(cluster, ask.profile)), None)
        if double is not None:
            return f"{double} is to be had on vSphere from 8.0 U3 on"
    asked = [ask for ask in items(vm) if ask.profile is not None]
    found = []
    for ask in asked:
        models = cluster.catalogue.profile_models(str(ask.profile))
        profile = models[0].profile(str(ask.profile)) if models else None
        if profile is not None and profile.series:
            found.append((ask.profile, models[0], profile))
    if len(found) < 2:
        return None
    if len(found) > cluster.platform.vgpus_per_vm:
        return f"{len(found)} vGPUs are more than the {cluster.platform.vgpus_per_vm} that one VM can have"
    first = found[0]
    for name, model, profile in found:
        if not cluster.platform.has_fractional_multi_vgpu and profile.max_per_gpu != 1:
            return f"{name} is no whole frame buffer, and before vSphere 8 one VM has several only of those"
        if model.name != first[1].name:
            return f"{first[0]} and {name} are of different boards and cannot be in one VM"
        if profile.series != first[2].series:
            return f"{first[0]} and {name} are of different series and cannot be in one VM"
        if not profile.multi_vgpu:
            return f"{name} cannot be beside another vGPU in one VM"
        if profile.name != first[2].name and (profile.multi_vgpu_exclusive or first[2].multi_vgpu_exclusive):
            return f"{first[0]} and {name} are of different types, of which one is exclusive"
        if profile.name != first[2].name and not model.fractional_multi_vgpu and not model.mig:
            return f"{first[0]} and {name} are of different types, which this board does not allow in one VM"
    return None


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
        self.apart = {gpu.id: _whereabouts(host, gpu) if anyhow else None for gpu in gpus}
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
            alike = gpu.model, gpu.mode, gpu.sharings, self.apart[gpu.id]
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
            (gpu.model, gpu.mode, gpu.sharings, self.apart[gpu.id], self.sharing[gpu.id], held_, taken)
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
        free = free_slots(use, model.row_units(sharing), self.held[gpu.id])
        if self.first_legal:
            return free[:1]
        if len(free) < 2 or sharing in ("same-size", "passthrough", "fraction"):
            return free[:1]
        return sorted(free, key=lambda slot: (-_openness(model, sharing, (*self.held[gpu.id], (use, slot))), slot or 0))


def _whereabouts(host: Host, gpu: Gpu) -> tuple[object, ...]:
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
