"""`placer verify` and `placer diff` on plans: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, REFUSED
from placer_models.document import dump
from tests.good_nights import desktops

NIGHT, VALUES = desktops()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `snapshot.json`, `plan.json` and `asked.json`, in which commands run."""
    monkeypatch.chdir(tmp_path)
    Path("snapshot.json").write_text(dump(NIGHT.snapshot))
    request = NIGHT.asked.model_dump(mode="json", by_alias=True, exclude_none=True)
    asked = {"request": request, "jobs": [job.model_dump(mode="json", exclude_none=True) for job in NIGHT.work]}
    Path("asked.json").write_text(json.dumps(asked))
    Path("plan.json").write_text(json.dumps({**VALUES, "asked": asked}))
    return tmp_path


def placer_(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, list(words))


def changed(name: str, **update: Any) -> None:
    """Write the plan under another name with some keys changed."""
    values = json.loads(Path("plan.json").read_text())
    Path(name).write_text(json.dumps({key: value for key, value in {**values, **update}.items() if value is not None}))


def test_a_plan_that_holds_is_passed(desk: Path) -> None:
    done = placer_("verify", "snapshot.json", "plan.json")
    assert (done.exit_code, done.stderr) == (DONE, "the judge has nothing against 6 steps\n")


def test_a_plan_that_does_not_hold_is_refused(desk: Path) -> None:
    changed("early.json", freed=[{**VALUES["freed"][0], "from": VALUES["steps"][0]["start"]}])
    done = placer_("verify", "snapshot.json", "early.json")
    assert done.exit_code == REFUSED
    assert "h1: is not free from 2026-11-20T22:00:00Z" in done.stderr


def test_a_plan_for_an_earlier_snapshot_says_what_has_drifted_and_that_it_still_holds(desk: Path) -> None:
    changed("old.json", snapshot_sha256="0" * 64)
    done = placer_("verify", "snapshot.json", "old.json")
    assert done.exit_code == DONE
    assert done.stderr.startswith("the plan was made for another snapshot (000000000000,")
    assert "the judge has nothing against 6 steps" in done.stderr


def test_what_a_plan_was_asked_for_can_be_said_beside_it(desk: Path) -> None:
    changed("mute.json", asked=None)
    done = placer_("verify", "snapshot.json", "mute.json")
    assert done.exit_code == BAD_INPUT
    assert "requests: found 0 of kind 'consolidate', expected one, since the plan says no 'asked'" in done.stderr
    assert placer_("verify", "snapshot.json", "mute.json", "--request", "asked.json").exit_code == DONE


def test_a_document_of_another_kind_is_no_answer(desk: Path) -> None:
    done = placer_("verify", "snapshot.json", "snapshot.json")
    assert done.exit_code == BAD_INPUT
    expected = "expected 'placer.placements/1' or 'placer.plan/1'"
    assert done.stderr == f"snapshot.json: format: found 'placer.snapshot/1', {expected}\n"


def test_plans_that_differ_are_told_apart_on_both_sides(desk: Path) -> None:
    first, *rest = VALUES["steps"]
    changed("other.json", steps=[{**first, "end": "2026-11-20T22:00:12Z"}, *rest])
    done = placer_("diff", "plan.json", "other.json")
    assert done.exit_code == DONE
    (change,) = json.loads(done.stdout)["changes"]
    assert change["name"] == "migrate a"
    assert "end 2026-11-20T22:00:12Z" in done.stderr
    assert "1 changed; " in done.stderr
    same = placer_("diff", "plan.json", "plan.json", "-o", "diff.json")
    assert same.stderr == "the plans do not differ\n"
    assert json.loads(Path("diff.json").read_text())["changes"] == []


def test_a_plan_and_a_snapshot_are_not_compared(desk: Path) -> None:
    done = placer_("diff", "plan.json", "snapshot.json")
    assert done.exit_code == BAD_INPUT
    assert "found snapshots, expected plans" in done.stderr
