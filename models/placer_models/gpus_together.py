"""Several GPU items in one VM: whether they can be in one VM at all, and which GPUs of a host are together as it needs
them to be: on a board, on a NUMA node, in an NVLink group.
"""

from __future__ import annotations

from collections.abc import Sequence

from placer_models.cluster import Ask, Cluster, Host, Needs, Vm
from placer_models.gpus import GpuModel, Profile
from placer_models.platform import Platform
from placer_models.scene import items


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
    MIG-backed types with twice the memory of their slice are to be had on vSphere from 8.0 U3 on (NVC), where one VM
    has at most 32 PCI devices in pass-through (MAX8).
    """
    if vm.needs.nvlink and (less := next((ask for ask in vm.wants if not _linked(cluster, ask)), None)):
        what = less.profile or f"{less.milli}/1000 of a GPU"
        return f"{what} has no NVLink, which whole GPUs have, and vGPUs of series C that are a whole GPU"
    if not cluster.platform.has_double_slices:
        double = next((ask.profile for ask in vm.wants if ask.profile and _is_double(cluster, ask.profile)), None)
        if double is not None:
            return f"{double} is to be had on vSphere from 8.0 U3 on"
    most, whole = cluster.platform.most_passed_through, sum(ask.count for ask in vm.wants if ask.whole)
    if most is not None and whole > most:
        return f"{whole} whole GPUs are more than the {most} PCI devices that one VM can have on vSphere"
    vgpus = _vgpus(cluster, vm)
    if len(vgpus) < 2:
        return None
    if len(vgpus) > cluster.platform.vgpus_per_vm:
        most = cluster.platform.vgpus_per_vm
        said = f"{len(vgpus)} vGPUs are more than the {most} that one VM can have on {cluster.platform}"
        known = cluster.platform.most_vgpus_per_vm is not None
        return said if known else f"{said}, unless 'most_vgpus_per_vm' says otherwise"
    return next((why for one in vgpus if (why := _unlike(cluster.platform, vgpus[0], one)) is not None), None)


Vgpu = tuple[str, GpuModel, Profile]
"""A vGPU as a VM asks for it: the type's name, the GPU model that has it, and what it is."""


def _vgpus(cluster: Cluster, vm: Vm) -> list[Vgpu]:
    found = []
    for name in (ask.profile for ask in items(vm) if ask.profile is not None):
        models = cluster.catalogue.profile_models(name)
        profile = models[0].profile(name) if models else None
        if profile is not None and profile.series:
            found.append((name, models[0], profile))
    return found


def _unlike(platform: Platform, first: Vgpu, other: Vgpu) -> str | None:
    """Why a vGPU cannot be in one VM with another, or with any; None: it can."""
    (one, board, its), (name, model, profile) = first, other
    if not platform.has_fractional_multi_vgpu and profile.max_per_gpu != 1:
        return f"{name} is no whole frame buffer, and before vSphere 8 one VM has several only of those"
    if model.name != board.name:
        return f"{one} and {name} are of different boards and cannot be in one VM"
    if profile.series != its.series:
        return f"{one} and {name} are of different series and cannot be in one VM"
    if not profile.multi_vgpu:
        return f"{name} cannot be beside another vGPU in one VM"
    if profile.name != its.name and (profile.multi_vgpu_exclusive or its.multi_vgpu_exclusive):
        return f"{one} and {name} are of different types, of which one is exclusive"
    if profile.name != its.name and not model.fractional_multi_vgpu and not model.mig:
        return f"{one} and {name} are of different types, which this board does not allow in one VM"
    return None


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
