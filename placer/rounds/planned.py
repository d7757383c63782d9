"""From a request to the judged plan: what evacuations and changes of GPU modes have in common at the doors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from placer.closing import closing
from placer.disagreement import Disagreement
from placer.judge.check import broken
from placer.judge.figures import with_figures
from placer.judge.timed import TimedReplay
from placer.progress import Progress
from placer.rounds.bounds import bounds_of
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
    goals, score = decision.night_goals(), replay.score
    scores = {goal.label: score[goal.kind] for goal in goals}
    windows = [(clock.seconds(begin), clock.seconds(end)) for begin, end in spans]
    update = closing(scores, bounds_of(rounds, goals, score, windows), "feasible", plan.stopped)
    if plan.stopped != "proven" and not plan.steps:
        update["status"] = "unknown"
    return with_figures(plan.model_copy(update=update), replay)
