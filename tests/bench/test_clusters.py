"""Generated clusters have the size that was asked for, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import bench
from bench.clusters import KINDS, synthetic
from bench.mid_size import MID_SIZE
from placer_models.snapshot import Snapshot


@pytest.mark.parametrize("kind", KINDS)
def test_a_synthetic_cluster_has_the_size_that_was_asked_for(kind: str) -> None:
    snapshot = Snapshot.of(synthetic(20, 200, 1, kind), kind)
    assert (len(snapshot.hosts), len(snapshot.vms)) == (20, 200)
    assert any(vm.power == "on" and vm.gpus for vm in snapshot.vms) == (kind != "storm")
    assert synthetic(20, 200, 1, kind) == synthetic(20, 200, 1, kind)


def test_a_storm_hits_identical_empty_hosts() -> None:
    document = synthetic(5, 50, 1, "storm")
    assert len(document["requests"]) == 50
    assert len({host["cpus"] for host in document["hosts"]}) == 1


def test_bench_lists_what_there_is_and_writes_a_cluster(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(bench).output
    assert all(name in listed for name in (*MID_SIZE, *KINDS))
    file = tmp_path / "snapshot.json"
    command = ["clusters", "storm", "--hosts", "2", "--vms", "3"]
    assert runner.invoke(bench, [*command, "-o", str(file)]).exit_code == 0
    assert file.read_text(encoding="utf-8") == runner.invoke(bench, command).output
    assert runner.invoke(bench, ["clusters", "nowhere"]).exit_code == 2
