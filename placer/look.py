"""A cluster as it stands: who holds what, what is free, what could still start, what is stranded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from placer.judge.check import broken
from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs
from placer_models.decision import Decision, shipped_decision
from placer_models.gpus import Use, free_slots
from placer_models.scene import Scene
from placer_models.seating import held, model_of, use_for
from placer_models.snapshot import Snapshot
from placer_models.view import GpuView, Holder, HostView, Total, View


def show(snapshot: Snapshot, decision: Decision | None = None) -> View:
    """Each host's use and GPUs, and what is left of them; the decision says which rules may be broken now."""
    decision = decision or shipped_decision("power_on")
    cluster = snapshot.content
    scene = Scene.now(cluster)
    asks = asks_of(cluster)
    hosts = tuple(_host(scene, host, asks) for host in cluster.hosts.values())
    up = [gpu for host in hosts if host.state == "up" for gpu in host.gpus]
    more: Counter[str] = Counter(dict.fromkeys(asks, 0))
    for gpu in up:
        more.update(gpu.more)
    return View(
        cluster=snapshot.cluster,
        taken_at=snapshot.taken_at.isoformat(),
        hosts=hosts,
        totals=tuple(_totals(hosts)),
        more=dict(more),
        running=sum(vm.power == "on" for vm in cluster.vms.values()),
        asked=len(cluster.asked),
        broken_now=tuple(breach.said for found in broken(scene, decision.rules_of(snapshot.rules)) for breach in found),
        snapshot_sha256=snapshot.sha256,
    )


def asks_of(cluster: Cluster) -> Mapping[str, tuple[Ask, Needs]]:
    """One item of each GPU ask that the snapshot's VMs have, by name; whole GPUs always."""
    found: dict[str, tuple[Ask, Needs]] = {}
    for vm in cluster.vms.values():
        for ask in vm.wants:
            one = ask.model_copy(update={"count": 1})
            cuda = vm.needs.cuda and ask.profile is not None
            found.setdefault(_name(one, cuda), (one, Needs(cuda=cuda)))
    for host in cluster.hosts.values():
        for gpu in host.gpus:
            ask = Ask(models=(gpu.model,), mode=gpu.mode)
            found.setdefault(_name(ask, False), (ask, Needs()))
    return dict(sorted(found.items(), key=lambda item: _rank(item[0], item[1][0])))


def _rank(name: str, ask: Ask) -> tuple[bool, bool, str, int, str]:
    """Profiles first, then shares from small to large, then whole GPUs."""
    models = "" if ask.profile else str(ask.models)
    return ask.profile is None, ask.whole, models, ask.milli or 0, name


def _name(ask: Ask, cuda: bool) -> str:
    models = " or ".join(ask.models) if ask.models else "any GPU"
    if ask.mode == "compute" and not models.endswith(".compute"):
        models += ".compute"
    if ask.profile is not None:
        return f"{ask.profile} with CUDA" if cuda else ask.profile
    return f"whole {models}" if ask.milli is None else f"{ask.milli}/1000 of {models}"


def _host(scene: Scene, host: Host, asks: Mapping[str, tuple[Ask, Needs]]) -> HostView:
    use = scene.use(host.name)
    return HostView(
        name=host.name,
        state=host.state,
        vms=sum(1 for _ in scene.on(host.name)),
        cpus_used=use.cpu_milli / 1000,
        cpus=host.cpu_room_milli / 1000,
        memory_used_mib=use.gpu_vms_memory_mib + use.other_memory_mib * 1000 // host.memory_ratio_milli,
        memory_mib=host.memory_room_mib,
        gpus=tuple(_gpu(scene, host, gpu, asks) for gpu in host.gpus),
    )


def _gpu(scene: Scene, host: Host, gpu: Gpu, asks: Mapping[str, tuple[Ask, Needs]]) -> GpuView:
    model = model_of(scene.cluster, gpu)
    free = max(0, 1000 - sum(use.share_milli for use, _ in held(scene, host, gpu)))
    more, best = {}, 0
    for name, (ask, needs) in asks.items():
        count, milli = _most(scene, host, gpu, ask, needs)
        if count:
            more[name] = count
        best = max(best, milli)
    stranded = max(0, free - best)
    return GpuView(
        id=gpu.id,
        model=gpu.model,
        mode=gpu.mode,
        sharing=scene.sharing(host.name, gpu),
        holders=tuple(
            Holder(vm=stand.vm, profile=hold.profile, slot=hold.slot, milli=hold.milli)
            for stand, hold in scene.holders(host.name, gpu.id)
        ),
        free_milli=free,
        more=more,
        stranded_milli=stranded,
        stranded_mib=None if model.memory_mib is None else stranded * model.memory_mib // 1000,
    )


def _most(scene: Scene, host: Host, gpu: Gpu, ask: Ask, needs: Needs) -> tuple[int, int]:
    """How many more items of an ask a GPU can take, in the sharing that takes most, and how many thousandths that is.

    Items of one ask are equally long, so filling from the lowest legal slot upwards takes as many as any way does.
    """
    now, best = held(scene, host, gpu), (0, 0)
    for sharing in (scene.sharing(host.name, gpu),) if scene.holders(host.name, gpu.id) else gpu.sharings:
        use = use_for(scene.cluster, ask, needs, gpu, sharing)
        if use is None:
            continue
        row = model_of(scene.cluster, gpu).row_units(sharing)
        if use.starts is None:
            count = (row - sum(other.units for other, _ in now)) // use.units
        else:
            count = _filled(use, row, now)
        best = max(best, (count, count * use.share_milli))
    return best


def _filled(use: Use, row: int, now: tuple[tuple[Use, int | None], ...]) -> int:
    count = 0
    while slots := free_slots(use, row, now):
        now = (*now, (use, slots[0]))
        count += 1
    return count


def _totals(hosts: tuple[HostView, ...]) -> Iterator[Total]:
    groups: dict[str, list[tuple[HostView, GpuView]]] = defaultdict(list)
    for host in hosts:
        for gpu in host.gpus:
            suffix = ".compute" if gpu.mode == "compute" and not gpu.model.endswith(".compute") else ""
            groups[gpu.model + suffix].append((host, gpu))
    for model, gpus in groups.items():
        up = [gpu for host, gpu in gpus if host.state == "up"]
        known = [gpu.stranded_mib for gpu in up if gpu.stranded_mib is not None]
        yield Total(
            model=model,
            gpus=len(gpus),
            not_up=len(gpus) - len(up),
            empty=sum(not gpu.holders for gpu in up),
            free_milli=sum(gpu.free_milli for gpu in up),
            stranded_milli=sum(gpu.stranded_milli for gpu in up),
            stranded_mib=sum(known) if len(known) == len(up) else None,
        )
