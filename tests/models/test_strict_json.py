"""JSON is read without doubt: what two readers could understand differently is refused, with its place."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from placer_models import strict_json
from placer_models.faults import Faults
from placer_models.strict_json import read_json

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def faults(data: bytes) -> list[str]:
    with pytest.raises(Faults) as refused:
        read_json(data, "s")
    return list(refused.value.sentences)


@given(json_values)
def test_what_is_json_is_read_as_json_reads_it(value: object) -> None:
    assert read_json(json.dumps(value).encode(), "s") == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(), "s") == value
    assert read_json(gzip.compress(b"\xef\xbb\xbf" + json.dumps(value, indent=1).encode()), "s") == value


@given(st.binary() | st.text().map(str.encode) | st.text('[]{}",:\\ud80 1e9-.NInf').map(str.encode))
@example(b'"\\')
@example(b"\x1f\x8b")
def test_any_bytes_give_a_value_or_faults(data: bytes) -> None:
    try:
        read_json(data, "s")
    except Faults as refused:
        assert refused.sentences


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "found nothing, expected a JSON document"),
        (b" \n\t ", "found nothing, expected a JSON document"),
        (b"\xef\xbb\xbf", "found nothing, expected a JSON document"),
        ("{}".encode("utf-16"), "found UTF-16 or UTF-32, expected JSON in UTF-8"),
        (b'{"a":\n "\xed\xa0\x80"}', "line 2, column 3: found the byte 0xed, expected JSON in UTF-8"),
        (b'{"a": 1', "line 1, column 8: found the end of the document, expected ',' or the end of the list or object"),
        (b'{"a" 1}', "line 1, column 6: found '1', expected ':' after the key"),
        (b"{a: 1}", "line 1, column 2: found 'a', expected a key in double quotes"),
        (b'{"a": }', "line 1, column 7: found '}', expected a value"),
        (b"{}\n{}", "line 2, column 1: found '{', expected the end of the document"),
        (b'["x]', "line 1, column 2: found '\"', expected a closing quote for this text"),
        (b'["a\nb"]', "line 1, column 4: found '\\n', expected an escape (such as \\n) for this character"),
        (b'["\\x"]', "line 1, column 3: found '\\', expected one of the escapes that JSON knows"),
        (b'{"vms": [{"cpus": NaN}]}', "vms[0].cpus: found NaN, expected a number"),
        (b"[0, -Infinity]", "[1]: found -Infinity, expected a number"),
        (b'{"a": 1e400}', "a: found 1e400, expected a number that a 64-bit float can hold"),
        (b'{"a": -1e400}', "a: found -1e400, expected a number that a 64-bit float can hold"),
        (b'{"a": 9223372036854775808}', "a: found 9223372036854775808, expected a whole number below 2**63"),
        (b'["\\ud800"]', "[0]: found '\\ud800', expected text without lone surrogates"),
        (b'{"a": {"\\udfff": 1}}', "a: found the key '\\udfff', expected text without lone surrogates"),
        (b'{"vms": [{"a": 1, "a": 1}]}', "vms[0]: found the key 'a' more than once"),
    ],
)
def test_doubtful_json_is_refused_with_its_place(data: bytes, sentence: str) -> None:
    assert faults(data) == [sentence]


def test_all_doubtful_values_are_reported_together() -> None:
    assert len(faults(b'{"a": NaN, "b": 1e999, "c": [1, "\\udc00"], "c": ["\\udc00"], "b": 1e999, "d": Infinity}')) == 6


def test_a_duplicate_key_is_found_even_in_what_a_duplicate_key_hides() -> None:
    assert faults(b'{"a": {"b": 1, "b": 2}, "a": 3}') == ["found the key 'a' more than once"]


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert read_json(b'["\\ud83d\\ude00", "\\\\ud800"]', "s") == ["\N{GRINNING FACE}", "\\ud800"]


def test_the_largest_numbers_are_taken_as_they_are() -> None:
    assert read_json(b"[9223372036854775807, -9223372036854775807, 1.7976931348623157e308, 1e-999]", "s") == [
        2**63 - 1,
        -(2**63) + 1,
        1.7976931348623157e308,
        0.0,
    ]


def test_a_number_of_many_digits_is_refused_not_computed() -> None:
    assert faults(b"[" + b"7" * 1_000_000 + b"]") == [f"[0]: found {'7' * 60}..., expected a whole number below 2**63"]
    assert read_json(b"0." + b"3" * 10_000, "s") == pytest.approx(1 / 3)


def test_a_hundred_levels_are_read_and_one_more_is_not() -> None:
    read_json(b"[" * 100 + b"]" * 100, "s")
    read_json(b'{"a":' * 99 + b'["' + b"[" * 500 + b'"]' + b"}" * 99, "s")  # brackets inside text are no levels
    sentence = "line 1, column 101: found lists or objects nested deeper than 100, expected at most that"
    assert faults(b"[" * 101 + b"]" * 101) == [sentence]
    assert faults(b"[" * 5000) == [sentence]
    [deep] = faults(b"[1, 2, \n" + b'{"a":' * 100 + b"1" + b"}" * 100 + b"]")
    assert deep.startswith("line 2, column 496: found lists")


def test_brackets_that_do_not_match_are_a_fault_of_grammar_not_of_depth() -> None:
    assert faults(b"]" * 200) == ["line 1, column 1: found ']', expected a value"]


@pytest.mark.parametrize(
    "piece",
    [b"[", b"{", b"[]", b"[],", b"[[]],", b'"",', b'"', b'\\"', b"}", b'{"a":', b"0,", b'"\\'],
    ids=lambda piece: piece.decode(),
)
def test_a_flood_is_refused_before_it_is_built(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "_load", lambda *_: pytest.fail("the parser was asked"))
    monkeypatch.setattr(strict_json, "MOST_VALUES", 1000)
    assert faults(piece * 5000) == ["found more than 1000 values, expected at most that many"]


def test_a_hundred_megabytes_of_brackets_are_refused_without_building_them() -> None:
    data = b"[" * 100_000_000
    tracemalloc.start()
    assert faults(data) == ["found more than 5000000 values, expected at most that many"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(data)


def test_a_gzip_bomb_is_refused_at_the_limit() -> None:
    with pytest.raises(Faults, match="more than 1000 bytes after gunzip"):
        read_json(gzip.compress(b"[" + b" " * 10_000_000 + b"]"), "s", most_bytes=1000)
    with pytest.raises(Faults, match="found 1001 bytes, expected at most 1000"):
        read_json(b" " * 1001, "s", most_bytes=1000)


@pytest.mark.parametrize("cut", [1, 3, 12, 25])
def test_a_damaged_gzip_file_is_a_fault(cut: int) -> None:
    whole = gzip.compress(b'{"format": "placer.snapshot/1"}')
    assert len(faults(whole[:-cut])) == 1
    assert len(faults(whole[:15] + b"\xff\xff\xff\xff" + whole[19:])) == 1


def test_gzip_in_several_members_is_one_document() -> None:
    assert read_json(gzip.compress(b"[1,") + gzip.compress(b"2]"), "s") == [1, 2]
