"""The table of what placer is to show: each row is measured by calls that exist, judged, and written as it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bench import whole
from bench.__main__ import bench
from bench.figures import Figure, later, median, of_best_other, open_points, short_of, total, worst
from bench.tables import tables
from bench.target import Files, Missing, Target
from bench.targets import TARGETS
from placer.cli import main as placer

FILES = Files(Path("scratch"), Path("openb"), Path("proxlb"), "pictures/")
TINY = Target(
    "tiny",
    "four hosts",
    lambda files: [("bench", "synthetic", "--row", "loaded-4-40-10")],
    (Figure("gap", median("gap_percent"), 0.0, unit=" %"), Figure("VMs", median("vms"), 50, more=True, places=0)),
    repeat=2,
)
NEEDS = Target("needs", "the trace", lambda files: [("bench", "openb", *files.trace())], ())
FAILS = Target("fails", "no such row", lambda files: [("bench", "synthetic", "--row", "crowded-1-1-1")], ())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_row_is_measured_by_calls_that_exist(target: Target) -> None:
    try:
        calls = target.calls(FILES)
    except Missing as reason:
        pytest.fail(f"with all files at hand: {reason}")
    for module, *words in calls:
        command: click.Command = bench if module == "bench" else placer
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, (target.name, words)
            command = found
        command.make_parser(click.Context(command)).parse_args(list(words))


def test_a_row_that_needs_the_trace_says_so_without_it() -> None:
    lacking = [target.name for target in TARGETS if needs(target)]
    assert "openb" in lacking
    assert "growth" not in lacking


def needs(target: Target) -> bool:
    try:
        target.calls(Files(Path("scratch")))
    except Missing:
        return True
    return False


def test_rows_are_written_as_they_end_and_one_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "TARGETS", (NEEDS, FAILS, TINY))
    monkeypatch.delenv("PLACER_OPENB", raising=False)
    done = CliRunner().invoke(bench, ["all", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1, done.output
    assert "Error: 1 row failed" in done.stderr
    assert "needs: not measured: the folder of the openb trace" in done.stderr
    assert "fails: nothing: failed: bench synthetic ended with 2: " in done.stderr
    assert "tiny: gap 0.00 %, VMs 40: short: VMs" in done.stderr
    (kept,), (table,) = (list((tmp_path / "out").glob(f"*-table.{kind}")) for kind in ("jsonl", "md"))
    lines = [json.loads(text) for text in kept.read_text(encoding="utf-8").splitlines()]
    assert [(line["target"], line["work"]) for line in lines] == [("fails", "failed"), *[("tiny", "synthetic")] * 2]
    assert [(line["again"], line["judged"]) for line in lines[1:]] == [(1, True), (2, True)]
    assert len(tables(lines)) == 2
    page = table.read_text(encoding="utf-8")
    assert "| tiny | four hosts | gap ≤ 0 %; VMs ≥ 50 |  | gap 0.00 %, VMs 40 | short: VMs | 2 |" in page
    assert "nothing | failed: bench synthetic ended with 2: " in page
    assert "- tiny: `python -m bench synthetic --row loaded-4-40-10`" in page


def test_a_call_that_does_not_end_fails_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "MOST_SECONDS", 0)
    (line,) = whole.measured(TINY, FILES)
    assert (line["work"], line["said"]) == ("failed", "bench synthetic did not end in 0 minutes")


def test_calls_can_be_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "TARGETS", (TINY,))
    done = CliRunner().invoke(bench, ["all", "--calls"])
    assert done.stdout == "tiny: 2 x python -m bench synthetic --row loaded-4-40-10\n"
    done = CliRunner().invoke(bench, ["all", "--calls", "--repeat", "1"])
    assert done.stdout == "tiny: 1 x python -m bench synthetic --row loaded-4-40-10\n"


def test_what_is_measured_again_replaces_what_the_table_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "TARGETS", (TINY,))
    machine = {"cpus": 2, "model": "m", "memory_mib": 1, "system": "s"}
    known: dict[str, Any] = {"target": "tiny", "machine": machine, "versions": {}, "load_before": [0.5], "commit": "c"}
    known |= {"command": "x", "vms": 60, "work": "synthetic"}
    early, late = ({**known, "taken": taken, "gap_percent": gap} for taken, gap in (("1", 7.0), ("2", 0.0)))
    assert "gap 0.00 %, VMs 60 | met | 1 | ? s | 0.5 | c |" in whole.markdown([late, early])


def line(**more: Any) -> dict[str, Any]:
    return more


def test_a_verdict_is_beyond_only_where_all_is() -> None:
    figures = (Figure("a", median("a"), 10, 5), Figure("b", median("b"), 10), Figure("c", median("c"), 1, 2, more=True))
    target = Target("t", "", lambda files: [], figures)
    assert target.verdict([line(a=4, b=9, c=2)]) == "beyond"
    assert target.verdict([line(a=6, b=9, c=2)]) == "met"
    assert target.verdict([line(a=6, b=11, c=0)]) == "short: b, c"
    assert target.verdict([line(a=6, b=9)]) == "short: c"
    assert Target("t", "", lambda files: [], (Figure("a", median("a")),)).verdict([line(a=1)]) == "told"


def test_figures_follow_from_lines() -> None:
    assert median("s", kind="x")([line(kind="x", s=1), line(kind="y", s=9), line(kind="x", s=3)]) == 2
    assert worst("s", "kind")([line(kind="x", s=1), line(kind="y", s=9), line(kind="y", s=7)]) == 8
    assert worst("s", "kind")([line(kind="x", s=1), line(kind="y")]) is None
    assert total("s")([line(s=1), line(s=9)]) == 10
    assert total("s")([line(s=1), line(peer="absent")]) is None
    shares = [line(gpu_percent=96.0, most_percent=96.5), line(gpu_percent=96.25, most_percent=96.5)]
    assert open_points(shares) == 0.5
    assert open_points([*shares, line(gpu_percent=96, most_percent=None)]) is None
    assert short_of("job-value")([line(score={"job-value": 98}, bound={"job-value": 100})]) == 2
    assert short_of("job-value")([line(score={"job-value": 98}, bound={"job-value": None})]) is None
    ends = [line(at=104, least=100), line(at=51, least=50), line(peer="other")]
    assert later("at", "least")(ends) == pytest.approx(4)
    assert later("at", "least")([*ends, line(at=7, least=None)]) is None
    peers = [
        line(peer="placer", status="optimal", gpu_milli=10, vms=1),
        line(peer="a", status="feasible", gpu_milli=8, vms=9),
        line(peer="b", status="refused", gpu_milli=99, vms=9),
    ]
    assert of_best_other(peers) == 1.25
    assert of_best_other(peers[:1]) is None
