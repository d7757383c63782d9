"""Boards that would be too large, or take too long to set up."""

from __future__ import annotations

import pytest

from placer.solve.board import CountBoard, TooLarge
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from tests.placer.solve.small import gpu_hosts, shares, snapshot


def test_board_is_given_up_while_it_is_set_up_when_the_time_is_over() -> None:
    cluster = snapshot(gpu_hosts(2), shares(600, 600)).content
    decision = shipped_decision("power_on")
    rules, goals = decision.rules_of([]), decision.goals_of(cluster)
    steps = iter([False] * 3)
    CountBoard(Scene.now(cluster), rules, goals, cluster.asked, over=lambda: False)
    with pytest.raises(TooLarge):
        CountBoard(Scene.now(cluster), rules, goals, cluster.asked, over=lambda: next(steps, True))
