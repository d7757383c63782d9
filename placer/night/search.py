"""The search for one window: a target, its schedule, its jobs and the way back. What cannot be carried out is
forbidden, and the search goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from placer.judge.check import broken, worse
from placer.night.back import Back, after, way_back
from placer.night.flash import Flash, Flashing
from placer.night.quiet import breaking, undisturbed
from placer.night.window import THERE_AND_BACK, Night
from placer.night.work import work_of
from placer.progress import Progress
from placer.solve.budget import Budget
from placer.solve.detours import Detours
from placer.solve.errands import Run, gains_of, value_of
from placer.solve.motion import Schedule, list_schedule
from placer.solve.night import NightOutcome, solve_target
from placer.solve.target import NightAsk, NightQuestion, Target, Ways
from placer.solve.timing import sooner
from placer.solve.traffic import Action
from placer_models.decision import Search
from placer_models.goals.night import NightGoal
from placer_models.motion import state_mib, stun_seconds

MOST_ROUNDS = 6
"""How often a target is chosen anew because its schedule did not fit the window or could not be carried out."""

TARGET = 0.7
"""The part of the time that is left which a target takes at most where there are jobs: their hours are searched for
after it.
"""


@dataclass
class Result:
    """A night's target with its schedule and its jobs, and what the search knows of it. `hours` says from when until
    when each freed host is free.
    """

    target: Target
    schedule: Schedule
    back: Back
    hours: dict[str, tuple[int, int]]
    runs: list[Run]
    outcome: NightOutcome
    flashes: Sequence[Flash] = ()


def plan_night(
    night: Night, goals: Sequence[NightGoal], search: Search, budget: Budget, progress: Progress | None
) -> Result:
    """A target, its schedule and its jobs; a target that cannot be carried out in time is forbidden, and another
    chosen. When that has happened often enough, or no time is left, what can be carried out of the last one is kept.

    Where a target in which VMs make room for others cannot be carried out, or not with all of its jobs, one that only
    drains hosts is tried in its place: what it needs of the night is sure to be had.

    The bounds are those of the first target, which knows of no such trouble: they hold for every plan.
    """
    first: NightOutcome | None = None
    result: Result | None = None
    night.budget = budget
    for _ in range(MOST_ROUNDS):
        if result is not None and budget.over():
            break
        ask = ask_of(night)
        outcome, target = _target(night, goals, ask, search, budget, progress)
        first = first or outcome
        result = _carried_out(night, goals, ask, target, first, budget)
        noted = _noted(night, result)
        kept = noted.notes == night.notes and _value(result) >= target.score("job-value", ask)
        if not kept and not _drains(night, target) and not budget.over():
            sure = replace(ask, drain=True)
            _, other = _target(night, goals, sure, search, budget, progress)
            drained = _carried_out(night, goals, sure, other, first, budget)
            if _better(night, goals, ask, drained, result):
                result, noted = drained, _noted(night, drained)
        if noted.notes == night.notes:
            return result
        _note(night, noted)
    assert first is not None
    assert result is not None
    while True:
        result = _carried_out(night, goals, ask, _less(night, result.target), first, budget)
        noted = _noted(night, result)
        if noted.notes == night.notes:
            return result
        _note(night, noted)


def _target(
    night: Night, goals: Sequence[NightGoal], ask: NightAsk, search: Search, budget: Budget, progress: Progress | None
) -> tuple[NightOutcome, Target]:
    with budget.spending.part("target"), budget.share(TARGET if night.errands else 1.0):
        return solve_target(NightQuestion(night.scene, night.rules, goals, ask, search), budget, progress)


def _drains(night: Night, target: Target) -> bool:
    """Whether VMs leave only hosts that are emptied."""
    moved = (*(stand.vm for stand in target.stands), *target.away)
    return {night.scene.of(vm)[0].host for vm in moved} <= set(target.emptied)


def _better(night: Night, goals: Sequence[NightGoal], ask: NightAsk, drained: Result, result: Result) -> bool:
    """Whether what is carried out without trouble takes the place of another: of one with trouble only where it
    promises as much.
    """
    if _noted(night, drained).notes > night.notes:
        return False
    if _noted(night, result).notes > night.notes:
        return all(drained.target.score(goal.kind, ask) == result.target.score(goal.kind, ask) for goal in goals)
    return _value(drained) > _value(result)


def _value(result: Result) -> int:
    """What the jobs bring that run."""
    return value_of(result.runs)


def _noted(night: Night, result: Result) -> Night:
    """The night with what of a result is in the way noted, too."""
    noted = replace(night, fixed=dict(night.fixed), closed=dict(night.closed), not_to=dict(night.not_to))
    _trouble(noted, result)
    return noted


def _note(night: Night, noted: Night) -> None:
    night.fixed, night.closed, night.not_to = noted.fixed, noted.closed, noted.not_to


def ask_of(night: Night) -> NightAsk:
    """What a night's target must keep."""
    request, limits = night.request, night.request.limits
    named = frozenset(request.free or ()) if not isinstance(request.free, int) else frozenset[str]()
    may_free = frozenset(
        name
        for name, host in night.scene.cluster.hosts.items()
        if request.names_host(host) and host.state == "up" and name not in night.closed and (not named or name in named)
    )
    return NightAsk(
        ways=night.ways(),
        may_free=may_free,
        most_freed=request.free if isinstance(request.free, int) else None,
        most_moves=limits.most_moves,
        store_mib=limits.store_mib,
        named=named,
        least_gain=limits.least_gain,
        trips=2 if night.returns else 1,
        work=work_of(night, may_free),
    )


