"""`placer explain SNAPSHOT NAME --plan PLAN`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from placer.cli import main
from placer.cli.exits import BAD_INPUT, DONE
from placer_models.document import dump
from tests.placer.test_consolidate import desk, host, night


def explain(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["explain", "snapshot.json", *words])


@pytest.fixture
def desk_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a snapshot and its plan."""
    monkeypatch.chdir(tmp_path)
    vms = [desk("cad-1", "esx01", live_migrate=False), desk("desk-1", "esx02")]
    snapshot, plan = night([host("esx01"), host("esx02")], vms, [], free=["esx01"])
    Path("snapshot.json").write_text(dump(snapshot))
    Path("plan.json").write_text(dump(plan))
    return tmp_path


def test_why_a_host_is_not_freed_is_said_with_what_would_free_it(desk_of: Path) -> None:
    done = explain("esx01", "--plan", "plan.json")
    assert done.exit_code == DONE
    assert done.stderr.splitlines() == [
        "why is esx01 not freed",
        "  cad-1: may not be live-migrated, nor suspended or stopped",
        "would free it: let cad-1 be live-migrated",
    ]
    assert json.loads(done.stdout)["format"] == "placer.plan-explanation/1"


def test_quietly_only_the_document_comes_out(desk_of: Path) -> None:
    done = explain("cad-1", "--plan", "plan.json", "-q", "--decision", "consolidate")
    assert done.stderr == ""
    assert json.loads(done.stdout)["kind"] == "VM"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody", "--plan", "plan.json"], "found 'nobody', expected a VM, host or job of this snapshot"),
        (["cad-1", "--plan", "plan.json", "--placements", "plan.json"], "found --placements beside --plan"),
        (["cad-1", "--plan", "snapshot.json"], "snapshot.json: "),
    ],
    ids=["name", "both", "no plan"],
)
def test_what_cannot_be_explained_is_said_in_a_sentence(desk_of: Path, words: list[str], sentence: str) -> None:
    done = explain(*words)
    assert done.exit_code == BAD_INPUT
    assert sentence in done.stderr


def test_a_plan_that_the_judge_refuses_is_called_by_its_file(desk_of: Path) -> None:
    plan = json.loads(Path("plan.json").read_text())
    plan["freed"] = [{"host": "nowhere", "from": "2026-11-20T22:00:00Z", "until": "2026-11-20T23:00:00Z"}]
    Path("mine.json").write_text(json.dumps(plan))
    done = explain("esx01", "--plan", "mine.json")
    assert done.exit_code == BAD_INPUT
    assert "mine.json: freed[0].host: found 'nowhere', expected a host of this snapshot" in done.stderr
