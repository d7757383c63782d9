"""One board, goal by goal: a goal about which nothing is to be decided costs no search."""

from __future__ import annotations

import time

from placer.solve.budget import Budget
from placer.solve.night import solve_target
from placer.solve.target import NightAsk, NightQuestion, Ways
from placer_models.decision import Search, shipped_decision
from placer_models.goals.night import NIGHT_GOALS
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

DOCUMENT = {
    "format": "placer.snapshot/1",
    "cluster": "small",
    "taken_at": "2026-11-20T18:00:00Z",
    "hosts": [{"name": name, "cpus": 8, "memory_mib": 8192} for name in ("h1", "h2", "h3")],
    "vms": [
        {"name": f"v{i}", "power": "on", "host": host, "cpus": 2, "memory_mib": 1024, "may": {"live_migrate": True}}
        for i, host in enumerate(("h1", "h1", "h2", "h3", "h3", "h3"))
    ],
}


def test_the_fewest_moves_are_proven_though_there_are_no_jobs_and_no_stun() -> None:
    snapshot = Snapshot.of(DOCUMENT, "small")
    scene, decision = Scene.now(snapshot.content), shipped_decision("consolidate")
    ask = NightAsk({stand.vm: Ways(True, ()) for stand in scene.stands()}, frozenset(snapshot.content.hosts))
    kinds = ("job-value", "hosts-freed", "stun", "moves", "soonest")
    outcome, target = solve_target(
        NightQuestion(
            scene,
            decision.rules_of(snapshot.rules),
            [NIGHT_GOALS[kind] for kind in kinds],
            ask,
            Search(time_limit_seconds=20, seed=0, workers=1),
        ),
        Budget(time.monotonic() + 60),
    )
    assert outcome.stopped == "proven"
    assert [(tier.score, tier.bound) for tier in outcome.tiers] == [(0, 0), (1, 1), (0, 0), (1, 1), (0, 0)]
    assert target.emptied == ["h2"]
