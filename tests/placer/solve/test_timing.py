"""The times of steps: never sooner than the busiest host or link, and as soon where that can be."""

from __future__ import annotations

import time

import pytest

from placer.solve.budget import Budget
from placer.solve.motion import list_schedule
from placer.solve.timing import busiest, done_at, sooner
from placer.solve.traffic import Action
from placer_models.decision import shipped_decision
from placer_models.night import Limits, LinkLimit
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot

RULES = shipped_decision("consolidate").rules_of([])
Move = tuple[str, str, int]
"""A VM, where it goes, how long that takes."""


def unhurried() -> Budget:
    return Budget(time.monotonic() + 60)


def scene(cpus: int, where: dict[str, str], racks: dict[str, str] | None = None) -> Scene:
    """VMs of one CPU on hosts of so many."""
    hosts = sorted({*where.values(), "a", "b", "c", "d"})
    document = {
        "format": "placer.snapshot/1",
        "cluster": "times",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [
            {"name": host, "cpus": cpus, "memory_mib": 65536, "labels": {"rack": (racks or {}).get(host, "r")}}
            for host in hosts
        ],
        "vms": [
            {"name": name, "power": "on", "host": host, "cpus": 1, "memory_mib": 1, "may": {"live_migrate": True}}
            for name, host in where.items()
        ],
    }
    return Scene.now(Snapshot.of(document, "times").content)


def moves(now: Scene, *asked: Move) -> list[Action]:
    return [Action(vm, "migrate", seconds, now.of(vm)[0], Stand(vm, to)) for vm, to, seconds in asked]


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        (Limits(moves_at_once_per_host=1), 12),
        (Limits(moves_at_once_per_host=2), 6),
        (Limits(moves_at_once_per_host=8), 4),
        (Limits(moves_at_once_per_host=8, moves_at_once=1), 12),
        (Limits(moves_at_once_per_host=8, links=(LinkLimit(label="rack", moves_at_once=1),)), 8),
    ],
)
def test_nothing_is_sooner_than_the_busiest_host_or_link(limits: Limits, least: int) -> None:
    now = scene(8, {"x": "a", "y": "a", "z": "a"}, {"b": "s"})
    actions = moves(now, ("x", "b", 4), ("y", "b", 4), ("z", "c", 4))
    listed = list_schedule(now, RULES, actions, limits, {})
    assert busiest(now, actions, limits) == least
    assert sooner(now, RULES, listed, limits, unhurried()).seconds == max(least, listed.seconds if least % 4 else least)


def test_only_the_hosts_that_are_asked_about_are_emptied_sooner() -> None:
    now = scene(2, {"x": "a", "y": "b"})
    actions = moves(now, ("x", "c", 5), ("y", "c", 5))
    limits = Limits(moves_at_once_per_host=1)
    listed = list_schedule(now, RULES, actions, limits, {"b": 0})
    assert (done_at(listed, ["a"]), done_at(sooner(now, RULES, listed, limits, unhurried(), ["a"]), ["a"])) == (10, 5)
    assert busiest(now, actions, limits, ["a"]) == 5


def test_what_is_kept_starts_as_it_did_and_nothing_before_it_may() -> None:
    now = scene(2, {"x": "a", "y": "b"})
    actions = moves(now, ("x", "c", 5), ("y", "c", 5))
    limits = Limits(moves_at_once_per_host=1)
    listed = list_schedule(now, RULES, actions, limits, {"b": 0})
    kept = sooner(now, RULES, listed, limits, unhurried(), ["a"], kept=[("y", 0)])
    assert [(one.action.vm, one.start) for one in kept.timed] == [("y", 0), ("x", 5)]
    late = sooner(now, RULES, listed, limits, unhurried(), ["a"], earliest={("x", 0): 2})
    assert done_at(late, ["a"]) == 10, "it would have to be on its way at once"
