"""The night: hosts freed for jobs after hours, and everything back by the morning. Planned window by window, written as
one plan, judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from placer.called import check_call
from placer.closing import closing
from placer.disagreement import Disagreement
from placer.judge.check import broken
from placer.judge.figures import with_figures
from placer.judge.timed import TimedReplay
from placer.night.down import down_at_least
from placer.night.soonest import soonest
from placer.night.staying import staying
from placer.night.turns import for_every_plan
from placer.night.window import Night
from placer.progress import Progress
from placer.spending import Spending
from placer.steps import Steps
from placer_models.clock import Clock, merged
from placer_models.decision import Decision, shipped_decision
from placer_models.document import Faults
from placer_models.goals.night import NightGoal
from placer_models.night import Asked, Consolidate, Job
from placer_models.plan import Plan
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from placer.night.result import Result
    from placer.solve.run import Outcome


def consolidate(
    snapshot: Snapshot,
    request: Consolidate,
    jobs: Sequence[Job] | None = None,
    decision: Decision | None = None,
    *,
    progress: Progress | None = None,
    since: float | None = None,
    spending: Spending | None = None,
) -> Plan:
    """A plan for the night that `request` asks for, from its beginning on (`placer.go_on` goes on with one).

    `jobs` are for the freed hosts (default: the snapshot's). `decision` (default: the shipped `consolidate`) names
    rules, goals in their order, and the budget. The plan is replayed by the judge before it is returned; Disagreement
    is raised where the judge refuses it (a bug).

    The time of the search counts from `since` (of `time.monotonic`; default: now). Ctrl-C (in the main thread) ends the
    search, and the best plan so far is returned. `spending` is told where the time goes.
    """
    from placer.night.several import plan_nights  # here, because ortools takes most of a second to load
    from placer.solve.budget import Budget

    check_call(snapshot, decision)
    decision = decision or shipped_decision("consolidate")
    jobs = tuple(job.model_copy(update={"running": None}) for job in (snapshot.jobs if jobs is None else jobs))
    begun = time.monotonic() if since is None else since
    cluster = snapshot.content
    rules, goals = decision.rules_of(snapshot.rules), decision.night_goals()
    spans = merged(span for window in request.windows for span in window.spans())
    if request.ready_by is not None and request.ready_by <= spans[0][0]:
        began = f"expected a time after the window has begun ({spans[0][0].isoformat()})"
        raise Faults("the request", [f"ready_by: found {request.ready_by.isoformat()}, {began}"])
    steps = Steps(cluster, Clock(spans[0][0]))
    with Budget(begun + decision.search.time_limit_seconds, spending) as budget:
        scene, search = Scene.now(cluster), decision.search
        nights, most_of = plan_nights(scene, spans, request, rules, goals, jobs, search, budget, progress)
        for number, (night, result) in enumerate(nights, 1):
            offset = steps.clock.seconds(night.clock.origin)
            write(steps, night, result, offset, f"n{number}-" if len(nights) > 1 else "")
        stopped = budget.why if budget.over() else "proven"
    outcomes = [for_every_plan(night, result.outcome) for night, result in nights]
    with budget.spending.part("reasons"):
        unmoved, left_out = staying(nights)
    plan = steps.plan(
        snapshot,
        decision,
        Asked(request=request, jobs=jobs),
        spans,
        unmoved,
        [breach for breaches in broken(Scene.now(cluster), rules) for breach in breaches],
        next((outcome.stopped for outcome in outcomes if outcome.stopped != "proven"), stopped),
        budget.spending.work,
    ).model_copy(update={"left_out": tuple(left_out)})
    with budget.spending.part("judging"):
        replay = TimedReplay(cluster, rules, request, jobs, plan)
    if replay.faults:
        raise Disagreement(replay.faults)
    named = len(request.free) if isinstance(request.free, tuple) else 0
    most: dict[str, int | None] = {"job-value": sum(job.value * job.instances for job in jobs), "named-freed": named}
    most |= most_of
    seconds = [(steps.clock.seconds(begin), steps.clock.seconds(end)) for begin, end in spans]
    most["soonest"] = soonest(nights[0][0], goals, replay.score, seconds)
    return with_figures(
        _scored(plan, goals, replay.score, outcomes, most, partial(down_at_least, nights[0][0])), replay
    )


def write(steps: Steps, night: Night, result: Result, offset: int, mark: str) -> None:
    """Write a night's steps, `offset` seconds after the plan's beginning; `mark` begins their ids."""
    first = len(steps.steps)
    steps.evening(result.schedule.timed, offset, f"{mark}e", result.target.emptied)
    steps.jobs(result.runs, offset, f"{mark}j")
    steps.morning(result.back.timed, offset, f"{mark}m")
    steps.flashes(result.flashes, offset, f"{mark}f", first)
    for host, (begin, end) in result.hours.items():
        steps.free(host, offset + begin, offset + end)


def _scored(
    plan: Plan,
    goals: Sequence[NightGoal],
    score: Mapping[str, int],
    outcomes: Sequence[Outcome],
    most: Mapping[str, int | None],
    down: Callable[[int], int],
) -> Plan:
    """The plan with the judge's scores and the search's bounds.

    A bound holds given the scores of the goals before it: so the first goal of which the plan has less than its
    target promised is the last one with a bound. Of several nights, and of what only the clock tells (soonest), the
    search proves nothing: there is what no plan beats (`most`), and no less than nothing. Of downtime it is known how
    long it lasts at least (`down`) where no target promises less.
    """
    tiers = {tier.goal.kind: tier for tier in outcomes[0].tiers} if len(outcomes) == 1 else {}
    bounds: dict[str, int | None] = {}
    holds = bool(tiers)
    for goal in goals:
        tier = tiers.get(goal.kind)
        told = goal.kind not in ("downtime", "soonest") or (tier is not None and tier.score == score[goal.kind] == 0)
        found = tier.bound if holds and told and tier is not None else None
        if goal.kind == "downtime" and holds and not told and tier is not None and tier.bound is not None:
            found = down(tier.bound)
        if found is None:
            found = 0 if goal.sense == "least" and score[goal.kind] == 0 else most.get(goal.kind)
        bounds[goal.label] = found
        holds = holds and tier is not None and tier.score == score[goal.kind]
    scores = {goal.label: score[goal.kind] for goal in goals}
    return plan.model_copy(update=closing(scores, bounds, "feasible", plan.stopped))
