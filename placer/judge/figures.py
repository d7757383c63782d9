"""A cluster in figures before a plan, in the midst of it, and after it: what `placer show` counts, counted by the
judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from placer.judge.spare import Spares
from placer.judge.timed import TimedReplay
from placer.judge.timeline import EVER, NEVER
from placer_models.gpus_use import model_of
from placer_models.plan import Plan
from placer_models.scene import Scene


class Figures(NamedTuple):
    """The figures of a plan, under the plan's own keys; `meanwhile` are those of its `fullest` instant, none where it
    frees no host.
    """

    before: Mapping[str, int]
    meanwhile: Mapping[str, int]
    after: Mapping[str, int]


def figures_of(replay: TimedReplay) -> Figures:
    """The figures of a plan that was replayed."""
    spares, instant = Spares(replay.first), fullest(replay)
    before, after = (_count(replay, scene_at(replay, edge), spares) for edge in (EVER, NEVER - 1))
    meanwhile = {} if instant is None else _count(replay, scene_at(replay, instant), spares)
    return Figures(before, meanwhile, after)


def with_figures(plan: Plan, replay: TimedReplay) -> Plan:
    """The plan with the figures that the judge counts."""
    return plan.model_copy(update=figures_of(replay)._asdict())


def scene_at(replay: TimedReplay, instant: int) -> Scene:
    """Who stands where at an instant of a plan, runs of jobs among them, in the cluster as it then is."""
    running = {run.vm: replay.run_vm(run) for run in replay.timeline.runs if run.start <= instant < run.end}
    cluster = replace(replay.first, vms={**replay.cluster.vms, **running})
    for moment in sorted(set(replay.host_times.instants())):
        if moment <= instant:
            hosts = {**cluster.hosts, **replay.host_times.changed(moment, cluster)}
            cluster = replace(cluster, hosts=hosts)
    return Scene(cluster, (one.stand for one in replay.history if one.start <= instant < one.end))


def fullest(replay: TimedReplay) -> int | None:
    """When most hosts are freed at once, and then most jobs run: the first such instant."""
    freed = [interval for intervals in replay.timeline.freed.values() for interval in intervals]
    runs = [(run.start, run.end) for run in replay.timeline.runs]
    changes: Counter[int] = Counter()
    for weight, spans in ((len(runs) + 1, freed), (1, runs)):
        for start, end in spans:
            changes[start] += weight
            changes[end] -= weight
    best, most, now = None, 0, 0
    for instant in sorted(changes):
        now += changes[instant]
        if now > most:
            best, most = instant, now
    return best


def _count(replay: TimedReplay, scene: Scene, spares: Spares) -> dict[str, int]:
    vms, up = replay.first.vms, [host for host in scene.cluster.hosts.values() if host.state == "up"]
    found = {
        "hosts_with_vms": sum(any(stand.vm in vms for stand in scene.on(host)) for host in scene.cluster.hosts),
        "vms_running": len({stand.vm for stand in scene.stands() if stand.vm in vms}),
        "job_instances_running": sum(stand.vm not in vms for stand in scene.stands()),
        "hosts_up": len(up),
        "gpus_empty": 0,
        "gpu_free_milli": 0,
        "gpu_free_mib": 0,
        "gpu_stranded_milli": 0,
        "gpu_stranded_mib": 0,
    }
    more: Counter[str] = Counter(dict.fromkeys(spares.asks, 0))
    sized = True
    for host in up:
        for gpu in host.gpus:
            spare, memory = spares.of(scene, host, gpu), model_of(scene.cluster, gpu).memory_mib
            found["gpus_empty"] += not scene.holders(host.name, gpu.id)
            found["gpu_free_milli"] += spare.free_milli
            found["gpu_stranded_milli"] += spare.stranded_milli
            found["gpu_free_mib"] += spare.free_milli * (memory or 0) // 1000
            found["gpu_stranded_mib"] += spare.stranded_mib or 0
            sized = sized and memory is not None
            more.update(spare.more)
    if not sized:
        del found["gpu_free_mib"], found["gpu_stranded_mib"]
    if not replay.timeline.runs:
        del found["job_instances_running"]
    return found | {f"could_start: {name}": count for name, count in more.items()}
