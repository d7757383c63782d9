"""Conditions that follow from others cut off nothing that was allowed."""

from __future__ import annotations

from itertools import product

import pytest

from placer.solve.sharpen import Room, Side, departures, gate, room_of

UNKNOWNS = {0: 0, 1: 1, 2: 2}


def room(arrival: tuple[int, int], stays: list[tuple[int, int]], bound: int) -> Room:
    """One kind that may arrive (weight, most), kinds that stand there now (weight, how many)."""
    weight, most = arrival
    sides = [Side(weight, 0, 0, most), *(Side(w, i, now, now) for i, (w, now) in enumerate(stays, 1))]
    found = room_of(sides, bound)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("arrival", "stays", "bound"),
    [
        ((32, 3), [(8, 4), (4, 4)], 64),
        ((5, 4), [(3, 3), (2, 2)], 14),
        ((9, 2), [(8, 1), (1, 7)], 15),
        ((4, 5), [(1, 9), (7, 1)], 16),
        ((20, 1), [(3, 2), (2, 2)], 12),
    ],
)
def test_departures_cut_off_no_arrangement(arrival: tuple[int, int], stays: list[tuple[int, int]], bound: int) -> None:
    made = room(arrival, stays, bound)
    cuts = list(departures(made, UNKNOWNS, frozenset([0])))
    assert cuts
    ranges = [range(arrival[1] + 1), *(range(now + 1) for _, now in stays)]
    for values in product(*ranges):
        weights = [arrival[0], *(weight for weight, _ in stays)]
        if sum(w * v for w, v in zip(weights, values, strict=True)) <= bound:
            for terms, most in cuts:
                assert sum(factor * values[unknown] for factor, unknown in terms) <= most, values


def test_departures_that_an_arrival_needs_are_asked_of_half_of_it_too() -> None:
    ((terms, most),) = departures(room((32, 10), [(8, 6)], 64), UNKNOWNS, frozenset([0]))
    at = {0: 0.5, 1: 6.0}  # half a VM arrives, nobody leaves: fits 64, and needs one departure
    assert 32 * at[0] + 8 * at[1] <= 64
    assert sum(factor * at[unknown] for factor, unknown in terms) > most


def test_arrival_that_never_fits_never_comes() -> None:
    assert list(departures(room((20, 2), [(3, 2)], 12), UNKNOWNS, frozenset([0]))) == [([(1, 0)], 0)]


def test_arrival_that_fits_as_it_is_needs_nobody_to_leave() -> None:
    assert list(departures(room((4, 2), [(3, 2)], 12), UNKNOWNS, frozenset([0]))) == []


@pytest.mark.parametrize("touched", [0, 1])
def test_gate_cuts_off_no_arrangement(touched: int) -> None:
    made = room((4, 3), [(3, 2)], 12)
    terms = gate(made, {**UNKNOWNS, 9: 9}, {0}, 9)
    assert terms is not None
    for arrive, stay in product(range(4), range(3)):
        if (touched or not arrive) and 4 * arrive + 3 * stay <= 12:
            values = {0: arrive, 1: stay, 9: touched}
            assert sum(factor * values[unknown] for factor, unknown in terms) <= made.bound - made.free


def test_gate_is_not_for_conditions_on_others() -> None:
    assert gate(room((4, 3), [(3, 2)], 12), UNKNOWNS, {7}, 9) is None


@pytest.mark.parametrize(
    "sides",
    [
        [Side(-1, 0, 0, 3), Side(1, 1, 0, 3)],  # what one unknown takes another gives
        [Side(1, 0, 0, 3), Side(1, 1, 1, 3)],  # more may come of those who are there
        [Side(1, 0, 2, 2)],  # nobody arrives
    ],
)
def test_conditions_of_another_form_are_left_alone(sides: list[Side]) -> None:
    assert room_of(sides, 5) is None
