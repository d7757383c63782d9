"""Every story in fixtures/night: what must come out, whichever of two equal hosts is chosen."""

from __future__ import annotations

import json
import re

import pytest

from placer.judge.timed import TimedReplay
from placer_models.document import dump
from placer_models.goals.night import NIGHT_GOALS
from tests.night_stories import FOLDER, STORIES, Story, differences, named, told
from tests.slow_replay import slow_verdict


@pytest.mark.parametrize("name", STORIES)
def test_story_ends_as_it_must(name: str) -> None:
    story, plan = told(name)
    assert list(differences(story, plan)) == []


@pytest.mark.parametrize("name", STORIES)
def test_plan_stands_before_the_judge(name: str) -> None:
    story, plan = told(name)
    rules = story.decision.rules_of(story.snapshot.rules)
    assert plan.asked is not None
    replay = TimedReplay(story.snapshot.content, rules, story.request, plan.asked.jobs, plan)
    assert replay.faults == []
    assert plan.score == {goal: replay.score[goal] for goal in plan.score}
    assert plan.score.keys() == {goal.label for goal in story.decision.night_goals()}
    for goal, score in plan.score.items():
        bound = plan.bound[goal]
        assert bound is None or (score <= bound if NIGHT_GOALS[goal].sense == "most" else score >= bound)


@pytest.mark.parametrize("name", STORIES)
def test_slow_replay_finds_nothing_either(name: str) -> None:
    story, plan = told(name)
    if story.expected.broken_now:
        return  # it knows only clusters in which nothing is broken at the beginning
    rules = story.decision.rules_of(story.snapshot.rules)
    assert plan.asked is not None
    assert slow_verdict(story.snapshot.content, rules, story.request, plan.asked.jobs, plan) is None


@pytest.mark.parametrize("name", STORIES)
def test_same_in_same_out(name: str) -> None:
    story, plan = told(name)
    assert dump(story.plan()) == dump(plan)


@pytest.mark.parametrize("name", STORIES)
def test_story_is_short_and_told_by_its_name(name: str) -> None:
    story = Story(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+){2,}", name)
    assert len(story.snapshot.hosts) <= 8
    values = json.loads((FOLDER / name / "snapshot.json").read_bytes())
    assert values["notes"]
    if story.earlier is not None:
        values["jobs"] = json.loads((FOLDER / name / "plan.json").read_bytes())["asked"].get("jobs", [])
    known = {one["name"] for kind in ("vms", "hosts", "jobs") for one in values.get(kind, ())}
    assert set(named(story.expected)) <= known


def test_a_wrong_plan_is_told_from_a_right_one() -> None:
    story, plan = told("a-pass-through-vm-keeps-its-host-and-the-other-is-freed")
    first = plan.steps[0]
    wrong: tuple[dict[str, object], ...] = (
        {"freed": ()},
        {"jobs": ()},
        {"steps": plan.steps[1:]},
        {"steps": (*plan.steps, first.model_copy(update={"vm": "cad-1"}))},
        {"score": {**plan.score, "job-value": 6}},
        {"bound": {**plan.bound, "job-value": 6}},
        {"unmoved": ()},
        {"broken_now": ("esx01",)},
    )
    for change in wrong:
        assert list(differences(story, plan.model_copy(update=change))), change