def _carried_out(
    night: Night, goals: Sequence[NightGoal], ask: NightAsk, target: Target, outcome: NightOutcome, budget: Budget
) -> Result:
    """When each step of a target runs, and each job."""
    with budget.spending.part("times"):
        return _in_time(night, goals, ask, target, outcome, budget)


def _in_time(
    night: Night, goals: Sequence[NightGoal], ask: NightAsk, target: Target, outcome: NightOutcome, budget: Budget
) -> Result:
    scene, rules, limits = night.scene, night.rules, night.request.limits
    actions, rank = list(_actions(night, target, ask.ways)), _urgent(night, target)
    moves = sum(action.kind == "migrate" for action in actions)
    detours = Detours(
        scene.cluster,
        rules,
        limits,
        ask.ways,
        [goal.kind for goal in goals],
        sorted(scene.cluster.hosts, key=lambda host: host in target.emptied),
        None if limits.most_moves is None else limits.most_moves // ask.trips - moves,
    )
    schedule = list_schedule(scene, rules, actions, limits, rank, detour=detours)
    if len(schedule.timed) > len(actions) and not schedule.stuck:  # those who step aside may do so from the beginning
        again = list_schedule(scene, rules, schedule.actions, limits, rank)
        if not again.stuck and again.seconds < schedule.seconds:
            schedule = again
    result = _finished(night, target, schedule, rank, outcome)
    if all(action.kind == "migrate" for action in schedule.actions) and not (schedule.stuck or night.carried.homes):
        faster = sooner(scene, rules, schedule, limits, budget, target.emptied)
        if faster is not schedule:
            other = _finished(night, target, faster, rank, outcome)
            if _noted(night, other).notes <= _noted(night, result).notes and _value(other) >= _value(result):
                return other
    return result


def _finished(
    night: Night, target: Target, schedule: Schedule, rank: Mapping[str, int], outcome: NightOutcome
) -> Result:
    """A schedule with its jobs and its way back."""
    scene = night.scene
    if schedule.stuck:
        return Result(target, schedule, Back([], scene), {}, [], outcome)
    back = way_back(night, schedule, rank)
    lefts, comes = schedule.lefts(), back.arrivals()
    hours = {host: (lefts.get(host, 0), comes.get(host, night.seconds)) for host in target.emptied}
    dusk = after(scene, schedule.actions)
    quiet = undisturbed(night, schedule, back, hours)
    every = sum(errand.value * errand.instances for errand in night.errands)
    runs, flashes = Flashing(night).runs(target, quiet, dusk, outcome.most("job-value", every))
    return Result(target, schedule, back, hours, runs, outcome, flashes)


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


def _less(night: Night, target: Target) -> Target:
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


def _urgent(night: Night, target: Target) -> dict[str, int]:
    """The emptied hosts, those whose jobs need most of their time first: 0, 1, ..., alike where they need as much."""
    seconds = {errand.name: errand.unit for errand in night.errands}
    need: dict[str, int] = dict.fromkeys(target.emptied, 0)
    for (job, host), count in target.jobs.items():
        need[host] += count * seconds[job]
    order = sorted(set(need.values()), reverse=True)
    return {host: order.index(amount) for host, amount in need.items()}


def _actions(night: Night, target: Target, ways: Mapping[str, Ways]) -> Iterator[Action]:
    cluster = night.scene.cluster
    for stand in target.stands:
        vm, (source,) = cluster.vms[stand.vm], night.scene.of(stand.vm)
        carry = ways[stand.vm].carry
        state = state_mib(cluster, vm)
        if carry is None:
            stun = stun_seconds(cluster, vm)
            yield Action(vm.name, "migrate", night.seconds_of(vm, "migrate"), source, stand, stun, state)
            continue
        off, on = THERE_AND_BACK[carry[0]]
        yield Action(vm.name, off, night.seconds_of(vm, off), source, state_mib=state)
        yield Action(vm.name, on, night.seconds_of(vm, on), None, stand, state_mib=state, leg=1)
    for name, way in target.away.items():
        vm, (source,) = cluster.vms[name], night.scene.of(name)
        yield Action(name, way, night.seconds_of(vm, way), source, state_mib=state_mib(cluster, vm))
