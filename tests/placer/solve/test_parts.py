"""How an instance is done in pieces of the time that there is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from placer.solve.parts import Stretch, covered, paired


def test_two_gaps_beside_another_run_do_it_together() -> None:
    gaps = [Stretch(0, 0, 4), Stretch(0, 6, 10)]
    assert covered(gaps, 7, 1, 0) == [Stretch(0, 0, 4), Stretch(0, 6, 9)]


def test_going_on_costs_what_saving_and_loading_takes() -> None:
    gaps = [Stretch(0, 0, 4), Stretch(1, 6, 10)]
    assert covered(gaps, 7, 1, 1) == [Stretch(0, 0, 4), Stretch(1, 6, 10)]
    assert covered(gaps, 8, 1, 1) == []


def test_who_has_begun_goes_on_where_it_can_longest() -> None:
    gaps = [Stretch(0, 0, 3), Stretch(1, 0, 8), Stretch(2, 2, 6)]
    assert covered(gaps, 8, 1, 0) == [Stretch(1, 0, 8)]


def test_a_gap_that_is_too_short_is_not_used() -> None:
    assert covered([Stretch(0, 0, 4), Stretch(0, 5, 6), Stretch(0, 7, 10)], 7, 2, 0) == [
        Stretch(0, 0, 4),
        Stretch(0, 7, 10),
    ]


def test_the_last_piece_is_not_too_short_either() -> None:
    assert covered([Stretch(0, 0, 6), Stretch(1, 8, 12)], 7, 3, 0) == [Stretch(0, 0, 4), Stretch(1, 8, 11)]


def test_three_hosts_of_eight_hours_do_four_times_six() -> None:
    first = paired([Stretch(0, 6, 8)], [Stretch(1, 0, 8), Stretch(2, 0, 8)], 6, 1, 0)
    assert first == [Stretch(1, 0, 4), Stretch(0, 6, 8)]
    assert paired([Stretch(1, 4, 8)], [Stretch(2, 0, 8)], 6, 1, 0) == [Stretch(2, 0, 2), Stretch(1, 4, 8)]


def test_nobody_is_in_two_places_at_once() -> None:
    assert paired([Stretch(0, 4, 8)], [Stretch(1, 0, 8)], 9, 1, 0) == []


GAPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(1, 20)).map(
        lambda one: Stretch(one[0], one[1], one[1] + one[2])
    ),
    max_size=6,
)


@given(GAPS, st.integers(1, 30), st.integers(1, 8), st.integers(0, 3))
def test_pieces_are_in_the_gaps_one_after_the_other_and_do_it_all(
    gaps: list[Stretch], seconds: int, least: int, again: int
) -> None:
    least = min(least, seconds)
    for pieces in (covered(gaps, seconds, least, again), paired(gaps, gaps, seconds, least, again)):
        for piece in pieces:
            assert any(gap.slot == piece.slot and gap.start <= piece.start < piece.end <= gap.end for gap in gaps)
            assert piece.end - piece.start >= least
        in_turn = sorted(pieces, key=lambda piece: piece.start)
        assert all(before.end <= after.start for before, after in pairwise(in_turn))
        if pieces:
            assert sum(piece.end - piece.start for piece in pieces) - again * (len(pieces) - 1) >= seconds
