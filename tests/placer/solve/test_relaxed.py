"""What relaxations say of goals: up to the first that is open, sharper in whole numbers, and of all on demand."""

from __future__ import annotations

import time

from placer.solve.answer import Answer
from placer.solve.budget import Budget
from placer.solve.known import Known
from placer.solve.question import Question
from placer.solve.relaxed import Relaxed
from placer.solve.survey import Survey
from placer_models.scene import Scene
from tests.placer.solve.small import deciding, gpu_hosts, shares, snapshot


def relaxed() -> tuple[Relaxed, Known]:
    """Two GPUs of which three want three fifths each; nobody is started yet."""
    made, decision = snapshot(gpu_hosts(2, 1), shares(600, 600, 600)), deciding()
    scene, rules, goals = Scene.now(made.content), decision.rules_of(made.rules), decision.goals_of(made.content)
    budget = Budget(time.monotonic() + 60)
    question = Question(scene, rules, goals, decision.search, budget.deadline)
    known = Known(Answer(scene, rules, goals), goals)
    return Relaxed(question, len(goals), Survey(made.content, rules, goals), known, budget), known


def test_bounds_end_at_the_first_goal_that_is_open() -> None:
    one, known = relaxed()
    one.merge()
    one.bound()
    assert 1200 <= (known.bounds[0] or 0) <= 1800
    assert known.bounds[1] is None
    one.bound(further=True)
    assert known.bounds[1] in (2, 3)


def test_whole_numbers_know_that_no_two_share_a_gpu() -> None:
    one, known = relaxed()
    one.merge()
    one.sharpen()
    assert known.bounds[0] == 1200


def test_nothing_is_kept_for_a_relaxation_that_was_not_made() -> None:
    one, known = relaxed()
    one.bound(further=True)
    one.relax(10**9)
    assert (one.seconds(), known.bounds) == (0.0, [None, None])
    one.relax(6)
    assert 1200 <= (known.bounds[0] or 0) <= 1800


def test_less_time_is_kept_where_the_first_goal_has_its_sharper_bound() -> None:
    one, _ = relaxed()
    one.merge()
    before = one.seconds()
    assert one.merged is not None
    one.merged.keep_first(1500)
    assert one.seconds() < before
    one.sharpen()
    assert one.seconds() < before
