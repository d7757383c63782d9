"""A cluster falls into pieces where nobody could come to two of them."""

from __future__ import annotations

from placer.solve.pieces import pieces


def test_who_could_come_to_two_places_holds_them_together() -> None:
    spots = {"a": [0, 1], "b": [2], "c": [1, 3], "d": [4], "e": [2]}
    found = {tuple(places): sorted(things) for places, things in pieces(spots.items())}
    assert found == {(0, 1, 3): ["a", "c"], (2,): ["b", "e"], (4,): ["d"]}


def test_the_last_may_join_all() -> None:
    ((places, things),) = pieces([("a", [0]), ("b", [1]), ("c", [0, 1])])
    assert (places, sorted(things)) == ([0, 1], ["a", "b", "c"])


def test_who_can_come_nowhere_is_in_no_piece() -> None:
    assert pieces([("a", []), ("b", [1])]) == [([1], ["b"])]
