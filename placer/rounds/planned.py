"""From a request to the judged plan: what evacuations and changes of GPU modes have in common at the doors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from placer.closing import closing
from placer.disagreement import Disagreement
from placer.judge.check import broken
from placer.judge.figures import with_figures
from placer.judge.timed import TimedReplay
from placer.power_on import Progress
from placer.rounds.rounds import Rounds
from placer.solve.budget import Budget
from placer.solve.night import TOO_LARGE
from placer.spending import Spending
from placer.steps import Steps
from placer_models.clock import Clock, merged
from placer_models.decision import Decision
from placer_models.document import Faults
from placer_models.night import Asked, Evacuate, SetMode
from placer_models.plan import Plan
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

R = TypeVar("R", Evacuate, SetMode)


def planned(
    kind: Callable[[Snapshot, R, Decision, Steps, Budget, Progress | None], Rounds],
    snapshot: Snapshot,
    request: R,
    decision: Decision,
    progress: Progress | None,
    since: float | None,
    spending: Spending | None,
) -> Plan:
    """Plan the rounds of a request, window by window. Raises Faults where the snapshot has not what it names, and
    Disagreement where the judge refuses the plan (a bug).
    """
    begun = time.monotonic() if since is None else since
    misfits = snapshot.misfits(Asked(request=request))
    if misfits:
        raise Faults("the request", misfits)
    cluster, rules = snapshot.content, decision.rules_of(snapshot.rules)
    spans = merged(span for window in request.windows for span in window.spans())
    clock = Clock(spans[0][0])
    with Budget(begun + decision.search.time_limit_seconds, spending) as budget, budget.spending.part("rounds"):
        rounds = kind(snapshot, request, decision, Steps(cluster, clock), budget, progress)
        for begin, end in spans:
            rounds.window(clock.seconds(begin), clock.seconds(end))
    stopped = TOO_LARGE if rounds.too_large else "proven"
    if rounds.cut_short:
        stopped = budget.why
    plan = rounds.steps.plan(
        snapshot,
        decision,
        Asked(request=request),
        spans,
        rounds.unmoved,
        [breach for breaches in broken(Scene.now(cluster), rules) for breach in breaches],
        stopped,
        budget.spending.work,
    ).model_copy(update={"left_out": tuple(rounds.left_out), "already": tuple(rounds.so_already)})
    with budget.spending.part("judging"):
        replay = TimedReplay(cluster, rules, request, (), plan)
    if replay.faults:
        raise Disagreement(replay.faults)
    return with_figures(_scored(plan, decision, replay.score, rounds), replay)


def _scored(plan: Plan, decision: Decision, score: Mapping[str, int], rounds: Rounds) -> Plan:
    """The plan with the judge's scores, and bounds where they can be had: no more is done than nothing speaks against;
    where so much is done, with no less downtime than those VMs have that cannot be live-migrated. A bound holds given
    the scores of the goals before it.
    """
    least = {**rounds.most, "downtime": rounds.least_downtime()}
    bounds: dict[str, int | None] = {}
    closed = True
    for goal in decision.night_goals():
        bound = least.get(goal.kind, 0 if goal.sense == "least" and score[goal.kind] == 0 else None)
        bounds[goal.label] = bound if closed else None
        closed = closed and bound == score[goal.kind]
    scores = {goal.label: score[goal.kind] for goal in decision.night_goals()}
    update = closing(scores, bounds, "feasible", plan.stopped)
    if plan.stopped != "proven" and not plan.steps:
        update["status"] = "unknown"
    return plan.model_copy(update=update)
