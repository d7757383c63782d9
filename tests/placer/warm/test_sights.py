"""What is remembered of hosts is what a look at all of them afresh would find."""

from __future__ import annotations

import random

import pytest

from placer import Session
from placer_models.cluster import Vm
from placer_models.decision import shipped_decision
from placer_models.document import Faults
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, off, profile, snapshot, whole

ASKS: list[list[Json]] = [
    [],
    [{"models": ["Tesla T4"], "milli": 300}],
    [{"models": ["Tesla T4"], "milli": 500, "count": 2}],
    [whole("Tesla T4")],
    [{"models": ["Tesla T4"], "milli": 300}, {"models": ["Tesla T4"], "milli": 700}],
    [profile("A40-12Q")],
    [profile("A40-48Q", count=2)],
]


def yard(hosts: int = 20) -> Snapshot:
    """Hosts of two kinds: more of them than are looked at at once."""
    shared, sized = gpu("Tesla T4", "fraction"), gpu("A40", "same-size")
    farm = [host(f"t{i}", shared, shared, shared, cpus=16 + 8 * (i % 3)) for i in range(hosts)]
    return snapshot([*farm, *[host(f"a{i}", sized, sized, cpus=24) for i in range(hosts // 4)]], [])


def vm_of(document: Json) -> Vm:
    (found,) = snapshot([], [document]).vms
    return found


def arrival(chance: random.Random, number: int) -> Vm:
    """One of few sizes, so that most have come before."""
    return vm_of(off(f"vm{number}", *chance.choice(ASKS), cpus=chance.choice([2, 6])))


@pytest.mark.parametrize("decision", ["power_on", "gpu_allocation"])
def test_a_session_that_remembers_chooses_as_one_that_begins_now(decision: str) -> None:
    chance, running = random.Random(7), list[str]()
    expected = [arrival(chance, number) for number in range(40)]
    session = Session(yard(), shipped_decision(decision), expected)
    for number in range(40):
        vm = arrival(chance, number)
        afresh = Session(session.snapshot(), shipped_decision(decision), expected)
        mine, its = session.propose(vm, reasons=False), afresh.propose(vm, reasons=False)
        assert (mine.placed, dict(mine.score), mine.why) == (its.placed, dict(its.score), its.why)
        session.commit(mine)
        running.extend(one.vm for one in mine.placed)
        if number % 4 == 3 and running:
            session.release(running.pop(chance.randrange(len(running))))
        if number % 9 == 8:
            session.apply({"kind": "host-state", "host": "t3", "state": chance.choice(["up", "maintenance"])})


def test_what_cannot_be_in_one_vm_finds_no_host_however_often_it_is_asked_for() -> None:
    session = Session(snapshot([host("h1", gpu("A40", "same-size"), gpu("L40", "same-size"))], []))
    for name in ("a", "b"):
        assert session.propose(vm_of(off(name, profile("A40-48Q"), profile("L40-48Q")))).host is None
        assert session.propose(vm_of(off(name, profile("A40-48Q")))).host == "h1"


def test_asks_that_were_wrong_once_are_wrong_again_and_right_ones_stay_right() -> None:
    session, right = Session(yard(4)), vm_of(off("a", profile("A40-12Q")))
    for name in ("a", "b"):
        assert session.propose(right.model_copy(update={"name": name})).host == "a0"
        wrong = right.gpus[0].model_copy(update={"profile": "A40-13Q"})
        with pytest.raises(Faults, match="expected a profile of the catalogue"):
            session.propose(right.model_copy(update={"name": name, "gpus": (wrong,)}))
