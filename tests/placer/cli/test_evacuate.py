"""`placer evacuate`: the request that options and snapshot make, what is printed, the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, SOME_NOT
from tests.good_nights import quick
from tests.nights import Night
from tests.worlds import host

NIGHT = Night(
    [host("h1"), host("h2"), host("h3")],
    [quick("a", on="h1"), quick("b", on="h2"), quick("fixed", on="h3", may="")],
    {"kind": "evacuate", "hosts": ["h1", "h2"], "at_once": 1, "minutes": 1},
)
EVENING = "2026-11-20T22:00:00Z/2026-11-20T23:00:00Z"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a snapshot that asks for an upgrade (`asks.json`) and one that asks for nothing (`bare.json`)."""
    monkeypatch.chdir(tmp_path)
    NIGHT.lay_out(tmp_path)
    return tmp_path


def evacuate(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["evacuate", *words])


def test_the_snapshot_s_request_is_planned_shown_and_can_be_verified(desk: Path) -> None:
    done = evacuate("asks.json", "-o", "plan.json")
    assert done.exit_code == DONE
    for said in ("2 hosts freed", "enter-maintenance h1", "migrate a"):
        assert said in done.stderr
    assert CliRunner().invoke(main, ["verify", "bare.json", "plan.json"]).exit_code == DONE


def test_options_alone_make_a_request_and_a_host_that_is_left_out_makes_it_1(desk: Path) -> None:
    words = ["--host", "h3", "--host", "h1", "--window", EVENING, "--minutes", "2", "--at-once", "1", "--in-order"]
    done = evacuate("bare.json", *words)
    assert done.exit_code == SOME_NOT
    assert "left out: h3: fixed: may not be live-migrated" in done.stderr
    plan = json.loads(done.stdout)
    asked = plan["asked"]["request"]
    assert (asked["hosts"], asked["minutes"], asked["at_once"], asked["in_order"]) == (["h3", "h1"], 2, 1, True)
    assert [freed["host"] for freed in plan["freed"]] == ["h1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bare.json"], "bare.json: requests: found none of kind 'evacuate', expected one (or --window)"),
        (["bare.json", "--window", EVENING], "the options: missing 'hosts'"),
        (["asks.json", "--host", "h9"], "the options: request.hosts[0]: found 'h9', expected a host of this snapshot"),
        (["asks.json", "--at-once", "0"], "at_once: found 0"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be_asked_is_said_in_a_sentence(desk: Path, words: list[str], sentence: str) -> None:
    done = evacuate(*words)
    assert done.exit_code == BAD_INPUT
    assert sentence in done.stderr
    assert done.stdout == ""
