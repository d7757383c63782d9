"""BtrPlace's instances as snapshots: tiny ones made up here, the two shared ones where `PLACER_BTRPLACE` says."""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.formats import btrplace
from placer_models.document import Faults
from placer_models.snapshot import Snapshot


def instance(*constraints: dict[str, Any], views: list[dict[str, Any]] | None = None, **mapping: Any) -> bytes:
    """Node 0 runs VMs 1 and 2, node 1 is empty, VM 3 is ready."""
    nodes = {"0": {"runningVMs": [1, 2], "sleepingVMs": []}, "1": {"runningVMs": [], "sleepingVMs": []}}
    return json.dumps(
        {
            "model": {
                "mapping": {"readyVMs": [3], "onlineNodes": nodes, "offlineNodes": [], **mapping},
                "views": [view("cpu", 8, {"3": 5}), view("mem", 16, {"3": 6})] if views is None else views,
            },
            "constraints": list(constraints),
            "objective": {"id": "minimizeMTTR"},
        }
    ).encode()


def view(name: str, capacity: int, vms: dict[str, int], **more: Any) -> dict[str, Any]:
    view = {"id": "shareableResource", "rcId": name, "defCapacity": capacity, "defConsumption": 1, "vms": vms}
    return {**view, "nodes": {"1": 2 * capacity}, **more}


def read(data: bytes, **more: Any) -> tuple[dict[str, Any], list[str]]:
    document, ignored = btrplace.read(data, **more)
    Snapshot.of(document, "the snapshot")
    return document, ignored


def rules(*constraints: dict[str, Any]) -> list[dict[str, Any]]:
    document, ignored = read(instance(*constraints))
    assert ignored == []
    rules: list[dict[str, Any]] = document["rules"]
    return rules


def test_running_vms_are_on_and_ready_ones_are_asked_for() -> None:
    document, ignored = read(instance())
    assert [(vm["name"], vm["power"], vm.get("host")) for vm in document["vms"]] == [
        ("vm-1", "on", "node-0"),
        ("vm-2", "on", "node-0"),
        ("vm-3", "off", None),
    ]
    assert [request["vm"] for request in document["requests"]] == ["vm-3"]
    assert all(vm["may"] == {"live_migrate": True} for vm in document["vms"])
    assert ignored == []
    assert "notes" not in document


def test_views_give_cpus_and_memory_with_their_defaults() -> None:
    document, _ = read(instance())
    assert [(host["cpus"], host["memory_mib"]) for host in document["hosts"]] == [(8, 16 * 1024), (16, 32 * 1024)]
    assert [(vm["cpus"], vm["memory_mib"]) for vm in document["vms"]] == [(1, 1024), (1, 1024), (5, 6 * 1024)]


def test_the_caller_says_what_one_of_mem_is() -> None:
    document, _ = read(instance(), mem_unit_mib=1)
    assert document["vms"][2]["memory_mib"] == 6


def test_without_a_view_nobody_has_or_wants_any_of_it() -> None:
    document, ignored = read(instance(views=[view("cpu", 8, {})]))
    assert {part["memory_mib"] for part in document["hosts"] + document["vms"]} == {0}
    assert len(ignored) == 1
    assert "'mem'" in ignored[0]
    assert document["notes"].endswith(ignored[0])


def test_gzip_is_read_as_it_is() -> None:
    assert read(gzip.compress(instance())) == read(instance())


def test_a_sleeping_vm_is_suspended_and_an_offline_node_disconnected() -> None:
    nodes = {"0": {"runningVMs": [], "sleepingVMs": [1]}}
    document, ignored = read(instance(onlineNodes=nodes, offlineNodes=[1]))
    assert [vm["power"] for vm in document["vms"]] == ["suspended", "off"]
    assert document["hosts"][1]["state"] == "disconnected"
    assert "state" not in document["hosts"][0]
    assert len(ignored) == 1
    assert "offline" in ignored[0]


def test_spread_keeps_vms_apart_and_gather_together() -> None:
    assert rules({"id": "spread", "vms": [1, 3], "continuous": False}, {"id": "gather", "vms": [1, 2]}) == [
        {"kind": "apart", "vms": ["vm-1", "vm-3"], "by": "host", "strength": "must"},
        {"kind": "together", "vms": ["vm-1", "vm-2"], "by": "host", "strength": "must"},
    ]


