"""Hosts of one kind merged into one: what that says nobody beats, and nobody does."""

from __future__ import annotations

import time

import pytest

from bench.clusters import synthetic
from placer import place
from placer.solve.budget import Budget
from placer.solve.merged import Merged, merged_groups
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

HOST = {"cpus": 8, "memory_mib": 65536}


def small(hosts: int, vms: int, seed: int, kind: str) -> Snapshot:
    return Snapshot.of(synthetic(hosts, vms, seed, kind))


def merged(snapshot: Snapshot) -> Merged:
    decision, cluster = shipped_decision("gpu_allocation"), snapshot.content
    rules, goals = decision.rules_of(snapshot.rules), decision.goals_of(cluster)
    survey = Survey(cluster, rules, goals)
    return Merged(Scene.now(cluster), survey, rules, goals, decision.search, Budget(time.monotonic() + 60))


@pytest.mark.parametrize("kind", ["loaded", "over-subscribed", "ruled", "storm"])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_proven_answer_is_better_than_the_merged_bound(kind: str, seed: int) -> None:
    snapshot = small(4, 40, seed, kind)
    answer = place(snapshot, shipped_decision("gpu_allocation"))
    bound = merged(snapshot).bound(0, ())
    assert bound is not None
    assert answer.score["gpu-milli"] <= bound


def test_rooms_that_no_vm_fits_add_up_to_a_bound_and_not_to_an_answer() -> None:
    running = [
        {"name": f"old-{i}", "power": "on", "host": f"h{i}", "cpus": 6 + i % 2, "memory_mib": 1024} for i in range(4)
    ]
    waiting = [{"name": f"new-{i}", "power": "off", "cpus": 2, "memory_mib": 1024} for i in range(4)]
    document = {
        "format": "placer.snapshot/1",
        "cluster": "crumbs",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [{"name": f"h{i}", **HOST} for i in range(4)],
        "vms": [*running, *waiting],
        "requests": [{"kind": "power-on", "vm": vm["name"]} for vm in waiting],
    }
    snapshot = Snapshot.of(document)
    assert merged(snapshot).bound(1, (0,)) == 3  # two rooms of two CPUs, and two of one that together make a third
    assert place(snapshot).score["placed"] == 2


def test_a_host_that_is_over_full_takes_no_room_from_the_others() -> None:
    full = [{"name": f"old-{i}", "power": "on", "host": "h0", "cpus": 6, "memory_mib": 1024} for i in range(3)]
    waiting = {"name": "new", "power": "off", "cpus": 8, "memory_mib": 1024}
    document = {
        "format": "placer.snapshot/1",
        "cluster": "over-full",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [{"name": f"h{i}", **HOST} for i in range(3)],
        "vms": [*full, waiting],
        "requests": [{"kind": "power-on", "vm": "new"}],
    }
    snapshot = Snapshot.of(document)
    assert merged(snapshot).bound(1, (0,)) == 1
    rules = shipped_decision("gpu_allocation").rules_of(())
    scene = Scene.now(snapshot.content)
    assert merged_groups(scene, Survey(scene.cluster, rules, []), rules) == [["h0"], ["h1", "h2"]]
