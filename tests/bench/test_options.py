"""What is wrong with a call is said in a sentence, before anything is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import bench

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,65536,1,T4\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\na,1000,1024,1,400,\n"
ORDERS = json.dumps({"7": {"pods": [0, 1], "node_rank": [0]}})
TRACE = ("--nodes", "nodes", "--pods", "pods")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"nodes": NODES, "pods": PODS, "orders": ORDERS, "text": "hello\n", "lines": '{"work": "peers"}\n'}
    for name, text in texts.items():
        Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("openb", *TRACE, "--time-limit", "0"), "0.0 is not in the range"),
        (("openb", *TRACE, "--seeds", "7"), "--seeds needs --orders."),
        (("openb", *TRACE, "--orders", "orders", "--seeds", "7,x"), "found '7,x', expected whole numbers"),
        (("openb", *TRACE, "--orders", "orders", "--seeds", "8"), "orders: there is no '8', expected arrival orders"),
        (("openb", *TRACE, "--orders", "text"), "text: Expecting value: line 1 column 1 (char 0), expected arrival"),
        (("openb", *TRACE, "--orders", "orders"), "order 7 is of another trace"),
        (("online", *TRACE, "--orders", "orders"), "order 7 is of another trace"),
        (("online", "--nodes", "text", "--pods", "pods", "--orders", "orders"), "text: there is no 'cpu_milli'"),
        (("defrag", *TRACE, "--placement", "none"), "File 'none' does not exist"),
        (("fixtures", "--only", "no-such-story"), "no snapshot of fixtures has 'no-such-story' in its name."),
        (("synthetic", "--row", "loaded-0-9-1"), "found 'loaded-0-9-1', expected one of"),
        (("synthetic", "--row", "loaded-2-9-1", "--decision", "mine"), "'mine' is not one of"),
        (
            ("synthetic", "--row", "loaded-2-9-1", "-o", "none/out"),
            "no file can be written to the folder of 'none/out'",
        ),
        (("growth", "--plot", "none/out.svg"), "no file can be written to the folder of 'none/out.svg'"),
        (("growth", "--plot", "out.txt"), "found 'out.txt', expected a name that ends with .png or .svg."),
        (("night", "vdi-8", "--time-limit", "0"), "0.0 is not in the range"),
        (("peers", "text"), "text: line 1, column 1: found 'h', expected a value"),
        (("report", "text"), "text: Expecting value: line 1 column 1 (char 0), expected a JSON line for each run."),
        (("report", "orders"), "orders: there is no 'work', expected a JSON line for each run."),
        (("report", "lines", "--work", "night"), "no such lines in these files."),
        (("all", "--openb", "none"), "Directory 'none' does not exist."),
        (("nights",), "No such command 'nights'."),
    ],
)
def test_a_wrong_call_is_refused_in_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(bench, list(arguments))
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stdout == ""
