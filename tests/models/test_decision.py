"""A decision is a TOML file as people's editors write it."""

from __future__ import annotations

import codecs

import pytest

from placer import Session, place
from placer_models.decision import read_decision
from placer_models.document import Faults
from placer_models.rules import STANDING
from tests.build import gpu, host, off, snapshot, whole

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


def test_what_hosts_and_gpus_can_hold_is_asked_whatever_rules_a_decision_names() -> None:
    few = read_decision(TOML.replace(b'["placed"]', b'["placed", "stranded"]') + b'rules = ["limit"]\n', "mine.toml")
    assert {rule.kind for rule in few.rules_of([])} == STANDING.keys()
    assert (few.holds("limit"), few.holds("apart")) == (True, False)
    story = snapshot(
        [host("h1", gpu("Tesla T4"), cpus=6)],
        [off("a", whole("Tesla T4")), off("b", whole("Tesla T4")), off("c", cpus=5)],
    )
    assert len(place(story, few).placed) == 1
    warm = Session(story, few)
    warm.commit(warm.propose("a"))
    assert [warm.propose(name).host for name in ("b", "c")] == [None, None]
