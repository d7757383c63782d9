"""What cannot be meant is refused in one sentence, whatever of the library is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from placer import Faults, Session, capacity, consolidate, evacuate, explain, place, set_mode, show, verify
from tests.build import host, off, snapshot

STORY: Any = snapshot([host("h1")], [off("a")])
CALLS: dict[str, Callable[..., object]] = {
    "place": place,
    "Session": Session,
    "show": show,
    "verify": lambda snapshot, decision: verify(snapshot, place(STORY), decision),
    "explain": lambda snapshot, decision: explain(snapshot, "a", decision),
    "capacity": lambda snapshot, decision: capacity(snapshot, [], decision),
    "consolidate": lambda snapshot, decision: consolidate(snapshot, None, None, decision),  # type: ignore[arg-type]
    "evacuate": lambda snapshot, decision: evacuate(snapshot, None, decision),  # type: ignore[arg-type]
    "set_mode": lambda snapshot, decision: set_mode(snapshot, None, decision),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_snapshot_and_no_decision_is_told(name: str) -> None:
    with pytest.raises(Faults, match=r"the snapshot: found 'monday.json', expected a Snapshot") as refusal:
        CALLS[name]("monday.json", None)
    assert len(str(refusal.value).splitlines()) == 1
    with pytest.raises(Faults, match=r"the decision: found 'power_on', expected a Decision"):
        CALLS[name](STORY, "power_on")


def test_what_is_no_number_of_moves_and_no_answer_is_told() -> None:
    moves: Any = "2"
    nothing: Any = None
    with pytest.raises(Faults, match="moves: found '2', expected a whole number from 0 on"):
        place(STORY, moves=moves)
    with pytest.raises(Faults, match="the answer: found null, expected Placements or a Plan"):
        verify(STORY, nothing)
    for name in (None, 3):
        with pytest.raises(Faults, match="expected a VM of this snapshot"):
            explain(STORY, name)  # type: ignore[arg-type]
