"""Rule `gpu`: every VM has the GPUs that it asked for, all on its host, and no GPU gives more than it has."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs, Vm
from placer_models.gpus import SHARINGS, lays
from placer_models.gpus_together import in_zone, misfit
from placer_models.gpus_use import accepts, held, unit_of, use_for, use_of
from placer_models.plan import Breach, Reason
from placer_models.rules.gpu_board import encode_place
from placer_models.rules.rule import Board, Rule
from placer_models.scene import Hold, Scene, Stand, items
from placer_models.seating import seat


class GpuRule(Rule):
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
    standing: ClassVar[bool] = True
    always: ClassVar[bool] = True

    holds_after_loss: ClassVar[bool] = True

    @property
    def by_host(self) -> bool:
        return True

    def concerns(self, vm: Vm) -> bool:
        return bool(vm.gpus)

    def vm_key(self, vm: Vm) -> Hashable:
        return vm.wants, vm.needs if vm.gpus else None

    def host_key(self, host: Host) -> Hashable:
        boards: dict[str, int] = {}
        rows = tuple(
            (
                gpu.model,
                gpu.mode,
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
        return _lacking(scene, vm, host) if seat(scene, vm, host) is None else None

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
        return _sentence(reasons)

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
            return f"asks for {name_of(ask)} and holds {name_of_hold(hold)} of a {model_name(gpu)}"
        if use_for(cluster, ask, vm.needs, gpu, hold.sharing) is None:
            what = " with CUDA" if vm.needs.cuda and use_of(cluster, gpu, hold) else ""
            return f"{name_of(ask)}{what} cannot be had of a {model_name(gpu)} in sharing {hold.sharing}"
    at = 0
    for ask in vm.wants:
        gpus = [hold.gpu for hold in stand.holds[at : at + ask.count]]
        at += ask.count
        if ask.milli is not None and len(set(gpus)) < len(gpus):
            return "has several shares of one ask on one GPU"
    if not in_zone(host, vm.needs, [hold.gpu for hold in stand.holds]):
        return f"its GPUs are not together on one {_together(vm)}"
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


def name_of(ask: Ask) -> str:
    """An ask in the operator's words: "2 x Tesla M60.compute", "M60-1Q", "460/1000 of a T4"."""
    models = " or ".join(ask.models) if ask.models else "any GPU" if ask.whole else "a GPU"
    if ask.mode == "compute":
        models += ".compute"
    if ask.profile is not None:
        what = ask.profile
    elif ask.milli is not None:
        what = f"{ask.milli}/1000 of {'a ' if ask.models else ''}{models}"
    else:
        what = models
    return f"{ask.count} x {what}" if ask.count > 1 else what


def name_of_hold(hold: Hold) -> str:
    """A hold in the operator's words."""
    if hold.profile is not None:
        return hold.profile if hold.slot is None else f"{hold.profile} at slot {hold.slot}"
    return "a whole GPU" if hold.milli is None else f"{hold.milli}/1000"


def model_name(gpu: Gpu) -> str:
    """A GPU's model with its mode, as AHV writes it."""
    return f"{gpu.model}.compute" if gpu.mode == "compute" and not gpu.model.endswith(".compute") else gpu.model


def _together(vm: Vm) -> str:
    names = {"same_board": "board", "same_numa_node": "NUMA node", "nvlink": "NVLink group"}
    return " and ".join(word for need, word in names.items() if getattr(vm.needs, need))


def _lacking(scene: Scene, vm: Vm, host: Host) -> Reason:
    """What a host lacks for a VM that cannot be seated on it: the first ask that fails even alone, or that they fail
    together.
    """
    cluster = scene.cluster
    unfit = misfit(cluster, vm)
    if unfit:
        return Reason("gpu", host.name, ("misfit", unfit), unfit)
    asks = list(dict.fromkeys(vm.wants))
    if len(asks) == 1:
        return _lacking_one(scene, vm, asks[0], host)
    for ask in asks:
        alone = vm.model_copy(update={"gpus": (ask,)})
        if seat(scene, alone, host) is None:
            return _lacking_one(scene, vm, ask, host)
    return Reason("gpu", host.name, ("together",), "its GPU asks fit one by one, not together")


