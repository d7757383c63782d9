"""What a night's plan must keep beside the rules, looked at once it is played: windows, limits, hosts, jobs, way back.

Each function yields sentences. What all of it means is said in `placer.judge.timed`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from placer.judge.stage import Presence, Spell, Stage
from placer.judge.timeline import CLOCK, EVER, JOB_STEPS, NEVER, Act, Interval, Run, spans, told
from placer_models.cluster import Host, Vm
from placer_models.motion import state_mib
from placer_models.night import Consolidate, Evacuate, Job, LinkLimit

Load = tuple[int, int, int, str]
"""From an instant until just before another, so much, by whom."""


def faults(stage: Stage, jobs: Sequence[Job]) -> Iterator[str]:
    """Everything, in the order of this file."""
    yield from _windows(stage)
    yield from _traffic(stage)
    yield from _store(stage)
    yield from _shut_gpus(stage)
    yield from _restarts(stage)
    yield from _evacuation(stage)
    yield from _freed(stage)
    yield from _runs(stage)
    yield from _instances(stage, jobs)
    yield from _gains(stage)
    yield from _way_back(stage)


def _windows(stage: Stage) -> Iterator[str]:
    windows = spans(stage.request.windows)
    for act in stage.timeline.acts:
        inside = any(begin <= act.start and act.end <= end for begin, end in windows)
        if act.step.kind not in JOB_STEPS and not inside and not stage.midway.is_told(act):
            yield f"{act.path}: {told(act.start)} to {told(act.end)} is not inside a window"
    everything: list[Act | Run] = [*stage.timeline.acts, *stage.timeline.runs]
    for one in everything:
        if one.start < stage.at and not stage.midway.is_told(one):
            yield f"{one.path}: starts at {told(one.start)}, before {told(stage.at)}"


def _crowded(loads: Iterable[Load], most: float) -> Iterator[tuple[int, int, str]]:
    """The starts at which the sum of what is under way rises above `most`: when, to how much, by whom."""
    loads = list(loads)
    changes = sorted(
        [(end, 0, -amount, who) for _, end, amount, who in loads]
        + [(start, 1, amount, who) for start, _, amount, who in loads],
        key=lambda change: change[:2],
    )
    total = 0
    for instant, starts, amount, who in changes:
        total += amount
        if starts and total > most:
            yield instant, total, who


def _traffic(stage: Stage) -> Iterator[str]:
    limits = stage.request.limits
    moves = [act for act in stage.begun if act.step.kind == "migrate"]
    count = len(moves)
    count += sum(act.step.kind == "migrate" and stage.midway.is_told(act) for act in stage.timeline.acts)
    if limits.most_moves is not None and count > limits.most_moves:
        yield f"{count} migrations, at most {limits.most_moves} are allowed"
    at_once: dict[str, list[Load]] = defaultdict(list)
    for act in moves:
        for host in (str(act.step.leaves), str(act.step.reaches)):
            at_once[host].append(_load(act))
    for host, loads in at_once.items():
        for instant, count, who in _crowded(loads, limits.moves_at_once_per_host):
            most = limits.moves_at_once_per_host
            yield f"{who}: {host} has {count} migrations under way at {told(instant)}, at most {most} are allowed"
    if limits.moves_at_once is not None:
        for instant, count, who in _crowded(map(_load, moves), limits.moves_at_once):
            yield f"{who}: {count} migrations are under way at {told(instant)}, at most {limits.moves_at_once} may be"
    for link in limits.links:
        yield from _links(link, limits.mib_per_second, moves, stage.first.hosts)


def _load(move: Act) -> Load:
    return move.start, move.end, 1, move.path


def _links(link: LinkLimit, rate: float, moves: Sequence[Act], hosts: Mapping[str, Host]) -> Iterator[str]:
    """What links of one label bear too much, where each migration is given so many MiB per second."""
    by_value: dict[str, list[Load]] = defaultdict(list)
    for act in moves:
        values = [hosts[str(host)].labels.get(link.label) for host in (act.step.leaves, act.step.reaches)]
        if values[0] != values[1]:
            for value in (value for value in values if value is not None):
                by_value[value].append(_load(act))
    for value, loads in by_value.items():
        where = f"the link of {link.label} {value}"
        if link.moves_at_once is not None:
            for instant, count, who in _crowded(loads, link.moves_at_once):
                most = link.moves_at_once
                yield f"{who}: {where} has {count} migrations at {told(instant)}, at most {most} may be"
        if link.mib_per_second is not None:
            for instant, count, who in _crowded(loads, link.mib_per_second / rate + 1e-9):
                most_mib = f"{count * rate:g} MiB/s at {told(instant)}, at most {link.mib_per_second:g}"
                yield f"{who}: {where} carries {most_mib}"


def _store(stage: Stage) -> Iterator[str]:
    most = stage.request.limits.store_mib
    if most is None:
        return
    loads: list[Load] = []
    began = dict.fromkeys(stage.midway.asleep, (stage.midway.at, "the snapshot"))
    for act in stage.begun:
        name = str(act.step.vm)
        if act.step.kind == "suspend":
            began[name] = (act.start, act.path)
        elif act.step.kind == "resume":
            start, path = began.pop(name)
            loads.append((start, act.end, state_mib(stage.first, stage.first.vms[name]), path))
    for name, (start, path) in began.items():
        loads.append((start, NEVER, state_mib(stage.first, stage.first.vms[name]), path))
    for instant, total, who in _crowded(loads, most):
        yield f"{who}: the store holds {total} MiB of suspended VMs at {told(instant)}, at most {most}"


def _shut_gpus(stage: Stage) -> Iterator[str]:
    by_gpu: dict[tuple[str, str], list[Presence]] = defaultdict(list)
    if stage.host_times.shut:
        for presence in stage.history:
            for hold in presence.stand.holds:
                by_gpu[presence.stand.host, hold.gpu].append(presence)
    for shut in stage.host_times.shut:
        for presence in by_gpu[shut.host, shut.gpu] if shut.end > stage.midway.at else ():
            if _meet(presence, (max(shut.start, stage.midway.at), shut.end)):
                yield f"{shut.act.path}: {shut.host}: GPU {shut.gpu} {shut.why}, and {presence.stand.vm} holds it"


def _restarts(stage: Stage) -> Iterator[str]:
    restarts = [act for act in stage.timeline.acts if act.step.kind == "restart-host"]
    for act in (act for act in restarts if not stage.midway.is_told(act)):
        for presence in stage.history:
            if presence.stand.host == act.step.host and _meet(presence, (max(act.start, stage.midway.at), act.end)):
                yield f"{act.path}: {act.step.host} restarts, and {presence.stand.vm} stands there"


def _meet(presence: Presence, interval: Interval) -> bool:
    """Whether somebody stands there at an instant of the interval, or just before and after one that is empty."""
    return presence.start < interval[1] and interval[0] < presence.end


def _evacuation(stage: Stage) -> Iterator[str]:
    request = stage.request
    if isinstance(request, Consolidate) and request.way_back != "none":
        yield from stage.host_times.not_put_back(stage.scene)
    if not isinstance(request, Evacuate):
        return
    done = [one for host in request.hosts for one in stage.host_times.maintenance.get(host, ())]
    for one in done:
        minutes = ((one.leave.start if one.leave else NEVER) - one.enter.end) / 60
        if minutes < request.minutes:
            yield (
                f"{one.enter.path}: {one.enter.step.host} is in maintenance for {minutes:g} minutes, "
                f"{request.minutes} are needed"
            )
    if request.at_once is not None:
        loads = ((one.start, one.end, 1, one.enter.path) for one in done if one.start < one.end)
        for instant, count, who in _crowded(loads, request.at_once):
            yield f"{who}: {count} hosts are in maintenance at {told(instant)}, at most {request.at_once} may be"
    if request.in_order:
        firsts = [its[0] for host in request.hosts if (its := stage.host_times.maintenance.get(host))]
        for before, after in pairwise(firsts):
            if after.start < before.start:
                yield f"{after.enter.path}: {after.enter.step.host} comes before {before.enter.step.host}, out of order"


def _freed(stage: Stage) -> Iterator[str]:
    there: dict[str, list[Presence]] = defaultdict(list)
    for presence in stage.history:
        if presence.stand.vm in stage.first.vms:
            there[presence.stand.host].append(presence)
    windows = spans(stage.request.windows) if isinstance(stage.request, Consolidate) else [(EVER, NEVER)]
    for host, intervals in stage.timeline.freed.items():
        for begin, end in intervals:
            if begin >= stage.midway.at and not any(first <= begin and end <= last for first, last in windows):
                yield f"{host}: is free from {told(begin)} until {told(end)}, which is not inside a window"
        for interval in _from(stage.midway.at, intervals):
            for presence in there[host]:
                if _meet(presence, interval):
                    yield (
                        f"{host}: is not free from {told(interval[0])} until {told(interval[1])}: "
                        f"{presence.stand.vm} stands there {_when(presence)}"
                    )


def _from(instant: int, intervals: Iterable[Interval]) -> Iterator[Interval]:
    """What is left of intervals from an instant on."""
    yield from ((max(begin, instant), end) for begin, end in intervals if end > instant)


def _when(presence: Presence) -> str:
    since = "" if presence.start == EVER else f"from {told(presence.start)}"
    until = "to the end" if presence.end == NEVER else f"until {told(presence.end)}"
    return f"{since} {until}".strip()


def _runs(stage: Stage) -> Iterator[str]:
    on: dict[str, list[Presence]] = defaultdict(list)
    for presence in stage.history:
        on[presence.stand.host].append(presence)
    for run in stage.timeline.runs:
        job, host = run.job, run.run.host
        if stage.midway.is_told(run):
            continue
        if job.not_before is not None and run.run.start < job.not_before and run.start >= stage.midway.at:
            yield f"{run.path}: starts at {told(run.start)}, before {job.not_before.isoformat()}"
        if job.deadline is not None and run.run.end > job.deadline and run.start >= stage.midway.at:
            yield f"{run.path}: ends at {told(run.end)}, after its deadline {job.deadline.isoformat()}"
        if not any(begin <= run.start and run.end <= end for begin, end in stage.timeline.freed.get(host, ())):
            yield f"{run.path}: {host} is not freed from {told(run.start)} until {told(run.end)}"
        if job.whole_host:
            for presence in on[host]:
                if presence.stand.vm != run.vm and _meet(presence, (max(run.start, stage.midway.at), run.end)):
                    yield f"{run.path}: wants the whole host, and {presence.stand.vm} stands there {_when(presence)}"


def _instances(stage: Stage, jobs: Sequence[Job]) -> Iterator[str]:
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in stage.timeline.runs:
        runs[run.vm].append(run)
    for name, its in runs.items():
        job = its[0].job
        seconds = sum(run.end - run.start for run in its)
        fresh = [run for run in its if run.start >= stage.midway.at]
        if not job.checkpointed and fresh != its:  # what ran before may have been stopped: an instance begins again
            its, seconds = fresh, sum(run.end - run.start for run in fresh)
        if not job.checkpointed and len(its) > 1:
            yield f"{name}: has {len(its)} runs, and cannot be checkpointed"
        elif its and not job.checkpointed and seconds < job.hours * 3600:
            yield f"{name}: runs for {seconds} s, needs {job.hours:g} h"


def _gains(stage: Stage) -> Iterator[str]:
    """Freed hosts that VMs had to leave for less than the least gain. An instance that runs on several hosts gives each
    of them the part of its value that is the part of its time there.
    """
    request = stage.request
    if not isinstance(request, Consolidate) or not request.limits.least_gain:
        return
    named = request.free if isinstance(request.free, tuple) else ()
    stood = {presence.stand.host for presence in stage.history if presence.start == EVER}
    seconds: dict[str, int] = defaultdict(int)
    for run in stage.timeline.runs:
        seconds[run.vm] += run.end - run.start
    gains: dict[str, Fraction] = defaultdict(Fraction)
    for run in stage.timeline.runs:
        gains[run.run.host] += Fraction(run.job.value * (run.end - run.start), seconds[run.vm])
    for host, intervals in stage.timeline.freed.items():
        meant = host in stood and host not in named and any(_from(stage.midway.at, intervals))
        if meant and gains[host] < request.limits.least_gain:
            gain, least = float(gains[host]), request.limits.least_gain
            yield f"{host}: is freed for a job value of {gain:g}, at least {least} is asked"


def _way_back(stage: Stage) -> Iterator[str]:
    way = stage.request.way_back
    if way == "none":
        return
    windows = spans(stage.request.windows)
    touched = dict.fromkeys([*(str(act.step.vm) for act in stage.begun), *stage.midway.homes])
    known = (stage.first.vms[name] for name in touched if name in stage.first.vms)
    for vm in (vm for vm in known if vm.name not in stage.midway.excused):
        home = stage.home(vm)
        spells = [spell for spell in stage.spells(vm.name) if way == "any-host" or spell.host == home]
        dues = _due(stage, vm, windows)
        for due in ((max(begin, stage.midway.at), end) for begin, end in dues if end > stage.midway.at):
            if not _covers(spells, due):
                where = f"on {home} " if way == "same-host" else ""
                until = f" and until {told(due[1])}" if due[1] > due[0] else ""
                yield f"{vm.name}: does not run {where}at {told(due[0])}{until}, when it is due"


def _due(stage: Stage, vm: Vm, windows: Sequence[Interval]) -> list[Interval]:
    """When a VM must run again: from an instant to another, both included."""
    ready = vm.ready_by or (stage.request.ready_by if isinstance(stage.request, Consolidate) else None)
    if ready is None:
        return [(end, end) for _, end in windows]
    instant = CLOCK.seconds(ready)
    until = next((end for begin, end in windows if begin <= instant <= end), instant)
    return [(instant, until), *((end, end) for begin, end in windows if begin > instant)]


def _covers(spells: Iterable[Spell], due: Interval) -> bool:
    """Whether the spells, which do not overlap, cover every instant of an interval."""
    covered = sum(max(0, min(spell.end, due[1] + 1) - max(spell.start, due[0])) for spell in spells)
    return covered == due[1] + 1 - due[0]
