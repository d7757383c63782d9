"""What of a night's plan cannot be carried out; the next target leaves it alone."""

from __future__ import annotations

from dataclasses import replace

from placer.judge.check import broken, worse
from placer.night.quiet import breaking
from placer.night.result import Result
from placer.night.window import Night
from placer.solve.errands import gains_of
from placer.solve.target import Target


def troubled(night: Night, result: Result) -> Night:
    """The night with what of a result is in the way noted, too."""
    noted = replace(night, fixed=dict(night.fixed), closed=dict(night.closed), not_to=dict(night.not_to))
    _trouble(noted, result)
    return noted


def _trouble(night: Night, result: Result) -> None:
    """Note what cannot be carried out as it is: it is left alone in the next target."""
    schedule, back, target = result.schedule, result.back, result.target
    for action in schedule.stuck:
        if action.to is None or action.vm in night.not_to:
            night.fixed[action.vm] = "waits for room that is not left before it goes itself"
        else:
            night.not_to[action.vm] = frozenset((action.to.host,))
    night.fixed.update(back.late)
    if not schedule.stuck and not back.late:
        night.fixed.update(breaking(night, (*schedule.timed, *back.timed)))
    if back.begin is not None and back.begin < schedule.seconds:
        _too_short(night, result)
    else:  # there may be time to go and to come back, and none between
        at_all = (host for host, (begin, end) in result.hours.items() if begin >= end)
        night.closed.update(dict.fromkeys(at_all, "cannot be emptied within the window"))
    gains = gains_of(result.runs)
    for host in target.emptied if not schedule.stuck else ():
        if host not in _named(night) and gains[host] < night.request.limits.least_gain and night.scene.on(host):
            night.closed[host] = "would bring less than the least gain"
    for timed in schedule.timed:
        source = timed.action.source
        if timed.end > night.seconds and source is not None and source.host not in night.closed:
            night.fixed[timed.action.vm] = "cannot be moved within the window"


def _too_short(night: Night, result: Result) -> None:
    """The way back would begin before the evening is over: who is due early stays, else the hosts that take longest."""
    dues = {one.action.vm: night.due(one.action.vm) for one in result.back.timed}
    last = max(night.due(stand.vm) for stand in night.scene.stands())
    early = [vm for vm, due in dues.items() if due < last and vm not in night.fixed]
    begins = {one.action.vm: one.start for one in reversed(result.back.timed)}
    soonest = [vm for vm in early if begins[vm] < result.schedule.seconds]
    if soonest:
        for vm in soonest:
            night.fixed[vm] = f"could not be back at {night.clock.instant(dues[vm]).isoformat()}, when it is due"
        return
    lefts = result.schedule.lefts()
    for host in result.target.emptied:
        if lefts.get(host, 0) > last // 2:
            night.closed[host] = "cannot be emptied within the window"
    for timed in result.schedule.timed:
        source = timed.action.source
        if timed.end > last // 2 and source is not None and source.host not in night.closed:
            night.fixed[timed.action.vm] = "cannot be moved within the window"


def _named(night: Night) -> tuple[str, ...]:
    return night.request.free if isinstance(night.request.free, tuple) else ()


def lessened(night: Night, target: Target) -> Target:
    """A target without the VMs and hosts that are in the way; nothing moves at all where a rule would not hold then."""
    here = {stand.vm: stand.host for stand in night.scene.stands()}
    fixed = {vm for vm, host in here.items() if vm in night.fixed or host in night.closed}
    stands = [
        stand
        for stand in target.stands
        if stand.vm not in fixed and stand.host not in night.not_to.get(stand.vm, frozenset())
    ]
    gone = {vm: way for vm, way in target.away.items() if vm not in fixed}
    moved = {stand.vm for stand in stands} | gone.keys()
    after = night.scene.copy()
    for vm in moved:
        after.remove(night.scene.of(vm)[0])
    for stand in stands:
        after.put(stand)
    if worse(night.rules, broken(night.scene, night.rules), broken(after, night.rules)):
        return Target()
    emptied = [host for host in target.emptied if not after.on(host)]
    return Target(stands, gone, emptied, {spot: many for spot, many in target.jobs.items() if spot[1] in emptied})
