"""How the gpu rule speaks: asks, holds, and what a host lacks for a VM, in the operator's words."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs, Vm, with_mode
from placer_models.gpus import SHARINGS
from placer_models.gpus_together import misfit
from placer_models.gpus_use import accepts, use_for
from placer_models.plan import Reason
from placer_models.scene import Hold, Scene
from placer_models.seating import seat
from placer_models.words import few


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


def together_on(vm: Vm) -> str:
    """On what a VM's GPUs must be together."""
    names = {"same_board": "board", "same_numa_node": "NUMA node", "nvlink": "NVLink group"}
    return " and ".join(word for need, word in names.items() if getattr(vm.needs, need))


def lacking(scene: Scene, vm: Vm, host: Host) -> Reason:
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
            made = sorted({with_mode(gpu.model, gpu.mode) for gpu in other})
            said = f"its {' or '.join(made)} may not be put in {'pass-through' if ask.whole else 'fraction'}"
            said += "" if ask.whole else f", where {what} can be had"
            return Reason("gpu", host.name, ("sharing", what, *made), said, numbers)
        for gpu in other:
            ways = [how for how in SHARINGS if use_for(cluster, ask, vm.needs, gpu, how)]
            if cluster.platform.why_one_size(host.vgpu_manager) is not None:
                ways = [how for how in ways if how != "mixed-size"]
            if ways:
                said = f"its {gpu.model} may not be put in {' or '.join(ways)}, where {what} can be had"
                return Reason("gpu", host.name, ("sharing", what, gpu.model), said, numbers)
        if any(use_for(cluster, ask, vm.needs, _bare(gpu), "mig") for gpu in other if "mig" in gpu.sharings):
            said = f"no instance for {what} in the MIG layouts that its GPUs keep"
            return Reason("gpu", host.name, ("layout", what), said, numbers)
        have = sorted({with_mode(gpu.model, gpu.mode) for gpu in host.gpus})
        said = f"no GPU for {what}{_taken_for(cluster, ask, host)} (it has {', '.join(have) or 'none'})"
        return Reason("gpu", host.name, ("model", what, *have), said)
    in_use = [gpu for gpu in able if scene.holders(host.name, gpu.id)]
    single = ask.count == 1 and len(vm.wants) == 1 and vm.needs in (Needs(), Needs(cuda=True))
    free = 0 if single else _free_count(scene, vm, ask, host)
    numbers = {"held": len(in_use), "total": len(able), "free": free, "asked": ask.count}
    together = together_on(vm)
    if free >= ask.count and together:
        return Reason("gpu", host.name, ("zone", what, together), "", numbers)
    if free == 0:
        code = "held" if ask.whole else "full"
        return Reason("gpu", host.name, (code, what), _held_by(scene, host, in_use), numbers)
    return Reason("gpu", host.name, ("few", what), "", numbers)


def _taken_for(cluster: Cluster, ask: Ask, host: Host) -> str:
    """Which model an asked name is taken for, where the host has another that it could mean (`H100` is one board of
    several).
    """
    find = cluster.catalogue.find
    there = {find(gpu.model).name for gpu in host.gpus}
    for name in ask.models or ():
        taken = find(name)
        if taken.known and there.intersection(cluster.catalogue.meant(name)) - {taken.name}:
            return f", which is {taken.name}"
    return ""


def _bare(gpu: Gpu) -> Gpu:
    """The GPU as if it kept no MIG layout."""
    return gpu if gpu.mig_layout is None else gpu.model_copy(update={"mig_layout": None})


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
        f"{'GPU' if len(ids) == 1 else 'GPUs'} {', '.join(ids)} {'is' if len(ids) == 1 else 'are'} held by {few(vms)}"
        for vms, ids in by.items()
    ]
    return "; ".join(said[:4]) + (" ..." if len(said) > 4 else "")


def sentence(reasons: Sequence[Reason]) -> str:
    """One sentence for hosts on which the same is lacking."""
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
