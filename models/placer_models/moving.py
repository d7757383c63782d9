"""Which running VMs can be live-migrated, and whereto: what hardware and hypervisors refuse, known beforehand.

Sources: pass-through never (AHV-PT, VM-DP); vGPU needs the same board, ECC state and, by default, the same vGPU
manager version (NV5 5.3, NVC, RH10); AHV and KubeVirt are not confirmed to move vGPUs, so there it must be said
(`platform.vgpu_live_migration`).
"""

from __future__ import annotations

from collections.abc import Hashable

from placer_models.cluster import Cluster, Host, Vm
from placer_models.scene import Stand

MOVES_VGPUS = ("vsphere", "kvm", "openstack")


def immovable(cluster: Cluster, vm: Vm, stand: Stand) -> str | None:
    """Why a running VM cannot be live-migrated at all; None: it can."""
    if not vm.may.live_migrate:
        return "may not be live-migrated"
    if any(hold.sharing == "passthrough" for hold in stand.holds):
        return "holds a pass-through GPU, which cannot be live-migrated"
    if any(hold.profile is not None for hold in stand.holds):
        platform = cluster.platform
        moves = platform.vgpu_live_migration
        if not (platform.kind in MOVES_VGPUS if moves is None else moves):
            return f"holds a vGPU, which {platform.kind} is not known to live-migrate"
    return None


def unreachable(cluster: Cluster, stand: Stand, host: Host) -> str | None:
    """Why a VM that can be live-migrated cannot go to this host; None: it can, where there is room."""
    source = cluster.hosts[stand.host]
    profiles = [hold for hold in stand.holds if hold.profile is not None]
    if not profiles:
        return None
    if source.vgpu_manager != host.vgpu_manager:
        return f"vGPU manager {host.vgpu_manager or 'unknown'} is not {source.vgpu_manager or 'unknown'}"
    for hold in profiles:
        gpu = source.gpu[hold.gpu]
        alike = [
            other for other in host.gpus if cluster.catalogue.find(other.model) is cluster.catalogue.find(gpu.model)
        ]
        if not alike:
            return f"no {gpu.model}"
        if any(other.ecc != gpu.ecc for other in alike):
            return "ECC state differs"
    return None


def reach_key(cluster: Cluster, stand: Stand) -> Hashable:
    """What `unreachable` looks at of where a VM stands: VMs alike with equal keys can reach the same hosts."""
    gpus = cluster.hosts[stand.host].gpu
    alike = tuple(
        (cluster.catalogue.find(gpus[hold.gpu].model).name, gpus[hold.gpu].ecc) for hold in stand.holds if hold.profile
    )
    return (cluster.hosts[stand.host].vgpu_manager, alike) if alike else ()
