"""A night's target with its clock times: when each step runs, the way back, and the jobs on the hosts that are free
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from placer.night.back import Back, after, way_back
from placer.night.flash import Flashing
from placer.night.quiet import undisturbed
from placer.night.result import Result
from placer.night.trouble import troubled
from placer.night.window import THERE_AND_BACK, Night
from placer.solve.budget import Budget
from placer.solve.detours import Detours
from placer.solve.motion import Schedule, list_schedule
from placer.solve.night import NightOutcome
from placer.solve.target import NightAsk, Target, Ways
from placer.solve.timing import sooner
from placer.solve.traffic import Action
from placer_models.goals.night import NightGoal
from placer_models.motion import state_mib, stun_seconds


def carried_out(
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
            if troubled(night, other).notes <= troubled(night, result).notes and other.value >= result.value:
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
