"""`placer consolidate --continue` and `placer verify --at`: a plan in the midst of its night."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE, REFUSED, SOME_NOT
from placer_models.document import dump
from placer_models.plan import Plan
from tests.midway_nights import seen
from tests.placer.test_consolidate import desk, host, night

AT = "2026-11-20T22:01:00+01:00"


def placer_(*words: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def desk_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A folder with a plan, and the cluster a minute after its beginning: as planned, and with a migration failed."""
    monkeypatch.chdir(tmp_path)
    vms = [desk("desk-1", "esx01"), desk("desk-2", "esx01", slot=1), desk("stays", "esx02", live_migrate=False)]
    farm = {"name": "farm", "whole_host": True, "hours": 6}
    snapshot, plan = night([host("esx01"), host("esx02")], vms, [farm], free=["esx01"])
    Path("plan.json").write_text(dump(plan))
    at = datetime.fromisoformat(AT).astimezone(UTC)
    Path("well.json").write_text(dump(seen(snapshot, plan, at)))
    Path("failed.json").write_text(dump(seen(snapshot, plan, at, failed=["e2"])))
    return plan


def test_a_night_that_goes_as_planned_is_gone_on_with(desk_of: Plan) -> None:
    done = placer_("consolidate", "well.json", "--continue", "plan.json", "-o", "on.json")
    assert done.exit_code == DONE
    assert "goes on at 2026-11-20 21:01 with an earlier plan; its steps: " in " ".join(done.stderr.split())
    assert "dropped" not in done.stderr
    assert placer_("verify", "well.json", "on.json").exit_code == DONE
    assert placer_("report", "on.json", "--snapshot", "well.json", "-o", "page.html").exit_code == DONE
    assert "Going on with an earlier plan" in Path("page.html").read_text()


def test_what_failed_is_told_and_planned_around(desk_of: Plan) -> None:
    done = placer_("consolidate", "failed.json", "--continue", "plan.json", "--at", AT)
    assert done.exit_code == SOME_NOT
    said = " ".join(done.stderr.split())
    assert "not as planned: desk-2 was to be on esx02 by 2026-11-20T21:00:38Z (step e2), and is on esx01" in said
    assert "not done: esx01 is not freed" in said
    assert json.loads(done.stdout)["continued"]["dropped"][0]["step"] == "e2"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--at", "soon"], "--at: found 'soon', expected a time with its offset"),
        (["--at", "2026-11-20T22:01:00"], "expected a time with its offset"),
        (["--free", "2"], "found --free beside --continue: the plan says what is asked"),
        (["--at", "2026-11-21T08:00:00Z"], "plan.json: found 2026-11-21T08:00:00Z, expected a time before its last"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_gone_on_with_is_said_in_a_sentence(desk_of: Plan, words: list[str], sentence: str) -> None:
    done = placer_("consolidate", "well.json", "--continue", "plan.json", *words)
    assert done.exit_code == BAD_INPUT
    assert sentence in " ".join(done.stderr.split())


def test_a_plan_of_another_kind_is_refused(desk_of: Plan) -> None:
    Path("other.json").write_text(dump(desk_of.model_copy(update={"request": "evacuate"})))
    done = placer_("consolidate", "well.json", "--continue", "other.json")
    assert (done.exit_code, done.stderr) == (
        BAD_INPUT,
        "other.json: request: found 'evacuate', expected 'consolidate'\n",
    )


def test_the_rest_of_a_plan_is_verified_at_a_time(desk_of: Plan) -> None:
    well = placer_("verify", "well.json", "plan.json", "--at", AT)
    assert well.exit_code == DONE
    assert "and is on" not in well.stderr
    failed = placer_("verify", "failed.json", "plan.json", "--at", AT)
    assert failed.exit_code == REFUSED
    assert "desk-2 was to be on esx02 by 2026-11-20T21:00:38Z (step e2), and is on esx01" in failed.stderr
    assert "desk-2 is to leave esx02, and stands on esx01" in failed.stderr
