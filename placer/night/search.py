"""The search for one window: a target, its schedule, its jobs and the way back. What cannot be carried out is
forbidden, and the search goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from placer.night.window import Night
from placer.solve.jobs import FreedHosts, Run
from placer.solve.motion import Action, Schedule, Timed, list_schedule, mirrored
from placer.solve.night import JobOn, NightAsk, Target, Work, solve_target
from placer.solve.run import Outcome, Progress
from placer_models.cluster import Vm
from placer_models.decision import Search
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.night import NightGoal
from placer_models.motion import step_seconds, stun_seconds

MOST_ROUNDS = 6
"""How often a target is chosen anew because its schedule did not fit the window or could not be carried out."""


@dataclass
class Result:
    """A night's target with its schedule and its jobs, and what the search knows of it."""

    target: Target
    schedule: Schedule
    back: list[Timed]
    runs: list[Run]
    outcome: Outcome


def plan_night(
    night: Night, goals: Sequence[NightGoal], search: Search, deadline: float, progress: Progress | None
) -> Result:
    """A target, its schedule and its jobs; a target that cannot be carried out in time is forbidden, and another
    chosen.

    The bounds are those of the first target, which knows of no such trouble: they hold for every plan.
    """
    request, limits = night.request, night.request.limits
    hosts = night.scene.cluster.hosts
    scope = [name for name, host in hosts.items() if request.names_host(host) and host.state == "up"]
    named = frozenset(request.free or ()) if not isinstance(request.free, int) else frozenset()
    first: Outcome | None = None
    for _ in range(MOST_ROUNDS):
        may_free = frozenset(name for name in scope if name not in night.closed and (not named or name in named))
        ask = NightAsk(
            ways=night.ways(),
            may_free=may_free,
            most_freed=request.free if isinstance(request.free, int) else None,
            most_moves=limits.most_moves,
            store_mib=limits.store_mib,
            named=named,
            least_gain=limits.least_gain,
            trips=2 if night.returns else 1,
            work=_work(night, may_free),
        )
        outcome, target = solve_target(night.scene, night.rules, goals, ask, search, deadline, progress)
        first = first or outcome
        rank = {host: i for i, host in enumerate(_urgent(night, target))}
        schedule = list_schedule(night.scene, night.rules, list(_actions(night, target)), limits, rank)
        hours = {host: night.hours(host, schedule.left(host)) for host in target.emptied}
        runs = FreedHosts(night.scene.cluster, night.rules, hours).take(night.errands, target.jobs)
        if not _troubles(night, target, schedule, runs, named):
            back = mirrored(schedule, night.seconds, None if night.returns else frozenset(target.away))
            return Result(target, schedule, back if night.resumes else [], runs, first)
    return Result(Target(), Schedule(), [], [], first or Outcome("unknown"))  # nothing tried can be done: all stays


def _troubles(night: Night, target: Target, schedule: Schedule, runs: Sequence[Run], named: frozenset[str]) -> bool:
    """Whether a target cannot be carried out as it is; what is in the way is left alone in the next one, and why is
    noted.
    """
    noted = len(night.fixed) + len(night.closed)
    for action in schedule.stuck:
        night.fixed[action.vm] = "would wait for room that waits for it"
    gains: dict[str, int] = defaultdict(int)
    for run in runs:
        gains[run.host] += run.errand.value
    for host in target.emptied:
        if schedule.left(host) > night.evening_seconds:
            night.closed[host] = "cannot be emptied within the window"
        elif host not in named and gains[host] < night.request.limits.least_gain:
            night.closed[host] = "would bring less than the least gain"
    for timed in schedule.timed:
        if timed.end > night.evening_seconds and timed.action.source.host not in night.closed:
            night.fixed[timed.action.vm] = "cannot be moved within the window"
    return len(night.fixed) + len(night.closed) > noted


def _urgent(night: Night, target: Target) -> list[str]:
    """The emptied hosts, those whose jobs need most of their time first."""
    seconds = {errand.name: errand.seconds for errand in night.errands}
    need: dict[str, int] = defaultdict(int)
    for (job, host), count in target.jobs.items():
        need[host] += count * seconds[job]
    return sorted(target.emptied, key=lambda host: (-need[host], host))


def _work(night: Night, may_free: frozenset[str]) -> Work:
    """The jobs for the target: what each host could do if it were emptied as fast as can be."""
    cluster = night.scene.cluster
    spots: list[JobOn] = []
    amounts: dict[tuple[str, str], dict[str, int]] = {}
    rooms: dict[str, dict[str, int]] = {}
    for name in sorted(may_free):
        host = cluster.hosts[name]
        opens, closes = night.hours(name, night.drained_at_least(name))
        if closes <= opens:
            continue
        room = {"cpus": host.cpu_room_milli, "memory": host.memory_room_mib, "gpus": 1000 * len(host.gpus)}
        rooms[name] = {key: amount * (closes - opens) for key, amount in room.items()} | {"time": closes - opens}
        for errand in night.errands:
            length = min(closes, errand.latest) - max(opens, errand.earliest)
            at_once = FreedHosts(cluster, night.rules, {name: (0, errand.seconds)}).at_once(errand, name)
            most = at_once * (length // errand.seconds) if length > 0 else 0
            if most == 0:
                continue
            spots.append(JobOn(errand.name, name, most))
            takes = {"cpus": errand.vm.cpu_milli, "memory": errand.vm.memory_mib, "gpus": milli_of(cluster, errand.vm)}
            if errand.whole_host:
                takes = dict(room)
            amounts[(errand.name, name)] = {key: amount * errand.seconds for key, amount in takes.items()} | {
                "time": errand.seconds if errand.whole_host else 0
            }
    return Work(
        value={errand.name: errand.value for errand in night.errands},
        instances={errand.name: errand.instances for errand in night.errands},
        spots=spots,
        amounts=amounts,
        rooms=rooms,
    )


def _actions(night: Night, target: Target) -> Iterator[Action]:
    cluster, limits = night.scene.cluster, night.request.limits

    def seconds(
        vm: Vm, *kinds: str
    ) -> int:  # there and back take the same time, so that the way back is a mirror image
        return max(step_seconds(cluster, vm, kind, limits) for kind in kinds)

    for stand in target.stands:
        vm, (source,) = cluster.vms[stand.vm], night.scene.of(stand.vm)
        yield Action(stand.vm, "migrate", seconds(vm, "migrate"), source, stand, stun_seconds(cluster, vm))
    for name, way in target.away.items():
        vm, (source,) = cluster.vms[name], night.scene.of(name)
        kinds = ("suspend", "resume") if way == "suspend" else ("power-off", "power-on")
        yield Action(name, way, seconds(vm, *kinds), source)
