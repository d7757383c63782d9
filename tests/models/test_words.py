"""Names in a sentence."""

from __future__ import annotations

from placer_models.words import all_of, and_more, few, once_each


def test_few_names_are_all_said_and_of_many_the_first() -> None:
    assert few([]) == ""
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d"]) == "a, b, c ..."


def test_how_many_more_there_are_is_said_where_there_are_more() -> None:
    assert and_more(["a", "b"], 2) == "a, b"
    assert and_more(["a", "b", "c"], 2) == "a, b and 1 more"


def test_names_are_told_with_an_and_before_the_last() -> None:
    assert [all_of(["a"]), all_of(["a", "b"]), all_of(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_what_is_said_of_several_is_said_once() -> None:
    assert once_each(["a: stays", "GPU g0: is full: twice", "b: stays", "too late"]) == (
        "a, b: stays; GPU g0: is full: twice; too late"
    )
    assert once_each([f"vm-{i}: stays" for i in range(9)], most=2) == "vm-0, vm-1 and 7 more: stays"
