"""The night: hosts freed for jobs after hours, and everything back by the morning. Target, schedule, jobs, way back;
judged.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from placer.disagreement import Disagreement
from placer.judge.check import broken
from placer.judge.timed import TimedReplay
from placer.power_on import NOT_ALL_BOUNDED, Progress
from placer.steps import Steps
from placer_models.clock import Clock, merged
from placer_models.cluster import Vm
from placer_models.decision import Decision, Search, shipped_decision
from placer_models.document import Faults
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.night import NightGoal
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.moving import immovable
from placer_models.night import Consolidate, Job
from placer_models.plan import Plan, Unmoved, gap_of
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from placer.solve.jobs import Errand, Run
    from placer.solve.motion import Action, Schedule, Timed
    from placer.solve.night import Target, Ways, Work
    from placer.solve.run import Outcome

MOST_ROUNDS = 6
"""How often a target is chosen anew because its schedule did not fit the window or could not be carried out."""


@dataclass
class Night:
    """One window as it is planned: who stands where at its beginning, how many seconds it has, and what is wanted of
    it.

    `fixed` are VMs that are left alone, with the reason; `closed` hosts that are not to be emptied, with the reason.
    """

    clock: Clock
    seconds: int
    scene: Scene
    rules: Sequence[Rule]
    request: Consolidate
    errands: Sequence[Errand]
    fixed: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)

    @property
    def returns(self) -> bool:
        """Whether migrated VMs go back to where they were."""
        return self.request.way_back == "same-host"

    @property
    def resumes(self) -> bool:
        """Whether VMs that were suspended or stopped run again by the morning."""
        return self.request.way_back != "none"

    def in_scope(self, host: str) -> bool:
        """Whether the request is about this host."""
        return self.request.names_host(self.scene.cluster.hosts[host])

    @property
    def evening_seconds(self) -> int:
        """How long the evening may last, so that its mirror image ends in time."""
        return self.seconds // 2 if self.resumes else self.seconds

    def ways(self) -> dict[str, Ways]:
        """What may be done to each running VM; why nothing may be is noted in `fixed`."""
        return {stand.vm: self._ways(stand) for stand in self.scene.stands()}

    def _ways(self, stand: Stand) -> Ways:
        from placer.solve.night import Way, Ways

        cluster, limits = self.scene.cluster, self.request.limits
        vm = cluster.vms[stand.vm]
        if stand.vm in self.fixed:
            return Ways(False, ())
        if not self.in_scope(stand.host):
            self.fixed[stand.vm] = "is on a host outside the scope"
            return Ways(False, ())
        if vm.ready_by is not None and self.clock.seconds(vm.ready_by) < self.seconds:
            self.fixed[stand.vm] = "is to be ready before the others are back"
            return Ways(False, ())
        if any(rule.pins(vm) for rule in self.rules):
            self.fixed[stand.vm] = "must stay where it is"
            return Ways(False, ())
        refused = immovable(cluster, vm, stand)
        stun = stun_seconds(cluster, vm)
        most = min((limit for limit in (limits.stun_seconds, vm.stun_limit_seconds) if limit is not None), default=None)
        if refused is None and most is not None and stun > most:
            refused = f"would be stunned for {stun:g} s, and may be for {most:g} s"
        away: list[tuple[Way, int]] = []
        if vm.may.suspend and not any(hold.sharing == "passthrough" for hold in stand.holds):
            away.append(("suspend", self.seconds))
        if vm.may.power_cycle:
            away.append(("power-off", self.seconds + 1))
        if refused is not None and not away:
            self.fixed[stand.vm] = f"{refused}, nor suspended or stopped"
        return Ways(refused is None, tuple(away), math.ceil(stun * 1000), state_mib(cluster, vm))

    def drained_at_least(self, host: str) -> int:
        """The fewest seconds in which a host can be emptied."""
        cluster, limits = self.scene.cluster, self.request.limits
        vms = [cluster.vms[stand.vm] for stand in self.scene.on(host)]
        kinds = ("migrate", "suspend", "power-off")
        least = [min(step_seconds(cluster, vm, kind, limits) for kind in kinds) for vm in vms]
        return max(least, default=0)

    def hours(self, host: str, left: int) -> tuple[int, int]:
        """When a host that is empty after `left` seconds can have jobs."""
        return left, self.seconds - (left if self.resumes else 0)


def consolidate(
    snapshot: Snapshot,
    request: Consolidate,
    jobs: Sequence[Job] = (),
    decision: Decision | None = None,
    *,
    progress: Progress | None = None,
) -> Plan:
    """A plan for the night that `request` asks for.

    `decision` (default: the shipped `consolidate`) names rules, goals in their order, and the budget. The plan is
    replayed by the judge before it is returned; Disagreement is raised where the judge refuses it (a bug).
    """
    decision = decision or shipped_decision("consolidate")
    deadline = time.monotonic() + decision.search.time_limit_seconds
    cluster = snapshot.content
    rules, goals = decision.rules_of(snapshot.rules), decision.night_goals()
    spans = merged(span for window in request.windows for span in window.spans())
    if request.ready_by is not None and request.ready_by <= spans[0][0]:
        began = f"expected a time after the window has begun ({spans[0][0].isoformat()})"
        raise Faults("the request", [f"ready_by: found {request.ready_by.isoformat()}, {began}"])
    steps = Steps(cluster, Clock(spans[0][0]))
    scene, left = Scene.now(cluster), {job.name: job.instances for job in jobs}
    nights: list[tuple[Night, Result]] = []
    for number, (begin, end) in enumerate(spans, 1):
        clock, ready = Clock(begin), end if request.ready_by is None else min(end, request.ready_by)
        night = Night(clock, clock.seconds(ready), scene, rules, request, _errands(jobs, left, clock))
        result = _plan_night(night, goals, decision.search, deadline, progress)
        nights.append((night, result))
        _write(steps, night, result, steps.clock.seconds(begin), f"n{number}-" if len(spans) > 1 else "")
        scene = _morning_scene(night, result)
        for run in result.runs:
            left[run.job] -= 1
    outcomes = [result.outcome for _, result in nights]
    plan = steps.plan(
        snapshot,
        decision,
        request.kind,
        spans,
        _unmoved(*nights[0]),
        [breach for breaches in broken(Scene.now(cluster), rules) for breach in breaches],
        next((outcome.stopped for outcome in outcomes if outcome.stopped != "proven"), "proven"),
        sum(outcome.seconds for outcome in outcomes),
    )
    replay = TimedReplay(cluster, rules, request, jobs, plan)
    if replay.faults:
        raise Disagreement(replay.faults)
    return _scored(plan, goals, replay.score, outcomes)


def _write(steps: Steps, night: Night, result: Result, offset: int, mark: str) -> None:
    steps.evening(result.schedule.timed, offset, f"{mark}e")
    steps.jobs(result.runs, offset, f"{mark}j")
    steps.morning(result.back, offset, f"{mark}m")
    for host in result.target.emptied:
        left = result.schedule.left(host)
        begin, end = night.hours(host, left)
        steps.free(host, offset + begin, offset + end)


def _morning_scene(night: Night, result: Result) -> Scene:
    """Who stands where when a night is over."""
    if night.returns:
        return night.scene
    scene = night.scene.copy()
    for timed in result.schedule.timed:
        if timed.action.to is not None:
            scene.remove(timed.action.source)
            scene.put(timed.action.to)
        elif not night.resumes:
            scene.remove(timed.action.source)
    return scene


def _unmoved(night: Night, result: Result) -> list[Unmoved]:
    """The VMs that nothing could be done to, with the host that each keeps from being freed."""
    return [
        Unmoved(vm=stand.vm, host=stand.host, reasons=(night.fixed[stand.vm],))
        for stand in night.scene.stands()
        if stand.vm in night.fixed and stand.host not in result.target.emptied and night.in_scope(stand.host)
    ]


def _scored(plan: Plan, goals: Sequence[NightGoal], score: Mapping[str, int], outcomes: Sequence[Outcome]) -> Plan:
    """The plan with the judge's scores and the search's bounds.

    A bound holds given the scores of the goals before it: so the first goal of which the plan has less than its
    target promised is the last one with a bound. Of several nights, and of what only the clock tells (downtime beyond
    none, soonest), nothing is proven.
    """
    tiers = {tier.goal.kind: tier for tier in outcomes[0].tiers} if len(outcomes) == 1 else {}
    bounds: dict[str, int | None] = {}
    holds = bool(tiers)
    for goal in goals:
        tier = tiers.get(goal.kind)
        told = goal.kind not in ("downtime", "soonest") or (tier is not None and tier.score == score[goal.kind] == 0)
        bounds[goal.label] = tier.bound if holds and told and tier is not None else None
        holds = holds and tier is not None and tier.score == score[goal.kind]
    scores = {goal.label: score[goal.kind] for goal in goals}
    gaps = {label: gap_of(scores[label], bound) for label, bound in bounds.items()}
    closed = all(gap == 0 for gap in gaps.values())
    return plan.model_copy(
        update={
            "score": scores,
            "bound": bounds,
            "gap": gaps,
            "status": "optimal" if closed else "feasible",
            "stopped": NOT_ALL_BOUNDED if plan.stopped == "proven" and not closed else plan.stopped,
        }
    )


def _errands(jobs: Sequence[Job], left: Mapping[str, int], clock: Clock) -> list[Errand]:
    from placer.solve.jobs import Errand

    return [
        Errand(
            name=job.name,
            vm=Vm(name=job.name, power="off", cpus=job.cpus, memory_mib=job.memory_mib, gpus=job.gpus),
            instances=left[job.name],
            first=job.instances - left[job.name],
            seconds=math.ceil(job.hours * 3600),
            value=job.value,
            earliest=0 if job.not_before is None else max(0, -(-clock.seconds(job.not_before) // 1)),
            latest=10**9 if job.deadline is None else clock.seconds(job.deadline),
            whole_host=job.whole_host,
        )
        for job in jobs
        if left[job.name]
    ]


@dataclass
class Result:
    """A night's target with its schedule and its jobs, and what the search knows of it."""

    target: Target
    schedule: Schedule
    back: list[Timed]
    runs: list[Run]
    outcome: Outcome


def _plan_night(
    night: Night, goals: Sequence[NightGoal], search: Search, deadline: float, progress: Progress | None
) -> Result:
    """A target, its schedule and its jobs; a target that cannot be carried out in time is forbidden, and another
    chosen.

    The bounds are those of the first target, which knows of no such trouble: they hold for every plan.
    """
    from placer.solve.jobs import FreedHosts
    from placer.solve.motion import Schedule, list_schedule, mirrored
    from placer.solve.night import NightAsk, Target, solve_target
    from placer.solve.run import Outcome

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
    from placer.solve.jobs import FreedHosts
    from placer.solve.night import JobOn, Work

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
    from placer.solve.motion import Action

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
