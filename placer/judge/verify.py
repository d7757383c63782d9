"""Anybody's placements, replayed by the judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from placer.judge.check import scores
from placer.judge.replay import Replay
from placer_models.decision import Decision, shipped, shipped_decision
from placer_models.document import quote
from placer_models.plan import Placements
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot


def verify(snapshot: Snapshot, answer: Placements, decision: Decision | None = None) -> list[str]:
    """What is wrong with an answer to a snapshot's power-on requests: one sentence for each fault, none where all is
    right.

    The decision says which rules hold and how goals are counted (default: the shipped one that the answer names, else
    `power_on`); nothing is solved. Scores and bounds that the answer claims are looked at where it names this decision.
    """
    decision = decision or shipped_decision(answer.decision if answer.decision in shipped() else "power_on")
    cluster, rules = snapshot.content, decision.rules_of(snapshot.rules)
    replay = Replay(cluster, rules, answer)
    faults = list(replay.faults)
    if answer.snapshot_sha256 and snapshot.sha256 and answer.snapshot_sha256 != snapshot.sha256:
        faults.insert(0, "the placements answer another snapshot: its digest differs")
    if not faults and answer.decision == decision.name:
        goals = decision.goals_of(cluster)
        counted = scores(goals, Scene.now(cluster), replay.scene, rules)
        senses = {goal.label: goal.sense for goal in goals}
        faults += _claims(answer, dict(zip(senses, counted, strict=True)), senses)
    return faults


def _claims(answer: Placements, counted: Mapping[str, int], senses: Mapping[str, str]) -> Iterator[str]:
    """Scores that are not so, and bounds that are beaten."""
    for goal, score in answer.score.items():
        if goal not in counted:
            yield f"score: found {quote(goal)}, expected the goals of decision {answer.decision}"
        elif score != counted[goal]:
            yield f"score[{quote(goal)}]: found {score}, the judge counts {counted[goal]}"
    for goal, bound in answer.bound.items():
        if bound is not None and goal in counted:
            beaten = counted[goal] > bound if senses[goal] == "most" else counted[goal] < bound
            if beaten:
                yield f"bound[{quote(goal)}]: found {bound}, which the placements beat with {counted[goal]}"
