"""`placer consolidate`: the request that options and snapshot make together, what is printed, the exit codes."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, INTERRUPTED, NO_ANSWER, SOME_NOT
from placer.cli.night_options import request_of
from placer_models.document import dump
from placer_models.night import Consolidate
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot
from tests.good_nights import desktops

NIGHT, _ = desktops()
BARE = NIGHT.snapshot
ASKS = BARE.model_copy(update={"requests": (NIGHT.asked,), "jobs": tuple(NIGHT.work)})
EVENING = "2026-11-20T22:00:00Z/2026-11-20T22:02:00Z"


def asked(snapshot: Snapshot = ASKS, **flags: Any) -> Consolidate:
    """The request that these options make."""
    return request_of(Consolidate, snapshot, "snapshot.json", flags)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a snapshot that asks for a night (`asks.json`), one that asks for nothing (`bare.json`), one with a
    misspelt label (`link.json`).
    """
    monkeypatch.chdir(tmp_path)
    Path("asks.json").write_text(dump(ASKS))
    Path("bare.json").write_text(dump(BARE))
    Path("link.json").write_text(dump(ASKS).replace('"label": "rack"', '"label": "rak"'))
    return tmp_path


def consolidate(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["consolidate", *words])


# --- the request ----------------------------------------------------------------------------------------------------


def test_without_options_the_snapshot_s_request_is_taken() -> None:
    assert asked() == NIGHT.asked
    assert asked(windows=(), free=None, zone=None) == NIGHT.asked


def test_an_option_changes_its_part_and_leaves_the_others() -> None:
    found = asked(most_moves=3, stun_seconds=2.0, way_back="none", free=("h2",))
    assert (found.free, found.way_back, found.limits.most_moves, found.limits.stun_seconds) == (("h2",), "none", 3, 2.0)
    assert found.windows == NIGHT.asked.windows
    assert found.limits.moves_at_once == 2


def test_options_alone_make_a_request() -> None:
    found = asked(BARE, windows=("22:00/06:30",), zone="Europe/Berlin", first="2026-03-28", nights=2)
    assert found.free is None
    hours = [(end - begin).total_seconds() / 3600 for window in found.windows for begin, end in window.spans()]
    assert hours == [7.5, 8.5]


def test_a_window_s_times_are_of_the_zone_unless_they_say_their_own() -> None:
    local = asked(BARE, windows=("2026-11-20T22:00/2026-11-21T06:30",), zone="Europe/Berlin")
    offset = asked(BARE, windows=("2026-11-20T22:00+01:00/2026-11-21T05:30Z",))
    assert [window.spans() for window in local.windows] == [window.spans() for window in offset.windows]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bare.json"], "bare.json: requests: found none of kind 'consolidate', expected one (or --window)"),
        (["asks.json", "--free", "h9"], "the options: request.free[0]: found 'h9', expected a host of this snapshot"),
        (["asks.json", "--free", "h1", "--host", "h2"], "request.free[0]: found 'h1', expected one of those that the"),
        (["link.json"], "requests[0].limits.links[0].label: found 'rak', expected a label that hosts have ('rack')"),
        (["asks.json", "--window", "22:00"], "--window: found '22:00', expected FROM/UNTIL"),
        (["asks.json", "--window", "22:00/06:30"], "expected --zone and --first beside it"),
        (["asks.json", "--window", "2026-11-20T22:00/2026-11-21T06:30"], "without an offset, expected one, or --zone"),
        (["asks.json", "--window", "2026-11-99T22:00Z/2026-11-21T06:30Z"], "expected a time such as"),
        (["asks.json", "--window", EVENING, "--first", "2026-11-20"], "says its day itself"),
        (["asks.json", "--zone", "UTC"], "without --window"),
        (["asks.json", "--window", "2026-11-21T06:30Z/2026-11-20T22:00Z"], "expected one after 2026-11-21T06:30"),
        (["asks.json", "--window", "22:00/06:30", "--zone", "Mars", "--first", "2026-11-20"], "expected a time zone"),
        (["asks.json", "--stun-limit", "0"], "limits.stun_seconds: found 0"),
        (["asks.json", "--jobs", "asks.json"], "asks.json: "),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be_asked_is_said_in_a_sentence(desk: Path, words: list[str], sentence: str) -> None:
    done = consolidate(*words)
    assert done.exit_code == BAD_INPUT
    assert sentence in done.stderr
    assert done.stdout == ""


def test_two_requests_of_one_kind_are_one_too_many(desk: Path) -> None:
    Path("two.json").write_text(dump(ASKS.model_copy(update={"requests": (NIGHT.asked, NIGHT.asked)})))
    done = consolidate("two.json")
    assert done.exit_code == BAD_INPUT
    assert "found 2 of kind 'consolidate'" in done.stderr


# --- what comes out -------------------------------------------------------------------------------------------------


def test_a_night_is_planned_shown_and_can_be_verified(desk: Path) -> None:
    done = consolidate("asks.json", "-o", "plan.json")
    assert done.exit_code == DONE
    for said in ("1 host freed", "film", "migrate a", "job-value"):
        assert said in done.stderr
    assert CliRunner().invoke(main, ["verify", "bare.json", "plan.json"]).exit_code == DONE


def test_jobs_of_a_file_that_do_not_all_run_make_it_1(desk: Path) -> None:
    film = NIGHT.work[0].model_dump(mode="json", exclude_none=True)
    Path("jobs.json").write_text(json.dumps([{**film, "instances": 9}]))
    done = consolidate("bare.json", "--window", EVENING, "--free", "1", "--jobs", "jobs.json", "-q")
    assert done.exit_code == SOME_NOT
    assert done.stderr == ""
    assert json.loads(done.stdout)["asked"]["jobs"][0]["instances"] == 9


@pytest.mark.parametrize(
    ("update", "code"),
    [({"stopped": "interrupted"}, INTERRUPTED), ({"status": "unknown"}, NO_ANSWER), ({}, DONE)],
    ids=["interrupted", "no answer", "nothing asked that is not done"],
)
def test_how_the_search_ended_is_the_exit_code(
    desk: Path, monkeypatch: pytest.MonkeyPatch, update: dict[str, Any], code: int
) -> None:
    plan = Plan(status="feasible").model_copy(update=update)
    monkeypatch.setattr(import_module("placer.consolidate"), "consolidate", lambda *words, **more: plan)
    assert consolidate("asks.json").exit_code == code
