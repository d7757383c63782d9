"""In which order moves are carried out, and which moves lead nowhere."""

from __future__ import annotations

from typing import Any

from placer.waits import Order, in_order
from placer_models.cluster import Cluster
from placer_models.decision import shipped_decision
from placer_models.scene import Hold, Scene, Stand
from placer_models.snapshot import Snapshot

WHERE = {"a": "h1", "b": "h2"}


def snapshot(hosts: list[dict[str, Any]], vms: list[dict[str, Any]], slots: str = "chosen") -> Snapshot:
    return Snapshot.of(
        {
            "format": "placer.snapshot/1",
            "cluster": "lab",
            "taken_at": "2026-11-23T06:30:00Z",
            "platform": {"kind": "kvm", "slots": slots},
            "hosts": [{"cpus": 8, "memory_mib": 65536, **host} for host in hosts],
            "vms": [{"memory_mib": 1024, "cpus": 1, **vm} for vm in vms],
        }
    )


def ordered(made: Snapshot, targets: list[Stand], starts: list[Stand] | None = None) -> Order:
    cluster: Cluster = made.content
    return in_order(Scene.now(cluster), shipped_decision("power_on").rules_of(made.rules), targets, starts or [])


def full_hosts(count: int) -> Snapshot:
    """a fills h1 and b fills h2."""
    hosts = [{"name": f"h{i}"} for i in range(1, count + 1)]
    return snapshot(hosts, [{"name": vm, "power": "on", "host": host, "cpus": 8} for vm, host in WHERE.items()])


def test_move_waits_until_its_target_is_left() -> None:
    order = ordered(full_hosts(3), [Stand("a", "h2"), Stand("b", "h3")])
    assert [stand.vm for stand in order.moves] == ["b", "a"]
    assert order.waits_for("a") == ["b"]
    assert order.waits_for("b") == []
    assert order.stuck == []


def test_swap_without_a_spare_host_is_stuck() -> None:
    order = ordered(full_hosts(2), [Stand("a", "h2"), Stand("b", "h1")])
    assert {stand.vm for stand in order.stuck} == {"a", "b"}
    assert order.moves == []


def test_moves_that_have_room_go_although_others_are_stuck() -> None:
    made = full_hosts(3)
    small = {"name": "c", "power": "on", "host": "h3", "cpus": 0, "memory_mib": 1}
    values = made.model_dump(mode="json", by_alias=True, exclude_none=True)
    order = ordered(
        Snapshot.of({**values, "vms": [*values["vms"], small]}),
        [Stand("a", "h2"), Stand("b", "h1"), Stand("c", "h1")],
    )
    assert [stand.vm for stand in order.moves] == ["c"]
    assert {stand.vm for stand in order.stuck} == {"a", "b"}


def mig(slots: str) -> Snapshot:
    """A 3g runs on h1; a 4g is to start on h2, whose GPU is empty."""
    gpu = {"id": "0", "model": "A100 PCIe 40GB", "sharing": "mig"}
    run = {
        "name": "run",
        "power": "on",
        "host": "h1",
        "gpus": [{"profile": "3g.20gb", "at": [{"gpu": "0", "slot": 4}]}],
    }
    new = {"name": "new", "power": "off", "gpus": [{"profile": "4g.20gb"}]}
    return snapshot([{"name": "h1", "gpus": [gpu]}, {"name": "h2", "gpus": [gpu]}], [run, new], slots)


MOVED = Stand("run", "h2", (Hold("0", "mig", "3g.20gb", 4),))
STARTED = Stand("new", "h2", (Hold("0", "mig", "4g.20gb", 0),))


def test_chosen_slots_are_kept() -> None:
    order = ordered(mig("chosen"), [MOVED], [STARTED])
    assert (order.moves, order.starts, order.stuck) == ([MOVED], [STARTED], [])


def test_manager_s_first_slot_shuts_the_later_start_out() -> None:
    order = ordered(mig("first-legal"), [MOVED], [STARTED])
    assert order.stuck == [MOVED]


def test_manager_s_first_slot_is_what_a_move_gets() -> None:
    (moved,) = ordered(mig("first-legal"), [MOVED]).moves
    assert moved.holds[0].slot == 0


def test_worst_case_slot_shuts_the_later_start_out() -> None:
    assert ordered(mig("worst-case"), [MOVED], [STARTED]).stuck == [MOVED]
    assert ordered(mig("worst-case"), [MOVED]).stuck == []
