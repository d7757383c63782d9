"""What answers say of their scores."""

from __future__ import annotations

import pytest

from placer_models.plan import gap_of


@pytest.mark.parametrize(
    ("score", "bound", "gap"),
    [
        (5, None, None),
        (5, 5, 0.0),
        (0, 0, 0.0),
        (1, 2, 0.5),
        (3, 0, 3.0),
        (2, 3, 0.333333),
        (5_999_656, 5_999_657, 1e-6),
    ],
)
def test_only_a_score_that_is_its_bound_has_no_gap(score: int, bound: int | None, gap: float | None) -> None:
    assert gap_of(score, bound) == gap
