"""What happens to a cluster, told to a session: taken in whole, or refused in a sentence with nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from placer import Faults, Session, place
from placer_models.cluster import Vm
from placer_models.document import dump
from placer_models.events import HostState, VmStopped
from placer_models.snapshot import PowerOn, Snapshot
from tests.build import Json, gpu, host, off, on, profile, snapshot, whole

SHARED = gpu("Tesla M60", "same-size", may_share=["same-size", "passthrough"])
WHOLE = gpu("Tesla M60", may_share=["same-size", "passthrough"])


def story() -> Snapshot:
    """Two hosts with M60; a desktop, a CAD VM and a plain VM run, two more are off."""
    return snapshot(
        [
            host("esx01", SHARED, SHARED, labels={"rack": "r1"}),
            host("esx02", SHARED, SHARED, WHOLE, WHOLE, labels={"rack": "r2"}),
        ],
        [
            on("desk-1", "esx01", profile("M60-2Q", "g0", 0)),
            on("cad", "esx02", whole("Tesla M60", "g3")),
            on("dc-1", "esx01"),
            off("desk-2", profile("M60-2Q")),
            off("dc-2"),
            off("spare", labels={"idle": "yes"}),
        ],
        rules=[{"kind": "apart", "vms": ["dc-1", "dc-2"], "by": "rack"}, {"kind": "limit", "most_vms": 4}],
        jobs=[{"name": "films", "hours": 4, "gpus": [{"models": ["Tesla M60"]}]}],
    )


def running(name: str, where: str, *asks: Json, **more: Any) -> Json:
    return {"kind": "vm-started", "vm": on(name, where, *asks, **more)}


HAPPENS: dict[str, Json] = {
    "a known VM is started by hand": running("desk-2", "esx02", profile("M60-2Q", "g1", 0)),
    "an unknown VM is started": running("guest", "esx02", profile("M60-1Q", "g0", 3)),
    "a VM is started on a host that is full already": running("guest", "esx02", cpus=500),
    "a VM stops": {"kind": "vm-stopped", "vm": "dc-1"},
    "a VM with a GPU moves": {
        "kind": "vm-moved",
        "vm": "desk-1",
        "host": "esx02",
        "gpus": [{"gpu": "g1", "profile": "M60-2Q", "slot": 1}],
    },
    "a VM with a GPU moves to one that stands in something else": {
        "kind": "vm-moved",
        "vm": "desk-1",
        "host": "esx02",
        "gpus": [{"gpu": "g2", "profile": "M60-2Q", "slot": 0, "sharing": "same-size"}],
    },
    "a plain VM moves": {"kind": "vm-moved", "vm": "dc-1", "host": "esx02"},
    "a running VM grows": {"kind": "vm-resized", "vm": "dc-1", "cpus": 60},
    "a VM that is off grows": {"kind": "vm-resized", "vm": "dc-2", "cpus": 60, "memory_mib": 4096},
    "a VM is gone": {"kind": "vm-removed", "vm": "spare"},
    "a VM that was asked for is gone": {"kind": "vm-removed", "vm": "desk-2"},
    "a host is added": {"kind": "host-added", "host": host("esx03", SHARED, labels={"rack": "r2"})},
    "a host goes down": {"kind": "host-state", "host": "esx01", "state": "disconnected"},
    "a host goes into maintenance": {"kind": "host-state", "host": "esx02", "state": "maintenance"},
    "an empty GPU is put in another sharing": {
        "kind": "gpu-changed",
        "host": "esx02",
        "gpu": "g0",
        "sharing": "passthrough",
    },
    "an empty GPU is flashed": {
        "kind": "gpu-changed",
        "host": "esx02",
        "gpu": "g1",
        "mode": "compute",
        "sharing": "passthrough",
    },
}


@pytest.mark.parametrize("name", HAPPENS)
def test_afterwards_the_session_is_as_one_that_begins_there(name: str) -> None:
    session = Session(story())
    session.apply(HAPPENS[name])
    now = session.snapshot()
    assert session.version == 1
    read = Snapshot.load(dump(now).encode())
    assert read == now
    fresh = Session(read)
    for vm in [vm for vm in now.vms if vm.power != "on"]:
        warm, anew = session.propose(vm.name), fresh.propose(vm.name)
        assert (warm.placed, warm.score, warm.unplaced, warm.why) == (anew.placed, anew.score, anew.unplaced, anew.why)
        assert dict(warm.score) == dict(place(now.with_parts(requests=(PowerOn(vm=vm.name),))).score)


def test_a_host_that_comes_back_takes_vms_again() -> None:
    session = Session(story())
    for state in ("maintenance", "disconnected", "up"):
        session.apply({"kind": "host-state", "host": "esx02", "state": state})
        assert (session.propose("dc-2").host == "esx02") == (state == "up")


def test_what_happens_makes_earlier_proposals_stale_even_where_they_have_no_part_in_it() -> None:
    session = Session(story())
    session.apply(HostState(host="esx02", state="up"))
    session.apply(VmStopped(vm="dc-1"))
    assert session.version == 2


def test_a_host_that_may_be_lost_is_reckoned_with_at_once() -> None:
    more: Json = {"may": {"restart": True}}
    session = Session(
        snapshot(
            [host(name, gpu("Tesla T4")) for name in ("h1", "h2", "h3")],
            [off("a", whole("Tesla T4"), **more), off("b", whole("Tesla T4"), **more)],
            rules=[{"kind": "reserve"}],
        )
    )
    session.commit(session.propose("a"))
    assert session.propose("b").placed != ()
    session.apply({"kind": "host-state", "host": str(session.propose("b").host), "state": "disconnected"})
    assert session.propose("b").placed == ()


REFUSED: dict[str, tuple[Any, str]] = {
    "no kind": ({"vm": "dc-1"}, "missing 'kind'"),
    "no event": ([], "found a list, expected an object"),
    "nothing": (None, "found null, expected an object"),
    "another document": (PowerOn(vm="dc-2"), "found 'PowerOn', expected one of placer_models.events"),
    "another kind": ({"kind": "vm-cloned", "vm": "dc-1"}, "found 'vm-cloned'"),
    "a key too many": ({"kind": "vm-stopped", "vm": "dc-1", "force": True}, "unknown key"),
    "an unknown VM stops": ({"kind": "vm-stopped", "vm": "dc-9"}, "found 'dc-9', expected a VM of this session"),
    "a VM stops twice": ({"kind": "vm-stopped", "vm": "dc-2"}, "found 'dc-2', which is off"),
    "a VM starts twice": (running("dc-1", "esx02"), "found 'dc-1', which is on already, on esx01"),
    "a VM starts off": ({"kind": "vm-started", "vm": off("dc-2")}, "vm.power: found 'off', expected 'on'"),
    "a VM starts nowhere known": (running("dc-2", "esx09"), "found 'esx09', expected a host of this session"),
    "a VM starts where another is": (
        running("desk-2", "esx01", profile("M60-4Q", "g0", 0)),
        "found GPU g0 of esx01 held against its rules",
    ),
    "a VM starts without its GPU": (running("desk-2", "esx02", profile("M60-2Q")), "expected 1: where a VM that is on"),
    "a VM starts with an unknown profile": (running("desk-2", "esx02", profile("M60-3Q", "g0", 0)), "M60-3Q"),
    "a VM moves to an unknown host": ({"kind": "vm-moved", "vm": "dc-1", "host": "esx9"}, "found 'esx9'"),
    "a VM moves to an unknown GPU": (
        {"kind": "vm-moved", "vm": "desk-1", "host": "esx02", "gpus": [{"gpu": "g7", "profile": "M60-2Q"}]},
        "found 'g7', expected a GPU of esx02",
    ),
    "a VM moves and leaves its GPU": ({"kind": "vm-moved", "vm": "desk-1", "host": "esx02"}, "a place for each ask"),
    "a VM moves to a GPU that stands in something else beneath another VM": (
        {
            "kind": "vm-moved",
            "vm": "cad",
            "host": "esx01",
            "gpus": [{"gpu": "g0", "sharing": "passthrough"}],
        },
        "GPU g0 of esx01 is held by desk-1",
    ),
    "a VM moves off": ({"kind": "vm-moved", "vm": "dc-2", "host": "esx02"}, "found 'dc-2', which is off"),
    "an unknown VM grows": ({"kind": "vm-resized", "vm": "x", "cpus": 1}, "found 'x'"),
    "a GPU VM grows while it runs": (
        {"kind": "vm-resized", "vm": "desk-1", "memory_mib": 1},
        "changes only while it is off",
    ),
    "an unknown VM is gone": ({"kind": "vm-removed", "vm": "x"}, "found 'x'"),
    "a running VM is gone": ({"kind": "vm-removed", "vm": "dc-1"}, "which runs on esx01"),
    "a VM of a rule is gone": ({"kind": "vm-removed", "vm": "dc-2"}, r"which a rule \(apart\) names"),
    "a VM is called as a job's run would be": (running("job/films/0", "esx02"), "one of its runs would be called as"),
    "a host is added twice": ({"kind": "host-added", "host": host("esx01")}, "which is there already"),
    "a host is added with a GPU in no sharing": (
        {"kind": "host-added", "host": host("esx03", gpu("Tesla M60", "mig"))},
        "which no Tesla M60 can stand in",
    ),
    "a host is added with an old manager": (
        {"kind": "host-added", "host": host("esx03", vgpu_manager="14.1")},
        "begin a new session",
    ),
    "an unknown host goes down": ({"kind": "host-state", "host": "x", "state": "up"}, "found 'x'"),
    "a GPU in use is changed": (
        {"kind": "gpu-changed", "host": "esx01", "gpu": "g0", "sharing": "passthrough"},
        "GPU g0 of esx01 is held by desk-1",
    ),
    "an unknown GPU is changed": ({"kind": "gpu-changed", "host": "esx01", "gpu": "g9"}, "found 'g9'"),
    "a GPU is put in what it cannot": (
        {"kind": "gpu-changed", "host": "esx02", "gpu": "g0", "sharing": "mig"},
        "which no Tesla M60 can stand in",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_have_happened_is_refused_and_nothing_is_changed(name: str) -> None:
    event, sentence = REFUSED[name]
    session = Session(story())
    before = session.snapshot()
    with pytest.raises(Faults, match=sentence) as refusal:
        session.apply(event)
    assert len(str(refusal.value).splitlines()) == 1
    assert session.version == 0
    assert session.snapshot() == before
    assert session.propose("desk-2") == Session(story()).propose("desk-2")


def test_no_vm_is_asked_for_that_is_called_as_a_job_s_run_would_be() -> None:
    session = Session(story())
    for _ in range(2):
        session.propose(Vm(name="guest", power="off", cpus=1, memory_mib=1))
        with pytest.raises(Faults, match="one of its runs would be called as"):
            session.propose(Vm(name="job/films/0", power="off", cpus=1, memory_mib=1))
