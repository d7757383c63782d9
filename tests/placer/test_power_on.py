"""What an answer says of its own search."""

from __future__ import annotations

from pathlib import Path

import pytest

from placer import Snapshot, place
from placer.spending import Spending

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.mark.parametrize(
    ("story", "status"),
    [
        ("place/not-all-can-start-on-monday-morning", "optimal"),
        # Mixed-size GPUs have too many layouts to list: nothing is proven of what is stranded.
        ("cluster/l40s-mixed", "feasible"),
    ],
)
def test_only_an_answer_of_which_every_bound_is_reached_is_called_proven(story: str, status: str) -> None:
    answer = place(Snapshot.load((FIXTURES / story / "snapshot.json").read_bytes()))
    assert answer.status == status
    assert (answer.stopped == "proven") == (answer.score == answer.bound) == (status == "optimal"), answer.stopped


@pytest.mark.parametrize(
    ("story", "stopped"),
    [
        ("place/not-all-can-start-on-monday-morning", "proven; the time limit ended a part of the search"),
        ("cluster/l40s-mixed", "time limit"),
    ],
)
def test_a_search_of_which_the_clock_ended_a_part_has_not_ended_by_itself(story: str, stopped: str) -> None:
    spending = Spending()
    spending.cut = True
    answer = place(Snapshot.load((FIXTURES / story / "snapshot.json").read_bytes()), spending=spending)
    assert answer.stopped == stopped
