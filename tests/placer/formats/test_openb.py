"""The openb trace's CSVs as a snapshot. Samples are made up; the trace is read where `PLACER_OPENB` says."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.formats import openb
from placer_models.document import Faults
from placer_models.snapshot import Snapshot

NODES = b"sn,cpu_milli,memory_mib,gpu,model\nn1,64000,262144,2,T4\nn2,8000,32768,0,\n"
PODS = b"""name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos
whole,4000,8192,2,1000,,LS
share,1908,1024,1,460,T4|P100|T4,BE
plain,500,256,0,0,,
"""
PLACEMENT = b"pod,node,gpu_index\nwhole,n1,0-1\nplain,n2,\nshare,,\n"


def read(nodes: bytes = NODES, pods: bytes = PODS, placement: bytes | None = None) -> dict[str, Any]:
    document = openb.read(nodes, pods, placement=placement)
    Snapshot.of(document, "the snapshot")
    return document


def faults(nodes: bytes = NODES, pods: bytes = PODS, placement: bytes | None = None) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Faults) as caught:
        openb.read(nodes, pods, placement=placement)
    return caught.value.source, caught.value.sentences


def test_nodes_become_hosts_with_gpus_shared_by_thousandths() -> None:
    first, second = read()["hosts"]
    assert (first["name"], first["cpus"], first["memory_mib"]) == ("n1", 64, 262144)
    assert first["gpus"] == [{"id": number, "model": "T4", "sharing": "fraction"} for number in "01"]
    assert second["gpus"] == []


def test_a_pod_asks_for_whole_gpus_or_for_a_share_or_for_none() -> None:
    whole, share, plain = read()["vms"]
    assert whole["gpus"] == [{"count": 2}]
    assert share["gpus"] == [{"models": ["T4", "P100"], "milli": 460, "count": 1}]
    assert "gpus" not in plain
    assert (share["cpus"], share["labels"]) == (1.908, {"qos": "BE"})
    assert "labels" not in plain


def test_without_a_placement_every_pod_is_off_and_asked_for() -> None:
    document = read()
    assert {vm["power"] for vm in document["vms"]} == {"off"}
    assert [request["vm"] for request in document["requests"]] == ["whole", "share", "plain"]
    assert document["taken_at"] == "1970-01-01T00:00:00Z"


def test_with_a_placement_the_placed_run_and_the_others_wait() -> None:
    document = read(placement=PLACEMENT)
    whole, share, plain = document["vms"]
    assert (whole["power"], whole["host"]) == ("on", "n1")
    assert whole["gpus"][0]["at"] == [{"gpu": "0"}, {"gpu": "1"}]
    assert (plain["power"], plain["host"]) == ("on", "n2")
    assert share["power"] == "off"
    assert [request["vm"] for request in document["requests"]] == ["share"]
    assert all(vm["may"] == {"live_migrate": True} for vm in document["vms"])


def test_a_pod_that_no_line_of_the_placement_names_waits() -> None:
    document = read(placement=b"pod,node,gpu_index\nwhole,n1,1-0\n")
    assert [request["vm"] for request in document["requests"]] == ["share", "plain"]


def test_a_missing_column_is_named() -> None:
    source, sentences = faults(nodes=b"sn,cpu_milli,memory_mib,model\nn1,1,1,T4\n")
    assert source == "nodes"
    assert len(sentences) == 1
    assert "line 1" in sentences[0]
    assert "'gpu'" in sentences[0]


def test_all_faults_of_a_file_are_told_by_line_and_column() -> None:
    pods = PODS + b"whole,1,1,0,0,,\nx,-1,1e3,1,1001,,\nshort,1\n,1,1,0,0,,\n"
    source, sentences = faults(pods=pods)
    assert source == "pods"
    assert [sentence.split(":")[0] for sentence in sentences] == [
        "line 7",
        "line 5, column name",
        "line 6, column cpu_milli",
        "line 6, column memory_mib",
        "line 6, column gpu_milli",
        "line 8, column name",
    ]


@pytest.mark.parametrize("number", ["", "4.5", "1_000", "٤", "nan", "9" * 5000])
def test_what_is_no_whole_number_is_refused(number: str) -> None:
    _, sentences = faults(nodes=f"sn,cpu_milli,memory_mib,gpu,model\nn1,{number},1,1,T4\n".encode())
    assert len(sentences) == 1
    assert sentences[0].startswith("line 2, column cpu_milli: found ")


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (b"nobody,n1,", "pod"),
        (b"whole,n9,0-1", "node"),
        (b"whole,n1,0", "gpu_index"),
        (b"whole,n1,0-0", "gpu_index"),
        (b"whole,n1,0-2", "gpu_index"),
        (b"plain,n1,0", "gpu_index"),
        (b"share,n2,0", "gpu_index"),
        (b"whole,n1,0-1\nwhole,n1,0-1", "pod"),
    ],
)
def test_a_placement_that_nobody_can_mean_is_refused(line: bytes, column: str) -> None:
    source, sentences = faults(placement=b"pod,node,gpu_index\n" + line + b"\n")
    assert source == "placement"
    assert len(sentences) == 1
    assert f"column {column}: found " in sentences[0]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00\x01\x02", b'sn,"cpu\n'])
def test_what_is_no_csv_is_refused(content: bytes) -> None:
    assert faults(nodes=content)[0] == "nodes"


CELL = (
    st.sampled_from(["", "0", "1", "2", "-1", "1001", "n1", "T4|", "0-1", "\x00", '"', "\ud7ff", "9" * 20]) | st.text()
)


@given(nodes=st.tuples(*[CELL] * 5), pods=st.tuples(*[CELL] * 7), placed=st.tuples(*[CELL] * 3))
def test_whatever_stands_in_the_cells_it_is_read_or_refused(
    nodes: tuple[str, ...], pods: tuple[str, ...], placed: tuple[str, ...]
) -> None:
    rows = [",".join(cells).encode("utf-8", "surrogatepass") for cells in (nodes, pods, placed)]
    with contextlib.suppress(Faults):
        Snapshot.of(openb.read(NODES + rows[0], PODS + rows[1], placement=PLACEMENT + rows[2]))


@given(content=st.binary())
def test_whatever_bytes_they_are_they_are_refused(content: bytes) -> None:
    assert faults(nodes=content)[0] == "nodes"


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(Faults) as caught:
            openb.read(path, PODS)
        assert str(path) in str(caught.value)


def test_the_tenth_of_the_trace_is_a_snapshot() -> None:
    folder = os.environ.get("PLACER_OPENB")
    if not folder:
        pytest.skip("PLACER_OPENB does not name the folder of the openb trace")
    tenth = Path(folder) / "tenth"
    document = openb.read(tenth / "openb_node_list_gpu_node.csv", tenth / "openb_pod_list_default.csv")
    snapshot = Snapshot.of(document, "the snapshot")
    assert (len(snapshot.hosts), sum(len(host.gpus) for host in snapshot.hosts), len(snapshot.vms)) == (128, 648, 841)
