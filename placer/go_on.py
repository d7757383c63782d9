"""Going on with a night's plan in its midst: what is done stays done, what has failed is planned around, and of the
rest as little is changed as the goals allow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from placer.closing import closing
from placer.disagreement import Disagreement
from placer.judge.check import broken
from placer.judge.figures import with_figures
from placer.judge.timed import TimedReplay
from placer.judge.timeline import CLOCK, told
from placer.progress import Progress
from placer.rest import Rest, rest_of
from placer.spending import Spending
from placer_models.decision import Decision
from placer_models.document import Faults
from placer_models.goals.night import NightGoal
from placer_models.night import Consolidate, Evacuate, Job, SetMode
from placer_models.plan import Continued, Dropped, Plan, Step
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from placer.night.midway import Keep
    from placer.solve.budget import Budget


def go_on(
    snapshot: Snapshot,
    plan: Plan,
    decision: Decision | None = None,
    *,
    at: datetime | None = None,
    jobs: Sequence[Job] | None = None,
    progress: Progress | None = None,
    since: float | None = None,
    spending: Spending | None = None,
) -> Plan:
    """A plan for what is left of the night, given the cluster as it is `at` an instant (default: when the snapshot was
    taken).

    The plan's steps that are done are told in it, and those that still hold keep their ids, targets and times where
    that costs nothing by the goals; `continued` says which are which. VMs that are away come back to the hosts on which
    they ran when the night began. `jobs` (default: those of the snapshot) may say which instances run now, and until
    when; else runs are taken to have gone as planned.

    `decision` (default: the shipped one that the plan names) names rules, goals and the budget. The plan is replayed by
    the judge before it is returned; Disagreement is raised where the judge refuses it (a bug). Raises Faults where the
    snapshot has not what the plan was asked for, where no window is left, and where what is under way cannot be in this
    cluster.

    The time of the search counts from `since` (of `time.monotonic`; default: now). Ctrl-C (in the main thread) ends the
    search, and the best plan so far is returned. `spending` is told where the time goes.
    """
    from placer.judge.verify import decision_of
    from placer.solve.budget import Budget  # here, because ortools takes most of a second to load

    begun = time.monotonic() if since is None else since
    decision = decision_of(plan, decision)
    rest = rest_of(snapshot, plan, at, jobs)
    asked = rest.plan.asked
    assert asked is not None, "the rest of a plan says what it was asked for"
    misfits = snapshot.misfits(asked)
    if misfits:
        raise Faults("the plan", misfits)
    before = plan.asked.begun if plan.asked else None
    if before is not None and rest.at < before.at:
        expected = f"expected one no earlier than the plan itself begins ({told(CLOCK.seconds(before.at))})"
        raise Faults("the time", [f"found {told(CLOCK.seconds(rest.at))}, {expected}"])
    last = max(end for window in asked.request.windows for _, end in window.spans())
    if rest.at >= last:
        ended = f"found {told(CLOCK.seconds(rest.at))}, expected a time before its last window ends"
        raise Faults("the plan", [f"{ended} ({told(CLOCK.seconds(last))})"])
    goals, found = decision.night_goals(), list[tuple[Plan, TimedReplay]]()
    faults: list[str] = []
    rules = decision.rules_of(snapshot.rules)
    with Budget(begun + decision.search.time_limit_seconds, spending) as budget:
        for made in _ways(snapshot, rest, decision, budget, progress):
            with budget.spending.part("judging"):
                replay = TimedReplay(snapshot.content, rules, asked.request, asked.jobs, made)
            if replay.faults:
                faults = replay.faults
                continue
            found.append((made, replay))
            if not (made is rest.plan and rest.said) and not _loses(goals, plan, made, replay):
                break
    if not found and any(step.vm and step.start < rest.at < step.end for step in rest.plan.steps):
        raise Faults("the snapshot", [f"does not go with the steps that are under way: {fault}" for fault in faults])
    if not found:
        raise Disagreement(faults)
    best, replay = max(found, key=lambda one: _worth(goals, *one))  # of equals the first: it changes least
    bounds = _bounds(snapshot, rest, best, decision, replay.score, budget)
    return with_figures(_finished(snapshot, decision, plan, rest, best, replay, bounds, budget), replay)


def _worth(goals: Sequence[NightGoal], plan: Plan, replay: TimedReplay) -> list[int]:
    """What is changed for: VMs that are back in time, then what a night is made for. A few moves or minutes are not."""
    begun = plan.asked.begun if plan.asked else None
    late = len(begun.excused) if begun else 0
    gains = [goal for goal in goals if goal.sense == "most"]
    return [-late, *(replay.score[goal.kind] for goal in gains)]


def _loses(goals: Sequence[NightGoal], old: Plan, plan: Plan, replay: TimedReplay) -> bool:
    """Whether a plan has less of what a night is made for than the one with which it goes on."""
    late, *gains = _worth(goals, plan, replay)
    before = [old.score.get(goal.label) for goal in goals if goal.sense == "most"]
    return late < 0 or any(was is None or now < was for now, was in zip(gains, before, strict=True))


def _ways(
    snapshot: Snapshot, rest: Rest, decision: Decision, budget: Budget, progress: Progress | None
) -> Iterator[Plan]:
    """What is left of the plan as it was; and planned again, each time with less of it kept."""
    yield rest.plan
    assert rest.plan.asked is not None
    request = rest.plan.asked.request
    if isinstance(request, Evacuate | SetMode):
        from placer.rounds.midway import Rolled
        from placer.rounds.switched import Switched

        again = Rolled if isinstance(request, Evacuate) else Switched
        with budget.spending.part("rounds"):
            made = again(snapshot, rest, request, decision, budget, progress).planned()
        yield made
    if isinstance(request, Consolidate):
        from placer.night.midway import planned_on

        kept: Sequence[Keep] = ("targets", "most", "nothing") if rest.missed else ("targets", "nothing")
        for number, keep in enumerate(kept):
            with budget.share(1 / (len(kept) - number)):
                made = planned_on(snapshot, rest, decision, budget, progress, keep)
            yield made


def _bounds(
    snapshot: Snapshot, rest: Rest, plan: Plan, decision: Decision, score: Mapping[str, int], budget: Budget
) -> Mapping[str, int | None]:
    """What no plan beats that goes on from here, by the kinds of goals."""
    assert plan.asked is not None
    if budget.over():
        return {}
    from placer.night.onward import night_onward
    from placer.rounds.onward_bounds import rounds_onward

    bounds = night_onward if isinstance(plan.asked.request, Consolidate) else rounds_onward
    with budget, budget.spending.part("bounds"):
        return bounds(snapshot, rest, plan, decision, score, budget)


def _finished(
    snapshot: Snapshot,
    decision: Decision,
    old: Plan,
    rest: Rest,
    plan: Plan,
    replay: TimedReplay,
    bounds: Mapping[str, int | None],
    budget: Budget,
) -> Plan:
    """The plan with its scores and their bounds, and with what has become of the old one's steps."""
    scores = {goal.label: replay.score[goal.kind] for goal in decision.night_goals()}
    known = {goal.label: bounds.get(goal.kind) for goal in decision.night_goals()}
    rules = decision.rules_of(snapshot.rules)
    return plan.model_copy(
        update={
            **closing(scores, known, "feasible", budget.why if budget.over() else "proven"),
            "continued": _continued(old, rest, plan),
            "seconds": round(sum(budget.spending.work.values()), 6),
            "spent": budget.spending.work,
            "broken_now": tuple(b.said for found in broken(Scene.now(snapshot.content), rules) for b in found),
            "decision": decision.name,
            "seed": decision.search.seed,
        }
    )


def _continued(old: Plan, rest: Rest, plan: Plan) -> Continued:
    before, now = {step.id: step for step in old.steps}, {step.id: step for step in plan.steps}
    done = [name for name in now if name in before and now[name].start < rest.at]
    held = [name for name in now if name in before and now[name].start >= rest.at]
    return Continued(
        done=tuple(done),
        kept=tuple(name for name in held if _same(before[name], now[name])),
        changed=tuple(name for name in held if not _same(before[name], now[name])),
        dropped=tuple(
            Dropped(step=name, why=rest.failed.get(name, "is not needed any more, or not possible as it was"))
            for name in before
            if name not in now
        ),
        new=tuple(name for name in now if name not in before),
        said=tuple(rest.said),
    )


def _same(one: Step, other: Step) -> bool:
    untold = {"waits_for": (), "why": ""}
    return one.model_copy(update=untold) == other.model_copy(update=untold)
