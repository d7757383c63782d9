"""Synthetic rows: a tiny one is placed by a whole process, judged, and told as a JSON line."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bench.__main__ import bench
from bench.clusters import KINDS
from bench.growth import GROWTH
from bench.synthetic import ROWS, Row, gap_percent, judged, snapshot_of
from placer import place
from placer_models.decision import shipped_decision
from placer_models.snapshot import Snapshot


def test_every_row_names_a_kind_of_cluster() -> None:
    assert {row.kind for row in (*ROWS, *GROWTH)} <= set(KINDS)


def test_the_same_seed_gives_the_same_cluster() -> None:
    row = Row("ruled", 6, 60, 5)
    assert snapshot_of(row, 3) == snapshot_of(row, 3) != snapshot_of(row, 4)


def test_a_tiny_row_is_placed_judged_and_told(tmp_path: Path) -> None:
    out = tmp_path / "lines.jsonl"
    ran = CliRunner().invoke(bench, ["synthetic", "--row", "loaded-4-40-20", "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    (line,) = [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]
    assert line["status"] in ("optimal", "feasible")
    assert line["asked"] == sum(line["score"][f"placed (priority {p})"] for p in (0, 10)) + line["unplaced"]
    assert line["peak_rss_mib"] > 0
    assert "loaded-4-40" in ran.output


def test_an_answer_that_the_judge_refuses_is_told_as_refused() -> None:
    snapshot = Snapshot.load(snapshot_of(Row("storm", 2, 20, 5), 1))
    answer = place(snapshot, shipped_decision("gpu_allocation"))
    twice = answer.model_copy(update={"placed": (*answer.placed, answer.placed[0])})
    assert judged(snapshot, twice, "gpu_allocation")["status"] == "refused"
    assert judged(snapshot, answer, "gpu_allocation")["gap_percent"] == gap_percent(answer)


def test_a_row_that_nobody_knows_is_a_usage_error() -> None:
    ran = CliRunner().invoke(bench, ["synthetic", "--row", "crowded-4-40-20"])
    assert ran.exit_code == 2
    assert "crowded-4-40-20" in ran.output
