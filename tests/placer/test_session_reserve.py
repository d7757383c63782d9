"""A session whose cluster holds room for the loss of any host: what it remembers follows whatever happens."""

from __future__ import annotations

import random
from typing import Any

import pytest

from placer import Session
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, off, on, profile, snapshot, whole


def rules(strength: str) -> list[Json]:
    return [{"kind": "reserve", "strength": strength}, {"kind": "apart", "vm_labels": {"app": "db"}}]


def cluster(chance: random.Random, strength: str) -> Snapshot:
    """Four hosts with one or two GPUs, two VMs with a GPU that run, and a dozen more of all sizes."""
    hosts = [host(f"h{i}", *[gpu("Tesla T4")] * chance.choice((1, 2)), cpus=16) for i in range(4)]
    running = [on(f"run-{i}", f"h{i}", whole("Tesla T4", "g0"), **_more(chance)) for i in range(2)]
    waiting = [off(f"vm-{i}", *_asks(chance), **_more(chance)) for i in range(12)]
    return snapshot(hosts, [*running, *waiting], rules=rules(strength))


def _asks(chance: random.Random) -> list[Json]:
    return [whole("Tesla T4")] if chance.random() < 0.4 else []


def _more(chance: random.Random) -> Json:
    labels = {"app": "db"} if chance.random() < 0.2 else {}
    return {"cpus": chance.choice((1, 4, 8)), "may": {"restart": chance.random() < 0.7}, "labels": labels}


def happening(chance: random.Random, session: Session) -> Json:
    """A host goes or comes back, a VM stops or grows."""
    now = session.snapshot()
    kind = chance.choice(("host-state", "vm-stopped", "vm-resized"))
    up = [vm.name for vm in now.vms if vm.power == "on"]
    if kind == "host-state" or not up:
        state = chance.choice(("up", "up", "maintenance", "disconnected"))
        return {"kind": "host-state", "host": chance.choice(now.hosts).name, "state": state}
    more: dict[str, Any] = {"cpus": chance.choice((1, 2, 8))} if kind == "vm-resized" else {}
    return {"kind": kind, "vm": chance.choice(up), **more}


@pytest.mark.parametrize(("seed", "strength"), [(3, "must"), (14, "must"), (21, "must"), (4, "should")])
def test_what_is_remembered_of_losses_says_what_a_session_begun_afresh_says(seed: int, strength: str) -> None:
    chance = random.Random(seed)
    session = Session(cluster(chance, strength))
    refused = 0
    for _ in range(10):
        waiting = [vm.name for vm in session.snapshot().vms if vm.power != "on"]
        for name in chance.sample(waiting, min(2, len(waiting))):
            proposal = session.propose(name)
            afresh = Session(session.snapshot()).propose(name)
            assert (proposal.host is None, proposal.score) == (afresh.host is None, afresh.score)
            refused += proposal.host is None
            if proposal.host is not None and chance.random() < 0.8:
                session.commit(proposal)
        session.apply(happening(chance, session))
    assert refused


def test_a_vm_that_came_since_is_reckoned_with_after_another_was_thought_of_without_its_gpus() -> None:
    empty = gpu("Tesla T4", may_share=["passthrough", "same-size"])
    again: Json = {"cpus": 2, "may": {"restart": True}}
    vms = [off("a", **again), off("b", profile("T4-16Q", count=2)), off("c", cpus=7)]
    session = Session(snapshot([host(name, empty, cpus=8) for name in ("h1", "h2")], vms, rules=[{"kind": "reserve"}]))
    session.apply({"kind": "vm-started", "vm": on("a", "h1", **again)})
    assert session.propose("b").unplaced[0].reasons == ("2 hosts: at most 1 T4-16Q free, 2 asked",)
    assert "if h1 were lost, 1 VM would not start again" in session.propose("c").unplaced[0].reasons[1]
