"""Growth is fitted to medians of each size, said in a sentence, and drawn; a run says how it came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.__main__ import bench
from bench.growth import Fit, draw_growth, points, sentence

SIZES = (10, 100, 1000)
LINES: list[dict[str, Any]] = [
    {
        "work": "growth",
        "row": f"loaded-{hosts}-{10 * hosts}",
        "kind": "loaded",
        "decision": "d",
        "hosts": hosts,
        "vms": 10 * hosts,
        "seconds": 2.0 * hosts * slow,
        "cpu_seconds": 3.0 * hosts**2,
        "peak_rss_mib": 50 * hosts**0.5,
    }
    for hosts in reversed(SIZES)
    for slow in (1, 0.9, 7)
]


def test_what_doubles_with_size_grows_with_power_one() -> None:
    fit = Fit.of(SIZES, [2.0 * size for size in SIZES])
    assert [fit.power, fit.factor, fit.off] == pytest.approx([1, 2, 0])
    assert fit.at(50) == pytest.approx(100)


def test_what_every_process_pays_for_does_not_flatter_the_power() -> None:
    sizes = (100, 200, 500, 1000, 5000)
    fit = Fit.of(sizes, [1.5 + size / 100 for size in sizes])
    assert [fit.start, fit.power, fit.off] == pytest.approx([1.5, 1, 0], abs=0.01)
    assert fit.said("s") == "1.5 s + c x hosts^1.00"


def test_of_two_sizes_only_a_power_is_told() -> None:
    assert Fit.of((1, 10), (1, 100)).said("MiB") == "hosts^2.00"


def test_how_far_the_worst_size_is_off_the_fit_is_known() -> None:
    assert Fit.of(SIZES, [1, 8, 1]).off == pytest.approx(3)


def test_one_slow_run_of_a_size_moves_nothing() -> None:
    assert points(LINES, "seconds") == [20, 200, 2000]


def test_growth_is_a_sentence() -> None:
    assert sentence(LINES) == (
        "From 10 hosts with 100 VMs to 1,000 with 10,000, a whole process grows: "
        "time as hosts^1.00 (20.0 to 2000.0 s; hosts^1.00 at the large end; fit off by 0 % at most), "
        "CPU time as hosts^2.00 (300.0 to 3000000.0 s; hosts^2.00 at the large end; fit off by 0 % at most), "
        "peak memory as hosts^0.50 (158 to 1581 MiB; hosts^0.50 at the large end; fit off by 0 % at most)."
    )


def test_growth_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra (bench)")
    draw_growth(LINES, tmp_path / "growth.svg")
    assert "<!-- time: grows as hosts^1.00 -->" in (tmp_path / "growth.svg").read_text(encoding="utf-8")


def test_two_small_sizes_are_measured_fitted_and_shown_again_from_their_lines(tmp_path: Path) -> None:
    out = tmp_path / "lines.jsonl"
    rows = ["--row", "loaded-2-20-10", "--row", "loaded-4-40-10"]
    done = CliRunner().invoke(bench, ["growth", *rows, "--repeat", "1", "-o", str(out)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]
    assert [(line["work"], line["hosts"], line["judged"]) for line in lines] == [
        ("growth", 2, True),
        ("growth", 4, True),
    ]
    assert lines[0]["command"] == f"python -m bench growth {' '.join(rows)} --repeat 1 -o lines.jsonl"
    assert len(lines[0]["load_before"]) == 3
    assert "From 2 hosts with 20 VMs to 4 with 40" in done.stderr
    again = CliRunner().invoke(bench, ["report", str(out)])
    assert sentence(lines) in again.stdout


def test_one_size_is_no_growth() -> None:
    done = CliRunner().invoke(bench, ["growth", "--row", "loaded-2-20-10"])
    assert done.exit_code == 2
    assert "two sizes" in done.output
