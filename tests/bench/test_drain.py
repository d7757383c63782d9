"""One host is emptied by placer and by a peer; what the peer says is read, and judged."""

from __future__ import annotations

import json

from click.testing import CliRunner

from bench.__main__ import bench
from bench.drain import full, moves, scenario, swap
from placer_models.snapshot import Snapshot

REPORT = """
**Step 1** (parallel):
- vm-1: node-0 → node-2
- vm-2: node-0 → node-1

**Step 2**:
- vm-3: node-0 → node-1
"""


def test_the_peer_gets_the_whole_cluster_with_the_host_in_maintenance() -> None:
    snapshot = Snapshot.of(full(4, 20), "drain")
    found = json.loads(scenario(snapshot, ["node-0"], 1))
    assert [name for name, node in found["nodes"].items() if node.get("maintenance")] == ["node-0"]
    assert {name: vm["node"] for name, vm in found["vms"].items()} == {vm.name: vm.host for vm in snapshot.vms}


def test_hosts_that_a_vm_must_run_on_are_pins() -> None:
    found = json.loads(scenario(Snapshot.of(swap(), "drain"), ["node-0"], 3))
    assert found["constraints"]["pin"] == [{"vm": "build", "nodes": ["node-1", "node-0"]}]


def test_moves_are_read_in_the_order_of_the_peer_s_steps() -> None:
    assert [(move.vm, move.to) for move in moves(REPORT)] == [
        ("vm-1", "node-2"),
        ("vm-2", "node-1"),
        ("vm-3", "node-1"),
    ]


def test_the_swap_with_no_spare_host_is_solved_and_an_absent_peer_is_said() -> None:
    result = CliRunner().invoke(bench, ["drain", "swap"])
    assert result.exit_code == 0, result.output
    ours, *theirs = map(json.loads, result.stdout.splitlines())
    assert (ours["status"], ours["moves"], ours["others"]) == ("emptied", 2, 1)
    assert [line["status"] for line in theirs] == ["absent", "absent"]
