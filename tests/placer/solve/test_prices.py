"""What an item is worth on GPUs that all share: what serving it takes of a GPU in the best way of filling them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.solve.prices import Arc, prices


def arcs(*sizes: int, whole: int = 100) -> list[Arc]:
    """How shares of these sizes fill a GPU; a state is what is taken."""
    return [
        (taken, item, taken + size)
        for taken in range(whole)
        for item, size in enumerate(sizes)
        if taken + size <= whole
    ]


def test_a_share_whose_rest_nobody_can_use_costs_a_whole_gpu() -> None:
    assert prices(arcs(81, 100), [1, 1]) == pytest.approx([1, 1])


def test_halves_cost_a_half() -> None:
    assert prices(arcs(47, 100), [5, 5]) == pytest.approx([0.5, 1])


def test_what_fits_a_rest_that_is_there_anyway_costs_nothing() -> None:
    assert prices(arcs(81, 16), [10, 1]) == pytest.approx([1, 0])


def test_what_nobody_asks_for_has_no_price() -> None:
    assert prices(arcs(60, 40), [0, 4]) == pytest.approx([0, 0.5])


@given(st.lists(st.tuples(st.integers(5, 100), st.integers(1, 50)), min_size=1, max_size=5))
def test_no_pattern_is_worth_more_than_a_gpu_and_the_best_is_worth_one(items: list[tuple[int, int]]) -> None:
    sizes, demand = [size for size, _ in items], [asked for _, asked in items]
    found = prices(arcs(*sizes), demand)
    assert found is not None
    best = [0.0] * 101
    for room in range(1, 101):
        here = (best[room - size] + price for size, price in zip(sizes, found, strict=True) if size <= room)
        best[room] = max(best[room - 1], *here, 0.0)
    assert best[100] == pytest.approx(1)
