"""The watch over losses: however VMs came and went, it says what a rule says that sees the scene for the first time."""

from __future__ import annotations

import random

import pytest

from placer import Session
from placer_models.cluster import May, Vm
from placer_models.decision import shipped_decision
from placer_models.rules.reserve import Reserve
from placer_models.scene import Scene, Stand
from placer_models.seating import seat
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, off, on, snapshot

AGAIN: Json = {"restart": True}


def yard(chance: random.Random) -> Snapshot:
    """Four hosts that are never the same, VMs that are off, and two that must be apart."""
    hosts = [
        host(f"h{i}", *[gpu("Tesla T4", "fraction")] * chance.randint(0, 2), cpus=chance.randint(8, 16))
        for i in range(4)
    ]
    vms = [
        off(
            f"vm{i}",
            *([{"milli": chance.choice([300, 500, 700])}] if chance.random() < 0.5 else []),
            cpus=chance.randint(3, 6),
            may=AGAIN if chance.random() < 0.8 else {},
        )
        for i in range(14)
    ]
    rules: list[Json] = [{"kind": "reserve"}, {"kind": "apart", "vms": ["vm0", "vm1"]}]
    return snapshot(hosts, vms, rules=rules)


def reserve(now: Snapshot) -> Reserve:
    (rule,) = (rule for rule in shipped_decision("power_on").rules_of(now.rules) if isinstance(rule, Reserve))
    return rule


@pytest.mark.parametrize("seed", range(1, 6))
def test_what_is_followed_is_what_is_found_anew(seed: int) -> None:
    chance = random.Random(seed)
    first = yard(chance)
    session = Session(first)
    watching = next(rule for rule in session._standing.field.rules if isinstance(rule, Reserve))
    asked = refused = 0
    for _ in range(24):
        running = [vm.name for vm in session.snapshot().vms if vm.power == "on"]
        waiting = [vm.name for vm in session.snapshot().vms if vm.power != "on"]
        if running and (not waiting or chance.random() < 0.4):
            session.release(chance.choice(running))
        else:
            session.commit(session.propose(chance.choice(waiting), reasons=False))
        now = session.snapshot()
        scene, anew = session._standing.field.scene, reserve(now)
        for vm in (vm for vm in now.vms if vm.power != "on"):
            name = chance.choice(list(now.content.hosts))
            holds = seat(scene, vm, now.content.hosts[name])
            if holds is not None:
                stand = Stand(vm.name, name, holds)
                fresh = anew.why(Scene.now(now.content), stand)
                assert watching.why(scene, stand) == fresh
                asked, refused = asked + 1, refused + (fresh is not None)
    assert asked > refused > 0


def test_a_vm_of_the_same_name_that_asks_for_more_is_asked_about_again() -> None:
    session = Session(snapshot([host("h1", cpus=8), host("h2", cpus=8)], [], rules=[{"kind": "reserve"}]))
    session.apply({"kind": "vm-started", "vm": on("a", "h1", cpus=4, may=AGAIN)})
    for cpus, placed in ((4, True), (5, False), (4, True)):
        pod = Vm.model_validate(
            {"name": "pod", "power": "off", "cpus": cpus, "memory_mib": 1, "may": May(restart=True)}
        )
        assert bool(session.propose(pod, reasons=False).placed) == placed


def test_a_vm_that_is_gone_for_good_is_not_reckoned_with() -> None:
    shared, asks = gpu("Tesla T4", "fraction"), {"milli": 600}
    session = Session(
        snapshot([host("h1", shared), host("h2", shared)], [off("b", asks, may=AGAIN)], rules=[{"kind": "reserve"}])
    )
    session.apply({"kind": "vm-started", "vm": on("a", "h1", {**asks, "at": [{"gpu": "g0"}]}, may=AGAIN)})
    assert session.propose("b").host is None
    session.release("a")
    session.apply({"kind": "vm-removed", "vm": "a"})
    assert session.propose("b").host is not None
