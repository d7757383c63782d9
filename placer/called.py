"""Calls of the library that cannot be meant, each refused in one sentence: what was given where what is expected."""

from __future__ import annotations

from placer_models.decision import Decision
from placer_models.document import Faults, quote
from placer_models.snapshot import Snapshot


def check_call(snapshot: object, decision: object = None, moves: object = 0) -> None:
    """Raise Faults for what is no snapshot, no decision (None: the usual one), and no number of moves."""
    if not isinstance(snapshot, Snapshot):
        raise Faults("the snapshot", [f"found {quote(snapshot)}, expected a Snapshot, as Snapshot.load reads one"])
    if not isinstance(decision, Decision | None):
        raise Faults("the decision", [f"found {quote(decision)}, expected a Decision, such as shipped_decision gives"])
    check_moves(moves)


def check_moves(moves: object) -> None:
    """Raise Faults for what is no number of moves."""
    if not isinstance(moves, int) or moves < 0:
        raise Faults("moves", [f"found {quote(moves)}, expected a whole number from 0 on"])
