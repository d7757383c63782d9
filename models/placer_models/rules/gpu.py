"""Rule `gpu`: every VM has the GPUs that it asked for, all on its host, and no GPU gives more than it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Literal

from placer_models.cluster import Cluster, Gpu, Host, Vm, with_mode
from placer_models.gpus import lays
from placer_models.gpus_together import in_zone, misfit
from placer_models.gpus_use import accepts, held, unit_of, use_for, use_of
from placer_models.plan import Breach, Reason
from placer_models.rules.gpu_board import encode_place
from placer_models.rules.gpu_words import lacking, name_of, name_of_hold, sentence, together_on
from placer_models.rules.rule import Board, Rule
from placer_models.rules.standing import Standing
from placer_models.scene import Scene, Stand, items
from placer_models.seating import seat


class GpuRule(Standing, Rule):
    """Each VM has exactly the GPU items that it asks for, all on the host on which it stands, and what a GPU holds is
    legal:

    - pass-through: one VM has the whole GPU;
    - same-size: vGPUs of one frame-buffer size (of one *type* where the model's rule says so), at most as many as the
      type allows;
    - mixed-size: every vGPU at one of its placement IDs, none overlapping;
    - MIG: every instance at one of its starts, memory slices disjoint, one media-extension instance;
    - fraction: at most 1000 thousandths; the shares of one ask on different GPUs.

    Modes are different asks ("Tesla M60" is never "Tesla M60.compute"). A GPU is put in another of its `may_share`
    sharings only while nothing holds it. Several vGPUs of one VM are of one board and series, and of types that allow
    it. `needs` adds: CUDA (Maxwell gives it only to the full profile, Pascal and later to every Q and C), one board,
    one NUMA node, one whole NVLink group (of whole GPUs, or of vGPUs of series C that are the whole frame buffer each).

    Passes: M60-1Q and M60-1Q on one GPU of an M60. Fails: M60-1Q beside M60-2Q on it.

    Sources: AHV-PT (one host has all of them), UG8 and UG17 (what may share a GPU), MIGUG (MIG geometry), NV8M
    (several in one VM).
    """

    kind: Literal["gpu"] = "gpu"

    def concerns(self, vm: Vm) -> bool:
        return bool(vm.gpus)

    def vm_key(self, vm: Vm) -> Hashable:
        return vm.wants, vm.needs if vm.gpus else None

    def host_key(self, host: Host) -> Hashable:
        boards: dict[str, int] = {}
        rows = tuple(
            (
                gpu.make,
                gpu.sharings,
                None if gpu.board is None else boards.setdefault(gpu.board, len(boards)),
                gpu.numa_node,
                gpu.ecc,
            )
            for gpu in host.gpus
        )
        index = {gpu.id: i for i, gpu in enumerate(host.gpus)}
        return rows, tuple(tuple(sorted(index[gpu] for gpu in group)) for group in host.nvlink_groups)

    def scene_key(self, scene: Scene, host: Host) -> Hashable:
        return tuple((scene.sharing(host.name, gpu), held(scene, host, gpu)) for gpu in host.gpus)

    def admits(self, cluster: Cluster, vm: Vm, host: Host) -> bool:
        if not vm.gpus:
            return True
        if misfit(cluster, vm):
            return False
        asked = Counter(vm.wants)
        return all(
            any(use_for(cluster, ask, vm.needs, gpu, sharing) for gpu in host.gpus for sharing in gpu.sharings)
            for ask in asked
        ) and sum(ask.count for ask in vm.gpus if ask.whole) <= len(host.gpus)

    def encode(self, board: Board) -> None:
        for place in board.places:
            encode_place(board, place)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        cluster = scene.cluster
        for name in hosts if hosts is not None else cluster.hosts:
            host = cluster.hosts[name]
            yield from self._vms_breaches(cluster, host, scene.on(name))
            yield from self._gpus_breaches(scene, host, host.gpus)

    def _vms_breaches(self, cluster: Cluster, host: Host, stands: Iterable[Stand]) -> Iterator[Breach]:
        for stand in stands:
            vm = cluster.vms[stand.vm]
            fault = _vm_fault(cluster, vm, host, stand) if vm.gpus or stand.holds else None
            if fault:
                yield Breach(self.kind, (host.name, "vm", vm.name), 1, f"{host.name}: {vm.name}: {fault}", (vm.name,))

    def _gpus_breaches(self, scene: Scene, host: Host, gpus: Iterable[Gpu]) -> Iterator[Breach]:
        for gpu in gpus:
            faults = _gpu_faults(scene, host, gpu)
            if faults:
                vms = tuple(stand.vm for stand, _ in scene.holders(host.name, gpu.id))
                said = f"{host.name}: GPU {gpu.id}: {'; '.join(faults)}"
                yield Breach(self.kind, (host.name, "gpu", gpu.id), len(faults), said, vms)

    def why(self, scene: Scene, stand: Stand) -> Reason | None:
        vm, host = scene.cluster.vms[stand.vm], scene.cluster.hosts[stand.host]
        if not vm.gpus:
            return None
        if len(stand.holds) == len(items(vm)):
            return self._why_so(scene, host, stand)
        return lacking(scene, vm, host) if seat(scene, vm, host) is None else None

    def _why_so(self, scene: Scene, host: Host, stand: Stand) -> Reason | None:
        """The same as the base says, by looking only at the VM and at the GPUs that it would hold."""
        held_ids = {hold.gpu for hold in stand.holds}
        gpus = [gpu for gpu in host.gpus if gpu.id in held_ids]
        for breach in self._vms_breaches(scene.cluster, host, [stand]):
            return self.reason(scene, stand, breach)
        with scene.trial(stand):
            after = list(self._gpus_breaches(scene, host, gpus))
        before = {breach.subject: breach.amount for breach in self._gpus_breaches(scene, host, gpus)} if after else {}
        for breach in after:
            if breach.amount > before.get(breach.subject, 0):
                return self.reason(scene, stand, breach)
        return None

    def say(self, reasons: Sequence[Reason]) -> str:
        return sentence(reasons)

    def missing(self, reason: Reason) -> str:
        if reason.code[0] not in ("held", "full", "few"):
            return self.say([reason])
        return f"{reason.numbers['asked'] - reason.numbers['free']} x {reason.code[1]} short"


def _vm_fault(cluster: Cluster, vm: Vm, host: Host, stand: Stand) -> str | None:
    """What is wrong with what a VM holds, if anything."""
    asked = items(vm)
    if len(asked) != len(stand.holds):
        return f"asks for {len(asked)} GPU items and has {len(stand.holds)}"
    for ask, hold in zip(asked, stand.holds, strict=True):
        gpu = host.gpu.get(hold.gpu)
        if gpu is None:
            return f"holds GPU {hold.gpu}, which is not on this host"
        if (ask.profile, ask.milli) != (hold.profile, hold.milli) or not accepts(
            cluster.catalogue, ask, gpu.model, gpu.mode
        ):
            return f"asks for {name_of(ask)} and holds {name_of_hold(hold)} of a {with_mode(gpu.model, gpu.mode)}"
        if use_for(cluster, ask, vm.needs, gpu, hold.sharing) is None:
            what = " with CUDA" if vm.needs.cuda and use_of(cluster, gpu, hold) else ""
            return f"{name_of(ask)}{what} cannot be had of a {with_mode(gpu.model, gpu.mode)} in sharing {hold.sharing}"
    at = 0
    for ask in vm.wants:
        gpus = [hold.gpu for hold in stand.holds[at : at + ask.count]]
        at += ask.count
        if ask.milli is not None and len(set(gpus)) < len(gpus):
            return "has several shares of one ask on one GPU"
    if not in_zone(host, vm.needs, [hold.gpu for hold in stand.holds]):
        return f"its GPUs are not together on one {together_on(vm)}"
    return misfit(cluster, vm)


def _gpu_faults(scene: Scene, host: Host, gpu: Gpu) -> list[str]:
    holders = scene.holders(host.name, gpu.id)
    if not holders:
        return []
    sharings = {hold.sharing for _, hold in holders}
    if len(sharings) > 1:
        return [f"is held in several sharings at once ({', '.join(sorted(sharings))})"]
    sharing = holders[0][1].sharing
    if sharing not in gpu.sharings:
        return [f"may not be put in sharing {sharing}"]
    uses = [(use_of(scene.cluster, gpu, hold), hold) for _, hold in holders]
    unknown = [f"{name_of_hold(hold)} cannot be had in sharing {sharing}" for use, hold in uses if use is None]
    row = scene.cluster.catalogue.find(gpu.model).row_units(sharing)
    return unknown + lays(tuple((use, unit_of(hold)) for use, hold in uses if use is not None), row)
