"""Which running VMs can be live-migrated, and whereto, and which can be suspended: what hardware and hypervisors
refuse, known beforehand.

Sources: pass-through never (AHV-PT, VM-DP); vGPU needs the same board, ECC state, MIG layout and, by default, the same
vGPU manager version (NV5 5.3, NVC, RH10); what is not confirmed of a platform must be said
(`platform.vgpu_live_migration`, `platform.vgpu_suspend`); KubeVirt moves one vGPU of a VM
(GH:kubevirt/user-guide#1025), and vSphere 6.7 gives up a VM that stands still for long (VM-STUN).
"""

from __future__ import annotations

from collections.abc import Hashable

from placer_models.cluster import Ask, Cluster, Host, Instances, Vm
from placer_models.gpus_use import accepts, use_for, use_of
from placer_models.motion import stun_seconds
from placer_models.scene import Stand


def immovable(cluster: Cluster, vm: Vm, stand: Stand) -> str | None:
    """Why a running VM cannot be live-migrated at all; None: it can."""
    if not vm.may.live_migrate:
        return "may not be live-migrated"
    if any(hold.sharing == "passthrough" for hold in stand.holds):
        return "holds a pass-through GPU, which cannot be live-migrated"
    vgpus, platform = _vgpus(stand), cluster.platform
    if vgpus and not platform.live_migrates_vgpus:
        return f"holds a vGPU, which {platform} is not known to live-migrate"
    if vgpus > 1 and platform.kind == "kubevirt":
        return f"holds {vgpus} vGPUs, and KubeVirt live-migrates a VM with one"
    most = platform.most_stun_seconds
    if vgpus and most is not None and stun_seconds(cluster, vm) > most:
        return f"would be stunned for {stun_seconds(cluster, vm):g} s, and {platform} gives up after {most}"
    return None


def unsuspendable(cluster: Cluster, vm: Vm, stand: Stand) -> str | None:
    """Why a running VM cannot be suspended; None: it can."""
    return never_suspended(cluster, stand) if vm.may.suspend else "may not be suspended"


def stuck(cluster: Cluster, vm: Vm, stand: Stand, refused: str) -> str:
    """Why a VM that cannot be live-migrated, because of what `refused` says, cannot leave its host otherwise."""
    awake = unsuspendable(cluster, vm, stand)
    if awake == "may not be suspended":
        also = ", nor suspended or stopped" if refused.startswith("may not") else "; may not be suspended or stopped"
        return refused + also
    return "; ".join(why for why in (refused, awake, "may not be stopped") if why is not None)


def never_suspended(cluster: Cluster, stand: Stand) -> str | None:
    """Why a VM that stands so could not be suspended even if it were allowed; None: it could."""
    platform = cluster.platform
    if not platform.suspends:
        return f"cannot be suspended: a pause on {platform} keeps all that it holds"
    if any(hold.sharing == "passthrough" for hold in stand.holds):
        return "holds a pass-through GPU, with which it cannot be suspended"
    if _vgpus(stand) and not platform.suspends_vgpus:
        return f"holds a vGPU, with which {platform} is not known to suspend it"
    return None


def _vgpus(stand: Stand) -> int:
    return sum(hold.profile is not None for hold in stand.holds)


def unreachable(cluster: Cluster, stand: Stand, host: Host) -> str | None:
    """Why a VM that can be live-migrated cannot go to this host; None: it can, where there is room."""
    source = cluster.hosts[stand.host]
    profiles = [hold for hold in stand.holds if hold.profile is not None]
    if not profiles:
        asked = [ask for ask in cluster.vms[stand.vm].wants if ask.whole]
        passed = [gpu for gpu in host.gpus if "passthrough" in gpu.sharings] if asked else []
        if any(accepts(cluster.catalogue, ask, gpu.model, gpu.mode) for gpu in passed for ask in asked):
            return "a GPU there is or may be passed through, and nothing can be live-migrated to one"
        return None
    if source.vgpu_manager != host.vgpu_manager:
        return _other_manager(source, host)
    for hold in profiles:
        gpu = source.gpu[hold.gpu]
        alike = [
            other for other in host.gpus if cluster.catalogue.find(other.model) is cluster.catalogue.find(gpu.model)
        ]
        if not alike:
            return f"no {gpu.model}"
        if any(other.ecc != gpu.ecc for other in alike):
            return "ECC state differs"
        serving = [other for other in alike if use_of(cluster, other, hold) is not None]
        if hold.sharing == "mig" and any(other.instances != gpu.instances for other in serving):
            return "MIG layout differs"
    return None


def _other_manager(source: Host, host: Host) -> str:
    return f"vGPU manager {host.vgpu_manager or 'unknown'} is not {source.vgpu_manager or 'unknown'}"


def slept(vm: Vm) -> bool:
    """Whether the snapshot shows a VM that was suspended with vGPUs, and says on which host."""
    return vm.power == "suspended" and vm.host is not None and any(ask.profile is not None for ask in vm.gpus)


def unresumable(cluster: Cluster, vm: Vm, host: Host) -> str | None:
    """Why a VM that was suspended with vGPUs cannot resume on this host, where the snapshot says on which it was: what
    a live migration needs to be equal must be. None: it can, where there is room.

    Which GPU it held is not known: one that could serve it here must be as one there that could.
    """
    source = cluster.hosts.get(vm.host or "") if slept(vm) else None
    if source is None:
        return None
    if source.vgpu_manager != host.vgpu_manager:
        return _other_manager(source, host)
    for ask in vm.wants:
        were, are = (_serving(cluster, vm, ask, one) if ask.profile is not None else set() for one in (source, host))
        if were and not are <= were:
            if not {model for model, _, _ in are} <= {model for model, _, _ in were}:
                return f"no {' or '.join(sorted({model for model, _, _ in were}))}"
            same_ecc = {mark[:2] for mark in are} <= {mark[:2] for mark in were}
            return "MIG layout differs" if same_ecc else "ECC state differs"
    return None


def _serving(cluster: Cluster, vm: Vm, ask: Ask, host: Host) -> set[tuple[str, bool | None, Instances | None]]:
    """The GPUs of a host that could serve an ask for a profile: model, ECC state, and the MIG layout that it would be
    in.
    """
    return {
        (cluster.catalogue.find(gpu.model).name, gpu.ecc, gpu.instances if sharing == "mig" else None)
        for gpu in host.gpus
        for sharing in gpu.sharings
        if use_for(cluster, ask, vm.needs, gpu, sharing) is not None
    }


def reach_key(cluster: Cluster, stand: Stand) -> Hashable:
    """What `unreachable` looks at of where a VM stands: VMs alike with equal keys can reach the same hosts."""
    gpus = cluster.hosts[stand.host].gpu
    alike = tuple(
        (cluster.catalogue.find(gpu.model).name, gpu.ecc, gpu.instances if hold.sharing == "mig" else None)
        for hold in stand.holds
        if hold.profile
        for gpu in (gpus[hold.gpu],)
    )
    return (cluster.hosts[stand.host].vgpu_manager, alike) if alike else ()
