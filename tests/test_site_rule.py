"""A site's own rule, installed beside placer: its kind is read, held in place, judged, explained and told about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from placer_models.document import Faults, dump
from placer_models.snapshot import Snapshot
from tests.agreement import World
from tests.worlds import host, vm

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "tests" / "site_rule"

QUIET = {"kind": "quiet-hosts", "hosts": ["h1"], "most": 1}
HOSTS = [host("h1"), host("h2", cpus=1)]
VMS = [vm("old", on="h1"), vm("a"), vm("b"), vm("c", cpus=3)]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    values = json.loads(dump(World("site", HOSTS, VMS).snapshot()))
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps({**values, "rules": [QUIET]}), encoding="utf-8")
    return file


def python(*args: str) -> subprocess.CompletedProcess[str]:
    """Python with the site's package installed: its folder holds the module and what pip would leave of it."""
    paths = [str(SITE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *args],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def placer(*args: str) -> subprocess.CompletedProcess[str]:
    return python("-c", "import sys; from placer.cli import main; sys.exit(main())", *args)


def test_a_quiet_host_gets_one_new_vm_and_the_other_is_told_why(snapshot: Path) -> None:
    done = placer("place", str(snapshot))
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 1
    assert sorted(placed["host"] for placed in answer["placed"]) == ["h1", "h2"]
    (off,) = answer["unplaced"]
    assert any("is quiet, and has its 1 new already" in reason for reason in off["reasons"])


def test_the_judge_refuses_two_new_vms_on_a_quiet_host(snapshot: Path, tmp_path: Path) -> None:
    answer = {"format": "placer.placements/1", "status": "feasible"}
    placed: list[dict[str, Any]] = [{"vm": name, "host": "h1", "gpus": []} for name in ("a", "b")]
    (tmp_path / "answer.json").write_text(json.dumps({**answer, "placed": placed}), encoding="utf-8")
    done = placer("verify", str(snapshot), str(tmp_path / "answer.json"))
    assert done.returncode == 3
    assert "a, b are new here, at most 1 may be" in done.stdout + done.stderr


def test_its_page_is_printed_like_any_other(snapshot: Path) -> None:
    assert "started or moved" in placer("rules", "quiet-hosts").stdout


def test_solver_and_judge_agree_on_it_too() -> None:
    world = f"World('quiet', {HOSTS!r}, {VMS!r}, [{QUIET!r}], movable=('old',), goals=('moves',))"
    done = python("-c", f"from tests.agreement import World, disagreements; print(disagreements({world}))")
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_without_the_package_its_kind_is_unknown(snapshot: Path) -> None:
    with pytest.raises(Faults, match="quiet-hosts"):
        Snapshot.load(snapshot.read_bytes())


def test_the_page_about_it_shows_the_rule_that_is_tested() -> None:
    page = (ROOT / "docs" / "site-rules.md").read_text(encoding="utf-8")
    assert (SITE / "quiet_hosts.py").read_text(encoding="utf-8") in page
    assert (SITE / "quiet_hosts-1.0.dist-info" / "entry_points.txt").read_text(encoding="utf-8") in page
