"""The night's target on small clusters."""

from __future__ import annotations

import time
from typing import Any

from placer.solve.budget import Budget
from placer.solve.night import solve_target
from placer.solve.run import Outcome
from placer.solve.target import NightAsk, NightQuestion, Target, Ways
from placer_models.decision import Search, shipped_decision
from placer_models.goals.night import NIGHT_GOALS
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

ROOM = (("h1", (4,)), ("h2", (4, 2)), ("h3", (3, 3)))
"""Hosts of 8 CPUs with VMs of so many: the 4 of h1 fits on h2 only when its 2 has gone to h3."""


def target(*, drain: bool) -> Target:
    return outcome_of(drain=drain)[1]


def outcome_of(*, drain: bool) -> tuple[Outcome, Target]:
    document: dict[str, Any] = {
        "format": "placer.snapshot/1",
        "cluster": "small",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [{"name": name, "cpus": 8, "memory_mib": 8192} for name, _ in ROOM],
        "vms": [
            {"name": f"{host}-{i}", "power": "on", "host": host, "cpus": cpus, "may": {"live_migrate": True}}
            | {"memory_mib": 512}
            for host, sizes in ROOM
            for i, cpus in enumerate(sizes)
        ],
    }
    snapshot = Snapshot.of(document, "small")
    scene, decision = Scene.now(snapshot.content), shipped_decision("consolidate")
    ways = {stand.vm: Ways(True, ()) for stand in scene.stands()}
    return solve_target(
        NightQuestion(
            scene,
            decision.rules_of(snapshot.rules),
            [NIGHT_GOALS["hosts-freed"], NIGHT_GOALS["moves"]],
            NightAsk(ways, frozenset({"h1"}), drain=drain),
            Search(time_limit_seconds=20, seed=0, workers=1),
        ),
        Budget(time.monotonic() + 60),
    )


def test_a_vm_makes_room_for_one_that_leaves_an_emptied_host() -> None:
    found = target(drain=False)
    assert found.emptied == ["h1"]
    assert {stand.vm for stand in found.stands} == {"h1-0", "h2-1"}


def test_making_room_is_proven_to_free_more_than_draining_does() -> None:
    scores = [tier.score for tier in outcome_of(drain=True)[0].tiers]
    assert scores == [0, 0]
    assert [(tier.score, tier.bound) for tier in outcome_of(drain=False)[0].tiers] == [(1, 1), (2, 2)]


def test_who_only_drains_moves_nobody_from_a_host_that_stays_open() -> None:
    found = target(drain=True)
    assert found.emptied == []
    assert found.stands == []
