"""`placer import`: files in, a snapshot out, and what was left out said beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from placer.cli import main
from placer_models.snapshot import Snapshot

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn1,64000,262144,2,T4\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos\nwhole,4000,8192,2,1000,,LS\nplain,500,256,0,0,,\n"
INSTANCE = {
    "model": {
        "mapping": {"readyVMs": [1], "onlineNodes": {"0": {"runningVMs": [0], "sleepingVMs": []}}, "offlineNodes": []},
        "views": [{"id": "shareableResource", "rcId": "cpu", "defCapacity": 8, "defConsumption": 2}],
    },
    "constraints": [{"id": "maxOnline", "nodes": [0], "amount": 1, "continuous": False}],
    "objective": {"id": "minimizeMTTR"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of each format."""
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "pods.csv").write_text(PODS)
    (tmp_path / "placement.csv").write_text("pod,node,gpu_index\nwhole,n1,0-1\n")
    (tmp_path / "instance.json").write_text(json.dumps(INSTANCE))
    return tmp_path


def run(*args: object) -> int:
    """The command's exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["placer", "import", *map(str, args)])
        main()
    return int(ended.value.code or 0)


def snapshot(file: Path) -> Snapshot:
    return Snapshot.load(file.read_bytes(), str(file))


def test_openb_csvs_become_a_snapshot_that_asks_for_every_pod(folder: Path) -> None:
    out = folder / "out.json"
    assert run("openb", "--nodes", folder / "nodes.csv", "--pods", folder / "pods.csv", "-o", out) == 0
    assert list(snapshot(out).content.asked) == ["whole", "plain"]


def test_openb_with_a_placement_has_pods_that_run(folder: Path) -> None:
    out = folder / "out.json"
    files = ("--nodes", folder / "nodes.csv", "--pods", folder / "pods.csv", "--placement", folder / "placement.csv")
    assert run("openb", *files, "--taken-at", "2023-07-01T00:00:00Z", "-o", out) == 0
    assert [vm.power for vm in snapshot(out).vms] == ["on", "off"]
    assert snapshot(out).taken_at.year == 2023


def test_btrplace_becomes_a_snapshot_and_what_is_left_out_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out.json"
    assert run("btrplace", folder / "instance.json", "-o", out) == 0
    assert [vm.power for vm in snapshot(out).vms] == ["on", "off"]
    said = capsys.readouterr().err
    assert "'maxOnline' is not kept" in said
    assert "no view 'mem'" in said


def test_without_an_output_the_snapshot_goes_to_standard_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("btrplace", folder / "instance.json") == 0
    assert json.loads(capsys.readouterr().out)["format"] == "placer.snapshot/1"


def test_a_faulty_file_is_refused_with_its_place_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pods, out = folder / "pods.csv", folder / "out.json"
    pods.write_text(PODS.replace("4000", "four"))
    assert run("openb", "--nodes", folder / "nodes.csv", "--pods", pods, "-o", out) == 2
    assert f"{pods}: line 2, column cpu_milli: found 'four'" in capsys.readouterr().err
    assert not out.exists()


def test_a_missing_file_and_a_bad_time_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("btrplace", folder / "none.json") == 2
    assert "none.json: no such file" in capsys.readouterr().err
    assert run("btrplace", folder / "instance.json", "--taken-at", "yesterday") == 2
    assert "taken_at" in capsys.readouterr().err
