"""`placer set-mode`: the request that options and snapshot make, what is printed, the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, SOME_NOT
from placer.cli.set_mode import MODES, SHARINGS
from placer_models import gpus
from placer_models.gpus import Mode
from tests.good_nights import m60, quick
from tests.nights import Night
from tests.worlds import gpu, host, want

NIGHT = Night(
    [host("h1", m60(), m60("passthrough")), host("h2", m60()), host("h3", gpu("T4"))],
    [quick("a", want("M60-1Q", "g0/0"), on="h1"), quick("fixed", want(at="g0"), on="h3", may="")],
    {"kind": "set-mode", "host": "h1", "sharing": "passthrough", "minutes": 1},
)
EVENING = "2026-11-20T22:00:00Z/2026-11-20T23:00:00Z"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a snapshot that asks for pass-through GPUs (`asks.json`) and one that asks for nothing."""
    monkeypatch.chdir(tmp_path)
    NIGHT.lay_out(tmp_path)
    return tmp_path


def set_mode(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["set-mode", *words])


def test_the_snapshot_s_request_is_planned_shown_and_can_be_verified(desk: Path) -> None:
    done = set_mode("asks.json", "-o", "plan.json")
    assert done.exit_code == DONE
    for said in ("1 GPU change", "migrate a", "as asked already: GPU g1 of h1"):
        assert said in done.stderr
    assert CliRunner().invoke(main, ["verify", "bare.json", "plan.json"]).exit_code == DONE


def test_options_alone_make_a_request(desk: Path) -> None:
    words = ["--host", "h1", "--gpu", "g0", "--mode", "compute", "--sharing", "passthrough", "--window", EVENING]
    done = set_mode("bare.json", *words, "--minutes", "2")
    assert done.exit_code == DONE
    asked = json.loads(done.stdout)["asked"]["request"]
    assert {key: asked[key] for key in ("host", "gpus", "mode", "sharing", "minutes")} == {
        "host": "h1",
        "gpus": ["g0"],
        "mode": "compute",
        "sharing": "passthrough",
        "minutes": 2,
    }


def test_a_gpu_that_is_left_out_makes_it_1(desk: Path) -> None:
    done = set_mode("bare.json", "--host", "h3", "--mode", "compute", "--window", EVENING)
    assert done.exit_code == SOME_NOT
    assert "left out: h3: GPU g0: a T4 has no mode compute" in done.stderr
    assert "meanwhile" not in done.stderr  # no figure of the cluster has changed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bare.json"], "bare.json: requests: found none of kind 'set-mode', expected one (or --window)"),
        (["bare.json", "--window", EVENING], "the options: missing 'host'"),
        (["asks.json", "--gpu", "g9"], "the options: request.gpus[0]: found 'g9', expected a GPU of h1"),
        (["asks.json", "--host", "h9"], "the options: request.host: found 'h9', expected a host of this snapshot"),
        (["bare.json", "--host", "h1", "--window", EVENING], "request: missing 'mode' or 'sharing'"),
        (["asks.json", "--mode", "graphic"], "'graphic' is not one of"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be_asked_is_said_in_a_sentence(desk: Path, words: list[str], sentence: str) -> None:
    done = set_mode(*words)
    assert done.exit_code == BAD_INPUT
    assert sentence in done.stderr
    assert done.stdout == ""


def test_the_options_name_every_mode_and_sharing() -> None:
    assert get_args(Mode) == MODES
    assert set(gpus.SHARINGS) == set(SHARINGS)
