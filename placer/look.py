"""A cluster as it stands: who holds what, what is free, what could still start, what is stranded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from placer.called import check_call
from placer.judge.check import broken
from placer.judge.spare import Spares
from placer_models.cluster import Gpu, Host, with_mode
from placer_models.decision import Decision, shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from placer_models.view import GpuView, Holder, HostView, Total, View


def show(snapshot: Snapshot, decision: Decision | None = None) -> View:
    """Each host's use and GPUs, and what is left of them; the decision says which rules may be broken now."""
    check_call(snapshot, decision)
    decision = decision or shipped_decision("power_on")
    cluster = snapshot.content
    scene = Scene.now(cluster)
    spares = Spares(cluster)
    hosts = tuple(_host(scene, host, spares) for host in cluster.hosts.values())
    up = [gpu for host in hosts if host.state == "up" for gpu in host.gpus]
    more: Counter[str] = Counter(dict.fromkeys(spares.asks, 0))
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


def _host(scene: Scene, host: Host, spares: Spares) -> HostView:
    use = scene.use(host.name)
    return HostView(
        name=host.name,
        state=host.state,
        vms=sum(1 for _ in scene.on(host.name)),
        cpus_used=use.cpu_milli / 1000,
        cpus=host.cpu_room_milli / 1000,
        memory_used_mib=use.gpu_vms_memory_mib + use.other_memory_mib * 1000 // host.memory_ratio_milli,
        memory_mib=host.memory_room_mib,
        gpus=tuple(_gpu(scene, host, gpu, spares) for gpu in host.gpus),
    )


def _gpu(scene: Scene, host: Host, gpu: Gpu, spares: Spares) -> GpuView:
    spare = spares.of(scene, host, gpu)
    return GpuView(
        id=gpu.id,
        model=gpu.model,
        mode=gpu.mode,
        sharing=scene.sharing(host.name, gpu),
        holders=tuple(
            Holder(vm=stand.vm, profile=hold.profile, slot=hold.slot, milli=hold.milli)
            for stand, hold in scene.holders(host.name, gpu.id)
        ),
        free_milli=spare.free_milli,
        more=spare.more,
        stranded_milli=spare.stranded_milli,
        stranded_mib=spare.stranded_mib,
    )


def _totals(hosts: tuple[HostView, ...]) -> Iterator[Total]:
    groups: dict[str, list[tuple[HostView, GpuView]]] = defaultdict(list)
    for host in hosts:
        for gpu in host.gpus:
            groups[with_mode(gpu.model, gpu.mode)].append((host, gpu))
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
