"""Anybody's placements or plan, replayed by the judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from placer.called import check_call
from placer.judge.check import scores
from placer.judge.replay import Replay
from placer_models.decision import Decision, shipped, shipped_decision
from placer_models.document import Faults, quote
from placer_models.night import Asked, Consolidate, Evacuate, SetMode
from placer_models.plan import Placements, Plan
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from placer.judge.figures import Figures


def verify(
    snapshot: Snapshot, answer: Placements | Plan, decision: Decision | None = None, asked: Asked | None = None
) -> list[str]:
    """What is wrong with an answer to a snapshot: one sentence for each fault, none where all is right.

    The decision says which rules hold and how goals are counted (default: the shipped one that the answer names, else
    `power_on` for placements and `consolidate` for a plan); nothing is solved. Scores and bounds that the answer claims
    are looked at where it names this decision, and a plan's figures of the cluster.

    A plan is judged by what `asked` says (default: what the plan itself says it was asked for, else the snapshot's
    only request of its kind, with the snapshot's jobs); Faults are raised where nothing says that. Placements that name
    another snapshot by its digest are at fault; a plan is not, because it may still hold (`placer.drift` says what
    changed): then its claims are not looked at.
    """
    check_call(snapshot, decision)
    if not isinstance(answer, Placements | Plan):
        raise Faults("the answer", [f"found {quote(answer)}, expected Placements or a Plan"])
    if isinstance(answer, Plan):
        return _verify_plan(snapshot, answer, decision, asked)
    decision = decision_of(answer, decision)
    cluster, rules = snapshot.content, decision.rules_of(snapshot.rules)
    replay = Replay(cluster, rules, answer)
    faults = list(replay.faults)
    if is_of_another(snapshot, answer):
        faults.insert(0, "the placements answer another snapshot: its digest differs")
    if not faults and answer.decision == decision.name:
        goals = decision.goals_of(cluster)
        counted = scores(goals, Scene.now(cluster), replay.scene, rules)
        senses = {goal.label: goal.sense for goal in goals}
        faults += _claims(answer, dict(zip(senses, counted, strict=True)), senses)
    return faults


def _verify_plan(snapshot: Snapshot, plan: Plan, decision: Decision | None, asked: Asked | None) -> list[str]:
    from placer.judge.figures import figures_of  # here, because placements are judged without them, and at once
    from placer.judge.timed import TimedReplay

    decision, asked = decision_of(plan, decision), asked or asked_of(snapshot, plan)
    misfits = snapshot.misfits(asked)
    if misfits:
        return misfits
    replay = TimedReplay(snapshot.content, decision.rules_of(snapshot.rules), asked.request, asked.jobs, plan)
    faults = list(replay.faults)
    if not faults and plan.decision == decision.name and not is_of_another(snapshot, plan):
        goals = decision.night_goals()
        counted = {goal.label: replay.score[goal.label] for goal in goals}
        faults += _claims(plan, counted, {goal.label: goal.sense for goal in goals})
    if not faults and not is_of_another(snapshot, plan):
        faults += _wrong_figures(plan, figures_of(replay))
    return faults


def _wrong_figures(plan: Plan, counted: Figures) -> Iterator[str]:
    """Figures that are claimed and are not so."""
    for when, figures in counted._asdict().items():
        for name, claimed in getattr(plan, when).items():
            if name not in figures:
                yield f"{when}: found {quote(name)}, which the judge does not count"
            elif claimed != figures[name]:
                yield f"{when}[{quote(name)}]: found {claimed}, the judge counts {figures[name]}"


def decision_of(answer: Placements | Plan, decision: Decision | None = None) -> Decision:
    """The decision by which an answer is judged: this one, else the shipped one that it names, else the usual one."""
    usual = "consolidate" if isinstance(answer, Plan) else "power_on"
    return decision or shipped_decision(answer.decision if answer.decision in shipped() else usual)


def is_of_another(snapshot: Snapshot, answer: Placements | Plan) -> bool:
    """Whether an answer names another snapshot by its digest."""
    return bool(answer.snapshot_sha256 and snapshot.sha256) and answer.snapshot_sha256 != snapshot.sha256


def asked_of(snapshot: Snapshot, plan: Plan) -> Asked:
    """What a plan was asked for: as it says itself, else the snapshot's only request of its kind, and its jobs.

    Raises Faults where neither says it.
    """
    if plan.asked is not None:
        return plan.asked
    nightly = (one for one in snapshot.requests if isinstance(one, Consolidate | Evacuate | SetMode))
    requests = [one for one in nightly if one.kind == plan.request]
    if len(requests) != 1:
        said = f"found {len(requests)} of kind {quote(plan.request)}, expected one, since the plan says no 'asked'"
        raise Faults("the snapshot", [f"requests: {said}"])
    return Asked(request=requests[0], jobs=snapshot.jobs)


def _claims(answer: Placements | Plan, counted: Mapping[str, int], senses: Mapping[str, str]) -> Iterator[str]:
    """Scores that are not so, and bounds that are beaten."""
    what = "plan" if isinstance(answer, Plan) else "placements"
    beats = "beats" if isinstance(answer, Plan) else "beat"
    for goal, score in answer.score.items():
        if goal not in counted:
            yield f"score: found {quote(goal)}, expected the goals of decision {answer.decision}"
        elif score != counted[goal]:
            yield f"score[{quote(goal)}]: found {score}, the judge counts {counted[goal]}"
    for goal, bound in answer.bound.items():
        if bound is not None and goal in counted:
            beaten = counted[goal] > bound if senses[goal] == "most" else counted[goal] < bound
            if beaten:
                yield f"bound[{quote(goal)}]: found {bound}, which the {what} {beats} with {counted[goal]}"
