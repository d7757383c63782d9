"""The session's benchmark runs, and its answers are what they should be."""

from __future__ import annotations

import json

from click.testing import CliRunner

from bench.__main__ import bench
from bench.session import faults
from tests.build import host, off, on, snapshot


def test_a_small_run_says_how_long_decisions_took_and_that_they_equal_cold_ones() -> None:
    options = ["--hosts", "6", "--vms", "60", "--kind", "ruled", "--kind", "storm", "--moves"]
    done = CliRunner().invoke(
        bench, ["session", *options, "--proposals", "20", "--compare", "4", "--compare-hosts", "3"]
    )
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["work"] for line in lines] == ["session", "session", "session-equality", "session-equality"]
    assert all(line["proposals"] == 20 and line["faults"] == [] and line["median_ms"] > 0 for line in lines[:2])
    assert all(bool(line["refused"]) == (line["refusal_median_ms"] > 0) for line in lines[:2])
    assert all(bool(line["refused"]) == (line["move_median_ms"] > 0) for line in lines[:2])
    assert [(line["kind"], line["requests"]) for line in lines[2:]] == [("ruled", 2), ("storm", 2)]
    assert all(line["other_than_proven"] == line["other_than_found"] == 0 for line in lines[2:])


def test_a_cluster_that_became_worse_is_told() -> None:
    before = snapshot([host("h1", cpus=4)], [on("a", "h1"), off("b")])
    after = snapshot([host("h1", cpus=4)], [on("a", "h1"), on("b", "h1")])
    assert faults(before, after) == ["h1: 8 CPUs are given, 4 can be"]
