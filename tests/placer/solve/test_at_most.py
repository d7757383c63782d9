"""Hosts that can be empty at once at most, by what stays open."""

from __future__ import annotations

from placer.solve.at_most import most_empty_at_most
from placer.solve.target import NightAsk, Ways
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.worlds import host, vm


def most(*vms: tuple[str, int], away: tuple[str, ...] = ()) -> int:
    """Of three hosts of eight CPUs; VMs of so many stand on these."""
    document = {
        "format": "placer.snapshot/1",
        "cluster": "rooms",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [host(name, cpus=8) for name in ("a", "b", "c")],
        "vms": [vm(f"vm-{n}", on=on, cpus=cpus) for n, (on, cpus) in enumerate(vms)],
    }
    scene = Scene.now(Snapshot.of(document, "rooms").content)
    ways = {one.vm: Ways(True, (("suspend", 60),) if one.vm in away else ()) for one in scene.stands()}
    return most_empty_at_most(scene, NightAsk(ways, frozenset("abc")))


def test_as_many_hosts_stay_open_as_have_room_for_what_stands() -> None:
    assert most(("a", 4), ("b", 4)) == 2
    assert most(("a", 4), ("b", 4), ("c", 1)) == 1
    assert most() == 3


def test_who_may_be_away_needs_no_room() -> None:
    assert most(("a", 4), ("b", 4), ("c", 1), away=("vm-2",)) == 2


def test_an_overfull_host_says_nothing() -> None:
    assert most(("a", 8), ("b", 8), ("c", 8)) == 0
    assert most(("a", 9), ("b", 8), ("c", 8)) > 0
