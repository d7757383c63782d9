"""Hosts of one kind merged into one: what that says nobody beats, and nobody does."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from bench.clusters import synthetic
from placer import place
from placer.solve.budget import Budget
from placer.solve.figures import figures_of
from placer.solve.merged import Alone, Merged, merged_groups
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.rules.rule import Rule
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

HOST = {"cpus": 8, "memory_mib": 65536}


def small(hosts: int, vms: int, seed: int, kind: str) -> Snapshot:
    return Snapshot.of(synthetic(hosts, vms, seed, kind))


def merged(snapshot: Snapshot) -> Merged:
    decision, cluster = shipped_decision("gpu_allocation"), snapshot.content
    rules, goals = decision.rules_of(snapshot.rules), decision.goals_of(cluster)
    survey = Survey(cluster, rules, goals)
    scene = Scene.now(cluster)
    figures = figures_of(scene, rules)
    budget = Budget(time.monotonic() + 60)
    question = Question(scene, rules, goals, decision.search, budget.deadline)
    return Merged(question, survey, budget, figures)


def alone(scene: Scene, survey: Survey, rules: Sequence[Rule]) -> Alone:
    return Alone(scene, survey, figures_of(scene, rules))


@pytest.mark.parametrize("kind", ["loaded", "over-subscribed", "ruled", "storm"])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_proven_answer_is_better_than_the_merged_bound(kind: str, seed: int) -> None:
    snapshot = small(4, 40, seed, kind)
    answer = place(snapshot, shipped_decision("gpu_allocation"))
    relaxation = merged(snapshot)
    bound, sharper = relaxation.bound(0, ()), relaxation.sharper(0, ())
    assert bound is not None
    assert sharper is not None
    assert answer.score["gpu-milli"] <= sharper <= bound


def test_rooms_that_no_vm_fits_add_up_to_a_bound_and_not_to_an_answer() -> None:
    running = [{"name": f"old-{i}", "power": "on", "host": f"h{i}", "cpus": 4, "memory_mib": 1024} for i in range(2)]
    waiting = [
        {"name": f"new-{i}", "power": "off", "cpus": cpus, "memory_mib": 1024} for i, cpus in enumerate((3, 3, 2))
    ]
    document = {
        "format": "placer.snapshot/1",
        "cluster": "crumbs",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [{"name": f"h{i}", **HOST} for i in range(2)],
        "vms": [*running, *waiting],
        "requests": [{"kind": "power-on", "vm": vm["name"]} for vm in waiting],
    }
    snapshot = Snapshot.of(document)
    assert merged(snapshot).bound(1, (0,)) == 3  # one CPU that is left over on each of two hosts
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
    survey = Survey(scene.cluster, rules, [])
    assert merged_groups(scene, survey, rules, alone(scene, survey, rules)) == [["h0"], ["h1", "h2"]]


def test_a_room_too_small_for_a_vm_is_not_added_to_others() -> None:
    running = [
        {"name": f"old-{i}", "power": "on", "host": f"h{i}", "cpus": 6 + i % 2, "memory_mib": 1024} for i in range(4)
    ]
    waiting = [{"name": f"new-{i}", "power": "off", "cpus": 2, "memory_mib": 1024} for i in range(4)]
    snapshot = Snapshot.of(
        {
            "format": "placer.snapshot/1",
            "cluster": "crumbs",
            "taken_at": "2026-11-20T18:00:00Z",
            "hosts": [{"name": f"h{i}", **HOST} for i in range(4)],
            "vms": [*running, *waiting],
            "requests": [{"kind": "power-on", "vm": vm["name"]} for vm in waiting],
        }
    )
    assert merged(snapshot).bound(1, (0,)) == 2  # two hosts have two CPUs left, two have one, which is no room
    rules = shipped_decision("gpu_allocation").rules_of(())
    scene, survey = Scene.now(snapshot.content), Survey(snapshot.content, rules, [])
    assert merged_groups(scene, survey, rules, alone(scene, survey, rules)) == [["h0", "h2"], ["h1", "h3"]]
