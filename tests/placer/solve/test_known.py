"""What is known of each goal: a bound only ever gets sharper, and holds for who reaches the same before."""

from __future__ import annotations

import time

from placer.solve.answer import Answer
from placer.solve.budget import Budget
from placer.solve.known import Known
from placer.solve.run import Outcome, Tier
from placer_models.decision import shipped_decision
from placer_models.goals.goal import Goal
from placer_models.scene import Scene, Stand
from tests.placer.solve.small import snapshot

START = Stand("vm", "h0", ())


def known(*kinds: str) -> tuple[Known, list[Goal]]:
    """One VM that is asked for and has room on the only host."""
    made = snapshot([{"name": "h0"}], [{"name": "vm"}])
    decision, cluster = shipped_decision("power_on"), made.content
    goals = [goal for goal in decision.goals_of(cluster) if goal.kind in kinds]
    return Known(Answer(Scene.now(cluster), decision.rules_of(()), goals), goals), goals


def test_a_bound_only_gets_sharper() -> None:
    one, _ = known("placed", "hosts-touched")
    for most, least in ((5, 0), (3, 1), (None, None), (4, 0)):
        one.keep(0, most)
        one.keep(1, least)
    assert one.bounds == [3, 1]


def test_a_goal_is_closed_when_its_bound_is_reached() -> None:
    one, _ = known("placed")
    one.keep(0, 1)
    assert one.open(0)
    one.answer.change((), [START])
    assert not one.open(0)
    assert one.closed(1)
    assert one.outcome(Budget(time.monotonic() + 60)).status == "optimal"


def test_bounds_of_a_board_are_taken_up_to_the_first_open_goal() -> None:
    one, goals = known("placed", "hosts-touched")
    one.take(Outcome("feasible", [START], [Tier(goals[0], 1, 2), Tier(goals[1], 1, 1)]))
    assert one.answer.stands == {"vm": START}
    assert one.bounds == [2, None]
    assert [tier.bound for tier in one.outcome(Budget(time.monotonic() + 60)).tiers] == [
        1,
        1,
    ]  # nobody else is asked for


def test_nothing_counts_less_than_nothing() -> None:
    one, _ = known("moves")
    (tier,) = one.outcome(Budget(time.monotonic() + 60)).tiers
    assert (tier.score, tier.bound) == (0, 0)


def test_nobody_starts_more_than_is_asked_for() -> None:
    one, _ = known("placed")
    (tier,) = one.outcome(Budget(time.monotonic() + 60)).tiers
    assert (tier.score, tier.bound) == (0, 1)