def _lacking_one(scene: Scene, vm: Vm, ask: Ask, host: Host) -> Reason:
    cluster = scene.cluster
    what = _name_of_one(ask)
    able = [gpu for gpu in host.gpus if any(use_for(cluster, ask, vm.needs, gpu, how) for how in gpu.sharings)]
    if not able:
        other = [gpu for gpu in host.gpus if accepts(cluster.catalogue, ask, gpu.model, gpu.mode)]
        if vm.needs.cuda and any(
            use_for(cluster, ask, vm.needs.model_copy(update={"cuda": False}), gpu, how)
            for gpu in host.gpus
            for how in gpu.sharings
        ):
            return Reason("gpu", host.name, ("cuda", what), f"{what} has no CUDA here")
        empty = sum(not scene.holders(host.name, gpu.id) for gpu in other)
        numbers = {"total": len(other), "free": min(empty, ask.count), "asked": ask.count}
        if other and ask.profile is None:
            said = f"its {what} may not be put in {'pass-through' if ask.whole else 'fraction'}"
            return Reason("gpu", host.name, ("sharing", what), said, numbers)
        for gpu in other:
            ways = [how for how in SHARINGS if use_for(cluster, ask, vm.needs, gpu, how)]
            if cluster.platform.why_one_size(host.vgpu_manager) is not None:
                ways = [how for how in ways if how != "mixed-size"]
            if ways:
                said = f"its {gpu.model} may not be put in {' or '.join(ways)}, where {what} can be had"
                return Reason("gpu", host.name, ("sharing", what, gpu.model), said, numbers)
        have = sorted({model_name(gpu) for gpu in host.gpus})
        said = f"no GPU for {what}" + (f" (it has {', '.join(have)})" if have else " (it has none)")
        return Reason("gpu", host.name, ("model", what, *have), said)
    in_use = [gpu for gpu in able if scene.holders(host.name, gpu.id)]
    single = ask.count == 1 and len(vm.wants) == 1 and vm.needs in (Needs(), Needs(cuda=True))
    free = 0 if single else _free_count(scene, vm, ask, host)
    numbers = {"held": len(in_use), "total": len(able), "free": free, "asked": ask.count}
    together = _together(vm)
    if free >= ask.count and together:
        return Reason("gpu", host.name, ("zone", what, together), "", numbers)
    if free == 0:
        code = "held" if ask.whole else "full"
        return Reason("gpu", host.name, (code, what), _held_by(scene, host, in_use), numbers)
    return Reason("gpu", host.name, ("few", what), "", numbers)


@lru_cache(maxsize=4096)
def _name_of_one(ask: Ask) -> str:
    return name_of(ask.model_copy(update={"count": 1}))


def _free_count(scene: Scene, vm: Vm, ask: Ask, host: Host) -> int:
    """How many items of a VM's ask could be seated one after the other, if it asked for no others."""
    needs = vm.needs.model_copy(update={"same_board": False, "same_numa_node": False, "nvlink": False})

    def too_many(count: int) -> bool:
        several = {"gpus": (ask.model_copy(update={"count": count}),), "needs": needs}
        return seat(scene, vm.model_copy(update=several), host) is None

    return bisect_left(range(1, ask.count + 1), True, key=too_many)


def _held_by(scene: Scene, host: Host, gpus: Sequence[Gpu]) -> str:
    by: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for gpu in gpus:
        by[tuple(dict.fromkeys(stand.vm for stand, _ in scene.holders(host.name, gpu.id)))].append(gpu.id)
    said = [
        f"{'GPU' if len(ids) == 1 else 'GPUs'} {', '.join(ids)} {'is' if len(ids) == 1 else 'are'} held by "
        f"{', '.join(vms[:3])}{' ...' if len(vms) > 3 else ''}"
        for vms, ids in by.items()
    ]
    return "; ".join(said[:4]) + (" ..." if len(said) > 4 else "")


def _sentence(reasons: Sequence[Reason]) -> str:
    code, what = reasons[0].code[0], reasons[0].code[1] if len(reasons[0].code) > 1 else ""
    total = sum(reason.numbers.get("total", 0) for reason in reasons)
    held_now = sum(reason.numbers.get("held", 0) for reason in reasons)
    if code == "held":
        tail = f": {reasons[0].said}" if len(reasons) == 1 and reasons[0].said else ""
        return f"no free {what} ({held_now} of {total} held){tail}"
    if code == "full":
        tail = f": {reasons[0].said}" if len(reasons) == 1 and reasons[0].said else ""
        return f"no room for {what} on any of {total} GPUs that could take it ({held_now} in use){tail}"
    if code == "few":
        most = "at most " if len(reasons) > 1 else ""
        free = max(reason.numbers["free"] for reason in reasons)
        return f"{most}{free} {what} free, {reasons[0].numbers['asked']} asked"
    if code == "zone":
        return f"{reasons[0].numbers['asked']} {what} are free, but not together on one {reasons[0].code[2]}"
    return reasons[0].said
