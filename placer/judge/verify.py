"""Anybody's placements, replayed by the judge."""

from __future__ import annotations

from placer.judge.replay import Replay
from placer_models.decision import Decision, shipped_decision
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot


def verify(snapshot: Snapshot, answer: Placements, decision: Decision | None = None) -> list[str]:
    """What is wrong with an answer to a snapshot's power-on requests: one sentence for each fault, none where all is
    right.

    The decision says which rules hold (default: the shipped `power_on`); nothing is solved.
    """
    decision = decision or shipped_decision("power_on")
    faults = Replay(snapshot.content, decision.rules_of(snapshot.rules), answer).faults
    if answer.snapshot_sha256 and snapshot.sha256 and answer.snapshot_sha256 != snapshot.sha256:
        faults.insert(0, "the placements answer another snapshot: its digest differs")
    return faults
