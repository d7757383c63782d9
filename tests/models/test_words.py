"""Names in a sentence."""

from __future__ import annotations

from placer_models.words import and_more, few


def test_few_names_are_all_said_and_of_many_the_first() -> None:
    assert few([]) == ""
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d"]) == "a, b, c ..."


def test_how_many_more_there_are_is_said_where_there_are_more() -> None:
    assert and_more(["a", "b"], 2) == "a, b"
    assert and_more(["a", "b", "c"], 2) == "a, b and 1 more"
