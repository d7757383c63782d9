"""What placer does in a process of its own: openb and its arrival orders, moves, fixtures."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import bench
from bench.defrag import draw
from bench.online import read_orders
from bench.openb import arrivals

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,65536,1,T4\nn1,8000,65536,1,T4\n"
PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
a,1000,1024,1,400,,BE,,,,
b,1000,1024,1,400,,BE,,,,
c,1000,1024,1,1000,,BE,,,,
"""
PLACEMENT = "pod,node,gpu_index\na,n0,0\nb,n1,0\nc,,\n"
ORDERS = json.dumps({"7": {"pods": [0, 1, 0, 2, 1], "node_rank": [0, 1]}})


@pytest.fixture
def trace(tmp_path: Path) -> dict[str, str]:
    files = {"nodes": NODES, "pods": PODS, "placement": PLACEMENT, "orders": ORDERS}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {name: str(tmp_path / name) for name in files}


def run(*arguments: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(bench, list(arguments))
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_pods_that_arrive_again_are_others_and_end_where_all_gpus_are_asked_for(trace: dict[str, str]) -> None:
    (order,) = read_orders(Path(trace["orders"]))
    text = arrivals(Path(trace["nodes"]), Path(trace["pods"]), order)
    assert [row["name"] for row in csv.DictReader(io.StringIO(text))] == ["a", "b", "a-2"]


def test_openb_as_listed_and_in_an_order(trace: dict[str, str]) -> None:
    files = ["openb", "--nodes", trace["nodes"], "--pods", trace["pods"], "--time-limit", "10"]
    (listed,) = run(*files, "--least", "90")
    assert (listed["gpu_percent"], listed["most_percent"], listed["seed"]) == (90.0, 90.0, None)
    (ordered,) = run(*files, "--orders", trace["orders"])
    assert (ordered["gpu_percent"], ordered["seed"]) == (60.0, 7)


def defragmented(trace: dict[str, str]) -> list[dict[str, object]]:
    files = [part for name in ("nodes", "pods", "placement") for part in (f"--{name}", trace[name])]
    return run("defrag", *files, "--moves", "0", "--moves", "1", "--time-limit", "10")


def test_one_move_starts_the_pod_that_waits(trace: dict[str, str]) -> None:
    lines = defragmented(trace)
    assert [(line["gpu_percent"], line["moves"], line["placed"]) for line in lines] == [(40.0, 0, 0), (90.0, 1, 1)]


def test_the_curve_of_moves_is_drawn(trace: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra (bench)")
    draw(defragmented(trace), tmp_path / "curve.svg")
    assert "<svg" in (tmp_path / "curve.svg").read_text(encoding="utf-8")


def test_fixtures_are_placed_as_their_stories_want() -> None:
    (line,) = run("fixtures", "--only", "site-brings-a-gpu-model-of-its-own", "--time-limit", "10")
    assert line["work"] == "fixtures"
    assert line["status"] in ("optimal", "feasible")
