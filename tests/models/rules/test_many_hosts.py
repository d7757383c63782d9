"""What rules say of many hosts at once (`room`, `takes`, `adds`) is what they say of one host at a time."""

from __future__ import annotations

from collections import Counter

import pytest

from placer_models.cluster import Host, Vm
from placer_models.decision import shipped_decision
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import seat
from tests.agreement import World
from tests.worlds import WORLDS

ALL = [world for worlds in WORLDS.values() for world in worlds]


def said(rule: Rule, scene: Scene, vm: Vm, host: Host) -> int | None:
    """What a rule says by amounts and by `adds`; None: it says nothing so."""
    room = rule.room(scene, host)
    if room is not None:
        pairs = list(zip(rule.takes(vm), room, strict=True))
        return sum(max(0, take - left) - max(0, -left) for take, left in pairs if take)
    adds = rule.adds(scene, vm)
    return None if adds is None else adds(host)


def looked_up(rule: Rule, scene: Scene, stand: Stand) -> int:
    """By how much the breaches really grow."""
    before = Counter({breach.subject: breach.amount for breach in rule.check(scene, (stand.host,))})
    with scene.trial(stand):
        after = Counter({breach.subject: breach.amount for breach in rule.check(scene, (stand.host,))})
    return sum((after - before).values())


@pytest.mark.parametrize("world", ALL, ids=lambda world: world.name)
def test_what_is_said_of_many_hosts_is_what_is_found_on_each(world: World) -> None:
    snapshot = world.snapshot()
    cluster, scene = snapshot.content, Scene.now(snapshot.content)
    for rule in shipped_decision("power_on").rules_of(snapshot.rules):
        for vm in cluster.vms.values():
            if scene.of(vm.name) or not rule.concerns(vm):
                continue
            for host in cluster.hosts.values():
                added = said(rule, scene, vm, host)
                if added is None:
                    continue
                stand = Stand(vm.name, host.name, seat(scene, vm, host) or ())
                found = looked_up(rule, scene, stand)
                assert (added > 0) == (found > 0), (rule, vm.name, host.name)
                assert not rule.soft or added == found, (rule, vm.name, host.name)


def test_every_shipped_rule_but_gpu_and_reserve_says_something() -> None:
    silent = set()
    for world in ALL:
        snapshot = world.snapshot()
        scene = Scene.now(snapshot.content)
        for rule in shipped_decision("power_on").rules_of(snapshot.rules):
            for vm in snapshot.content.vms.values():
                if any(said(rule, scene, vm, host) is None for host in snapshot.content.hosts.values()):
                    silent.add(rule.kind)
    assert silent == {"gpu", "reserve"}