def test_fence_and_ban_are_affinities() -> None:
    assert rules({"id": "fence", "vm": 1, "nodes": [0]}, {"id": "ban", "vm": 3, "nodes": [0, 1]}) == [
        {"kind": "affinity", "vms": ["vm-1"], "hosts": ["node-0"], "strength": "must"},
        {"kind": "affinity", "vms": ["vm-3"], "hosts": ["node-0", "node-1"], "strength": "must-not"},
    ]


def test_a_rooted_vm_stays_and_a_full_node_takes_no_more() -> None:
    assert rules({"id": "root", "vm": 2}, {"id": "runningCapacity", "nodes": [1], "amount": 2}) == [
        {"kind": "stay", "vms": ["vm-2"]},
        {"kind": "limit", "hosts": ["node-1"], "most_vms": 2},
    ]


def test_what_holds_anyway_needs_no_rule() -> None:
    assert rules({"id": "running", "vm": 1}, {"id": "running", "vm": 3}, {"id": "online", "node": 0}) == []


def test_a_vm_that_must_stay_ready_is_not_asked_for() -> None:
    document, ignored = read(instance({"id": "ready", "vm": 3}))
    assert document["requests"] == []
    assert ignored == []


def test_what_placer_cannot_say_is_told_once_for_each_kind() -> None:
    most = {"id": "maxOnline", "nodes": [0, 1], "amount": 1, "continuous": False}
    stop = {"id": "ready", "vm": 1}
    split = {"id": "split", "parts": [[1], [2]]}
    document, ignored = read(instance(most, most, stop, split))
    assert document["rules"] == []
    assert ignored == [
        "the constraint 'maxOnline' is not kept (2 of them)",
        "the constraint 'ready' is not kept",
        "the constraint 'split' is not kept",
    ]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"[]", ""),
        (b"{}", "missing 'model'"),
        (instance(readyVMs=[1]), "model.mapping: found VM 1 2 times"),
        (instance(offlineNodes=[1]), "model.mapping: found node 1 2 times"),
        (instance({"id": "root", "vm": 9}), "constraints[0]: found the VM 9"),
        (instance({"id": "fence", "vm": 1, "nodes": [7]}), "constraints[0]: found the node 7"),
        (instance({"id": "spread", "vms": "1"}), "constraints[0]: vms: found '1'"),
        (instance(views=[view("cpu", -8, {})]), "model.views[0]: defCapacity: found -8"),
        (instance(views=[view("cpu", 8, {"9": 1})]), "model.views[0].vms: found the VM 9"),
        (instance(views=[view("cpu", 8, {}), view("cpu", 8, {})]), "model.views[1].rcId: found 'cpu'"),
        (instance(onlineNodes={"x": {"runningVMs": [], "sleepingVMs": []}}), "model.mapping.onlineNodes"),
    ],
)
def test_a_document_that_is_no_instance_is_refused_with_its_place(data: bytes, place: str) -> None:
    with pytest.raises(Faults) as caught:
        btrplace.read(data, "x.json")
    assert f"x.json: {place}" in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "vm", "vms", "nodes"]), inner),
    max_leaves=4,
)
CONSTRAINTS = ("spread", "gather", "fence", "ban", "root", "runningCapacity", "running", "ready", "online", "killed")


@given(data=st.data())
def test_whatever_stands_in_an_instance_it_is_read_or_refused(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(CONSTRAINTS), max_size=3))
    document = json.loads(instance(*({"id": kind, "vm": 1, "vms": [1, 3], "node": 0, "nodes": [0]} for kind in kinds)))
    part: Any = document
    while isinstance(part, (dict, list)) and part:
        owner, key = part, data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        part = owner[key]
        if data.draw(st.booleans()):
            break
    owner[key] = copy.deepcopy(data.draw(JSON))
    with contextlib.suppress(Faults):
        Snapshot.of(btrplace.read(json.dumps(document).encode())[0])


def test_the_shared_instances_are_snapshots() -> None:
    folder = os.environ.get("PLACER_BTRPLACE")
    if not folder:
        pytest.skip("PLACER_BTRPLACE does not name the folder of the two instances")
    document, ignored = read((Path(folder) / "frag-100.json.gz").read_bytes())
    assert (len(document["hosts"]), len(document["vms"]), len(document["requests"])) == (100, 1_110, 10)
    assert any("'mem'" in sentence for sentence in ignored)
    document, ignored = read((Path(folder) / "consol-100-1000.json.gz").read_bytes())
    assert (len(document["hosts"]), len(document["vms"]), len(document["requests"])) == (100, 1_000, 0)
    assert document["hosts"][0]["memory_mib"] == 512 * 1024
