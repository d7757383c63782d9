"""Hosts emptied for maintenance, all at once or a few at a time: planned round by round, written as one plan,
judged.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from placer.disagreement import Disagreement
from placer.judge.check import broken
from placer.judge.figures import with_figures
from placer.judge.timed import TimedReplay
from placer.power_on import NOT_ALL_BOUNDED, Progress
from placer.steps import Steps
from placer_models.clock import Clock, merged
from placer_models.decision import Decision, shipped_decision
from placer_models.document import Faults
from placer_models.night import Asked, Evacuate
from placer_models.plan import Plan, gap_of
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from placer.rounds.rolling import Rolling


def evacuate(
    snapshot: Snapshot, request: Evacuate, decision: Decision | None = None, *, progress: Progress | None = None
) -> Plan:
    """A plan that empties the hosts that `request` names, `at_once` of them at a time, for as long as it says.

    VMs are live-migrated where they may be and find room; others are suspended or powered off, and run again on
    another host or on their own as soon as it is back, whichever is sooner. A host that cannot be emptied is left out,
    with the reason; the others are still done. `decision` (default: the shipped `evacuate`) names rules, goals in their
    order, and the budget. The plan is replayed by the judge before it is returned; Disagreement is raised where the
    judge refuses it (a bug). Raises Faults where the snapshot has not what the request names.
    """
    from placer.rounds.rolling import Rolling  # here, because ortools takes most of a second to load
    from placer.solve.budget import Budget

    decision = decision or shipped_decision("evacuate")
    begun = time.monotonic()
    misfits = snapshot.misfits(Asked(request=request))
    if misfits:
        raise Faults("the request", misfits)
    cluster, rules = snapshot.content, decision.rules_of(snapshot.rules)
    spans = merged(span for window in request.windows for span in window.spans())
    steps = Steps(cluster, Clock(spans[0][0]))
    with Budget(begun + decision.search.time_limit_seconds) as budget:
        rolling = Rolling(snapshot, request, decision, steps, budget, progress)
        for begin, end in spans:
            rolling.window(steps.clock.seconds(begin), steps.clock.seconds(end))
    stopped = "proven"
    if rolling.over and any(host not in {*rolling.done, *rolling.never, *rolling.later} for host in request.hosts):
        stopped = "interrupted" if budget.interrupted else "time limit"
    plan = rolling.steps.plan(
        snapshot,
        decision,
        Asked(request=request),
        spans,
        rolling.unmoved,
        [breach for breaches in broken(Scene.now(cluster), rules) for breach in breaches],
        stopped,
        budget.work,
    ).model_copy(update={"left_out": tuple(rolling.left_out)})
    replay = TimedReplay(cluster, rules, request, (), plan)
    if replay.faults:
        raise Disagreement(replay.faults)
    return with_figures(_scored(plan, decision, replay.score, rolling), replay)


def _scored(plan: Plan, decision: Decision, score: Mapping[str, int], rolling: Rolling) -> Plan:
    """The plan with the judge's scores, and bounds where they can be had: no more hosts than nothing speaks against;
    where so many are done, no less downtime than of those VMs that cannot be live-migrated. A bound holds given the
    scores of the goals before it.
    """
    least = {"named-freed": rolling.possible, "downtime": sum(rolling.least_downtime())}
    bounds: dict[str, int | None] = {}
    closed = True
    for goal in decision.night_goals():
        bound = least.get(goal.kind, 0 if goal.sense == "least" and score[goal.kind] == 0 else None)
        bounds[goal.label] = bound if closed else None
        closed = closed and bound == score[goal.kind]
    scores = {goal.label: score[goal.kind] for goal in decision.night_goals()}
    status = "optimal" if closed else "feasible"
    if plan.stopped not in ("proven", "") and not rolling.done:
        status = "unknown"
    return plan.model_copy(
        update={
            "score": scores,
            "bound": bounds,
            "gap": {label: gap_of(scores[label], bound) for label, bound in bounds.items()},
            "status": status,
            "stopped": NOT_ALL_BOUNDED if plan.stopped == "proven" and not closed else plan.stopped,
        }
    )
