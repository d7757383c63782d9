"""A decision is a TOML file as people's editors write it."""

from __future__ import annotations

import codecs

import pytest

from placer_models.decision import read_decision
from placer_models.document import Faults

TOML = b'format = "placer.decision/1"\nname = "mine"\ngoals = ["placed"]\n'


def test_a_mark_of_the_byte_order_at_the_head_is_passed_over() -> None:
    assert read_decision(codecs.BOM_UTF8 + TOML, "mine.toml") == read_decision(TOML, "mine.toml")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (TOML.replace(b"mine", b"b\xfcro"), "mine.toml: found the byte 0xfc, expected TOML in UTF-8"),
        (TOML.decode().encode("utf-16"), "mine.toml: found the byte 0xff, expected TOML in UTF-8"),
        (TOML + b"[", "mine.toml: found what is no TOML: "),
        (TOML.replace(b"/1", b"/2"), "mine.toml: format: found 'placer.decision/2', expected 'placer.decision/1'"),
        (
            TOML + b"[search]\ntime_limit_seconds = nan\n",
            "search.time_limit_seconds: found nan, expected a finite number",
        ),
    ],
)
def test_what_is_no_decision_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(Faults) as refused:
        read_decision(data, "mine.toml")
    assert sentence in str(refused.value)
    assert "did you mean" not in str(refused.value)
