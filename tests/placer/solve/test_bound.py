"""A relaxation's bound is never below what can be reached, and says something."""

from __future__ import annotations

import time

import pytest

from placer import place
from placer.solve.bound import Relaxation, safe
from placer.solve.budget import Budget
from placer.solve.survey import Survey
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, shares, snapshot

FULL = snapshot(gpu_hosts(3, 1), shares(600, 600, 600, 600, 300, 300))
SPREAD = snapshot(
    [{"name": "a", "cpus": 4}, {"name": "b", "cpus": 4}], [{"name": f"v{i}", "cpus": 2} for i in range(3)]
)


@pytest.mark.parametrize("made", [FULL, SPREAD], ids=["GPUs are short", "two hosts are needed"])
def test_bound_of_each_goal_is_beyond_the_best_score(made: Snapshot) -> None:
    decision = deciding("power_on", goals=("placed", "moves", "hosts-touched", "balance"))
    best = place(made, decision)
    assert best.status == "optimal"
    cluster = made.content
    rules, goals = decision.rules_of(made.rules), decision.goals_of(cluster)
    budget = Budget(time.monotonic() + 30)
    relaxation = Relaxation(Scene.now(cluster), Survey(cluster, rules, goals), rules, goals, budget)
    scores = list(best.score.values())
    for number, goal in enumerate(goals):
        bound = relaxation.bound(number, scores)
        assert bound is not None
        assert bound >= scores[number] if goal.sense == "most" else bound <= scores[number]


def test_three_gpus_bound_what_is_placed_on_them() -> None:
    decision = deciding()
    cluster = FULL.content
    rules, goals = decision.rules_of(()), decision.goals_of(cluster)
    survey = Survey(cluster, rules, goals)
    relaxation = Relaxation(Scene.now(cluster), survey, rules, goals, Budget(time.monotonic() + 30))
    assert relaxation.bound(0, []) == 2400  # 600 on each, and 300 on two


@pytest.mark.parametrize("duals", [[0.0], [1.0], [0.5], [-3.0], [1e9]])
def test_bound_holds_for_any_duals(duals: list[float]) -> None:
    rows = [([0, 1], [2, 3], -(2**62), 12)]
    assert safe([(0, 4), (0, 4)], rows, {0: 2, 1: 3}, duals) >= 12
