"""Pictures of a cluster at an instant of a plan: hosts, their GPUs and who holds them, as the judge replays it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from placer.judge.stage import Presence
from placer.judge.timed import TimedReplay
from placer.judge.timeline import EVER, NEVER
from placer.report.clock import WallClock
from placer_models.cluster import Cluster, Gpu, Host
from placer_models.gpus_use import POSITIONAL, model_of, use_of
from placer_models.plan import Plan
from placer_models.scene import Hold, Scene, Stand

MOST_HOSTS = 60
"""Of a larger cluster only the hosts with which the plan has to do are drawn."""


@dataclass(frozen=True)
class Holding:
    """What one VM or job has of a GPU, in thousandths from the left; `who` is home, guest (it stood elsewhere before)
    or job.
    """

    name: str
    who: str
    what: str
    left: float
    width: float


@dataclass(frozen=True)
class GpuCard:
    """One GPU, and who holds it."""

    id: str
    model: str
    sharing: str
    holdings: Sequence[Holding]


@dataclass(frozen=True)
class HostCard:
    """One host: `state` is a word about it where there is something to say; `others` hold no GPU; `alone`: a job has
    the whole host.
    """

    name: str
    state: str
    gpus: Sequence[GpuCard]
    others: Sequence[Holding]
    alone: bool
    count: int


@dataclass(frozen=True)
class Picture:
    """The cluster at one instant; `away` are the VMs that ran before the plan and do not now."""

    title: str
    hosts: Sequence[HostCard]
    left_out: int
    away: Sequence[str]


def pictures(plan: Plan, replay: TimedReplay, clock: WallClock) -> Iterator[Picture]:
    """Before the plan, in each of its windows when most hosts are freed and most jobs run, and after it."""
    first = replay.first
    hosts = [host for host in first.hosts.values() if len(first.hosts) <= MOST_HOSTS or host.name in touched(plan)]
    begin = [presence for presence in replay.history if presence.start == EVER]
    homes = {(presence.stand.vm, presence.stand.host) for presence in begin}
    yield _picture("Before", plan, first, hosts, begin, homes, None)
    for window in plan.window:
        instant = _fullest(plan, window.from_, window.until)
        now = [one for one in replay.history if one.start <= instant.timestamp() < one.end]
        yield _picture(f"In the night, at {clock.day(instant)}", plan, first, hosts, now, homes, instant)
    last = [presence for presence in replay.history if presence.end == NEVER]
    yield _picture("After", plan, first, hosts, last, homes, None)


def touched(plan: Plan) -> set[str]:
    """The hosts that a plan names."""
    steps = {host for step in plan.steps for host in (step.host, step.leaves, step.reaches) if host is not None}
    freed_or_used = {one.host for one in plan.freed} | {run.host for run in plan.jobs}
    return steps | freed_or_used | {one.host for one in plan.unmoved} | {one.host for one in plan.left_out}


def _fullest(plan: Plan, start: datetime, end: datetime) -> datetime:
    """When in a window most hosts are freed or in maintenance, and then most jobs run; the first such instant."""
    held = [(one.from_, one.until) for one in plan.freed] + list(_maintenance(plan))
    runs = [(run.start, run.end) for run in plan.jobs]
    instants = [start, *(edge for edge, _ in (*held, *runs) if start <= edge < end)]

    def count(spans: Sequence[tuple[datetime, datetime]], instant: datetime) -> int:
        return sum(begin <= instant < until for begin, until in spans)

    return min(instants, key=lambda instant: (-count(held, instant), -count(runs, instant), instant))


def _maintenance(plan: Plan, host: str | None = None) -> Iterator[tuple[datetime, datetime]]:
    entered: dict[str | None, datetime] = {}
    for step in sorted(plan.steps, key=lambda step: step.start):
        if step.kind == "enter-maintenance" and host in (None, step.host):
            entered[step.host] = step.end
        elif step.kind == "leave-maintenance" and step.host in entered:
            yield entered.pop(step.host), step.start


def _picture(
    title: str,
    plan: Plan,
    cluster: Cluster,
    hosts: Sequence[Host],
    now: Sequence[Presence],
    homes: set[tuple[str, str]],
    instant: datetime | None,
) -> Picture:
    stands = [presence.stand for presence in now]
    there = {stand.vm for stand in stands}
    scene = Scene(cluster)
    for stand in stands:
        if stand.vm in cluster.vms:
            scene.put(stand)
    whole = {job.name for job in (plan.asked.jobs if plan.asked else ()) if job.whole_host}
    alone = {f"job/{run.job}/{run.instance}" for run in plan.jobs if run.job in whole}
    cards = [
        _host(scene, host, [one for one in stands if one.host == host.name], homes, alone, _state(plan, host, instant))
        for host in hosts
    ]
    return Picture(title, cards, len(cluster.hosts) - len(hosts), sorted({vm for vm, _ in homes} - there))


def _state(plan: Plan, host: Host, instant: datetime | None) -> str:
    if instant is not None:
        if any(one.host == host.name and one.from_ <= instant < one.until for one in plan.freed):
            return "freed"
        if any(start <= instant < end for start, end in _maintenance(plan, host.name)):
            return "maintenance"
    return "" if host.state == "up" else host.state


def _host(
    scene: Scene, host: Host, stands: Sequence[Stand], homes: set[tuple[str, str]], alone: set[str], state: str
) -> HostCard:
    gpus = tuple(_gpu(scene, host, gpu, stands, homes) for gpu in host.gpus)
    others = tuple(_holding(stand, homes, "", 0, 0) for stand in stands if not stand.holds)
    return HostCard(host.name, state, gpus, others, any(stand.vm in alone for stand in stands), len(stands))


def _gpu(scene: Scene, host: Host, gpu: Gpu, stands: Iterable[Stand], homes: set[tuple[str, str]]) -> GpuCard:
    holds = [(stand, hold) for stand in stands for hold in stand.holds if hold.gpu == gpu.id]
    holds.sort(key=lambda pair: pair[1].slot or 0)
    sharing = holds[0][1].sharing if holds else scene.sharing(host.name, gpu)
    made, place = [], 0.0
    for stand, hold in holds:
        use = use_of(scene.cluster, gpu, hold)
        width = use.share_milli if use else 1000.0
        if use and hold.slot is not None and sharing in POSITIONAL:
            place = 1000 * hold.slot / model_of(scene.cluster, gpu).row_units(sharing)
        made.append(_holding(stand, homes, _what(hold), place, width))
        place += width
    return GpuCard(gpu.id, gpu.model, sharing, made)


def _what(hold: Hold) -> str:
    if hold.profile is not None:
        return hold.profile if hold.slot is None else f"{hold.profile} at slot {hold.slot}"
    return "whole GPU" if hold.milli is None else f"{hold.milli}/1000"


def _holding(stand: Stand, homes: set[tuple[str, str]], what: str, left: float, width: float) -> Holding:
    job = stand.vm.startswith("job/") and not any(vm == stand.vm for vm, _ in homes)
    who = "job" if job else "home" if (stand.vm, stand.host) in homes else "guest"
    return Holding(stand.vm.removeprefix("job/") if job else stand.vm, who, what, left, width)
