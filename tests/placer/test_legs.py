"""VMs that are to change places are moved aside first, where a third host has room."""

from __future__ import annotations

from placer.legs import in_sequence, legs
from placer_models.decision import shipped_decision
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot
from tests.placer.test_waits import WHERE, snapshot

SWAPPED = [Stand("a", "h2"), Stand("b", "h1")]


def full_hosts(count: int) -> Snapshot:
    """a fills h1 and b fills h2."""
    filling = {"power": "on", "cpus": 8, "may": {"live_migrate": True}}
    return snapshot(
        [{"name": f"h{i + 1}"} for i in range(count)], [{"name": a, "host": h, **filling} for a, h in WHERE.items()]
    )


def moved(made: Snapshot, targets: list[Stand], most: int = 9) -> list[tuple[str, str]] | None:
    found = legs(Scene.now(made.content), shipped_decision("power_on").rules_of(made.rules), targets, most)
    return None if found is None else [(stand.vm, stand.host) for stand in found]


def test_two_that_change_places_open_the_circle_over_a_third_host() -> None:
    assert moved(full_hosts(3), SWAPPED) == [("a", "h3"), ("b", "h1"), ("a", "h2")]


def test_no_third_host_no_way() -> None:
    assert moved(full_hosts(2), SWAPPED) is None


def test_moving_aside_counts_as_a_move() -> None:
    assert moved(full_hosts(3), SWAPPED, most=2) is None


def test_moves_with_room_need_no_other() -> None:
    assert moved(full_hosts(3), [Stand("a", "h3")], most=1) == [("a", "h3")]


def test_each_move_waits_for_those_that_left_its_target() -> None:
    made = full_hosts(3)
    scene, rules = Scene.now(made.content), shipped_decision("power_on").rules_of(made.rules)
    order = in_sequence(scene, rules, [Stand("a", "h3"), *reversed(SWAPPED)], ())
    assert [(stand.vm, stand.host) for stand in order.moves] == [("a", "h3"), ("b", "h1"), ("a", "h2")]
    assert order.waits_for("b") == ["a"]
    assert order.waits_for("a") == ["b"]
    assert not order.stuck


def test_starts_without_room_after_the_moves_are_stuck() -> None:
    hosts = [{"name": "h1"}, {"name": "h2"}]
    made = snapshot(
        hosts, [{"name": "a", "power": "on", "host": "h1", "cpus": 8}, {"name": "b", "power": "off", "cpus": 8}]
    )
    scene, rules = Scene.now(made.content), shipped_decision("power_on").rules_of(made.rules)
    assert not in_sequence(scene, rules, [Stand("a", "h2")], [Stand("b", "h1")]).stuck
    assert in_sequence(scene, rules, [Stand("a", "h2")], [Stand("b", "h2")]).stuck
