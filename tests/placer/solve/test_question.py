"""What a search is asked holds on the board over the whole cluster, whoever makes it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from placer.solve.board import TooLarge
from placer.solve.question import Question
from placer.solve.run import Outcome, solve_board
from placer_models.decision import shipped_decision
from placer_models.scene import Scene, Stand
from tests.placer.solve.small import snapshot

HOSTS = [{"name": f"h{i}", "cpus": 8} for i in range(3)]
RUNNING = [{"name": f"small{i}", "cpus": 4, "host": f"h{i}"} for i in range(3)]
MADE = snapshot(HOSTS, [*RUNNING, {"name": "big", "cpus": 8}])
MOVABLE = frozenset(vm["name"] for vm in RUNNING)


def question(**more: Any) -> Question:
    decision, cluster = shipped_decision("power_on"), MADE.content
    rules, goals = decision.rules_of(()), decision.goals_of(cluster)[:1]
    return Question(Scene.now(cluster), rules, goals, decision.search, time.monotonic() + 60, **more)


def solved(asked: Question) -> Outcome:
    return solve_board(asked.board(asked.goals, 1000), asked.goals, asked.search, asked.deadline)


@pytest.mark.parametrize(("moves", "placed"), [(0, 0), (1, 1)])
def test_no_more_may_move_than_is_said(moves: int, placed: int) -> None:
    assert solved(question(movable=MOVABLE, most_moves=moves)).tiers[0].score == placed


def test_what_is_forbidden_does_not_come_about() -> None:
    forbidden = [[Stand("big", f"h{i}", ())] for i in range(3)]
    assert solved(question(movable=MOVABLE, most_moves=1, forbidden=forbidden)).tiers[0].score == 0


def test_a_board_beyond_what_is_allowed_is_not_made() -> None:
    with pytest.raises(TooLarge):
        question(movable=MOVABLE, most_moves=1).board((), 1)
