"""Faults are sentences on one line each, whatever the document holds."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from placer_models.faults import Faults, Hints, clean, path_of, quote

any_text = st.text(st.characters(exclude_categories=()))


def test_each_fault_is_a_line_with_its_source() -> None:
    faults = Faults("east.json", ["vms[0].name: found 7, expected text", "hosts: missing"])
    assert str(faults) == "east.json: vms[0].name: found 7, expected text\neast.json: hosts: missing"


def test_of_many_faults_the_first_fifty_are_said_and_the_others_counted() -> None:
    lines = str(Faults("s", [f"fault {n}" for n in range(60)], more=5)).splitlines()
    assert lines[49:] == ["s: fault 49", "s: and 15 more faults"]
    assert str(Faults("s", [f"fault {n}" for n in range(51)])).endswith("s: and 1 more fault")


def test_faults_travel_between_processes() -> None:
    faults = Faults("s", ["one", "two"], more=3)
    assert str(pickle.loads(pickle.dumps(faults))) == str(faults)


def test_a_name_cannot_forge_a_line_or_turn_the_text_around() -> None:
    forged = quote("esx01\nplacer: all is well\u202e\x1b[2J\ud800")
    assert forged == r"'esx01\nplacer: all is well\u202e\x1b[2J\ud800'"
    assert clean("Zürich <b>'\"") == "Zürich <b>'\""


def test_long_values_are_shortened() -> None:
    assert quote("x" * 61) == f"'{'x' * 60}...'"
    assert quote("x" * 60) == f"'{'x' * 60}'"
    assert quote(10**100) == "a number of 333 bits"
    assert quote(1.5) == "1.5"


def test_values_are_named_as_json_names_them() -> None:
    values: list[object] = [None, True, 4, {}, []]
    assert [quote(value) for value in values] == ["null", "true", "4", "an object", "a list"]


def test_a_path_reads_like_code_and_quotes_odd_keys() -> None:
    assert path_of(["vms", 3, "gpus", 0, "profile"]) == "vms[3].gpus[0].profile"
    assert path_of(["labels", "a b", "up-time"]) == "labels['a b'].up-time"
    assert path_of([0, "x"]) == "[0].x"
    assert path_of([]) == ""


def test_a_hint_names_the_nearest_of_many_and_hints_end_where_nobody_reads_them() -> None:
    hints = Hints(most=3)
    known = [f"desk-{n:05}" for n in range(20_000)] + ["esx01"]
    assert hints("esx1", known) == "; did you mean 'esx01'?"
    assert hints("dusk-19999", known) == "; did you mean 'desk-19999'?"
    assert hints("Zürich" * 100, known) == ""
    assert hints("esx1", known) == ""


@given(st.lists(any_text, max_size=3), any_text)
def test_any_text_becomes_printable_lines(sentences: list[str], source: str) -> None:
    faults = Faults(source, sentences)
    assert len(str(faults).split("\n")) == max(1, len(sentences))
    assert len(str(faults).splitlines()) <= max(1, len(sentences))
    str(faults).encode("utf-8")
