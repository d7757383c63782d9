"""How one document differs from another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from placer.diff import diff
from placer_models.document import Faults, parse
from placer_models.plan import Placed, Placements, Plan
from tests.good_nights import desktops

NIGHT, VALUES = desktops()
PLAN = parse(Plan, VALUES, "the plan")


def test_a_plan_does_not_differ_from_itself_with_other_ids() -> None:
    steps = tuple(
        step.model_copy(update={"id": f"x-{step.id}", "waits_for": tuple(f"x-{name}" for name in step.waits_for)})
        for step in PLAN.steps
    )
    found = diff(PLAN, PLAN.model_copy(update={"steps": steps, "seconds": 1.0}))
    assert (found.of, found.changes) == ("plans", ())
    assert found.same == len(PLAN.steps) + len(PLAN.freed) + len(PLAN.jobs) + 1


def test_a_step_that_runs_later_is_changed_in_its_times_only() -> None:
    first, *rest = PLAN.steps
    later = first.model_copy(update={"start": first.start, "end": first.end + timedelta(seconds=5)})
    (change,) = diff(PLAN, PLAN.model_copy(update={"steps": (later, *rest)})).changes
    assert (change.what, change.name, change.change, change.keys) == ("step", "migrate a", "changed", ("end",))
    assert change.before == {"end": "2026-11-20T22:00:10Z"}
    assert change.after == {"end": "2026-11-20T22:00:15Z"}


def test_steps_hosts_and_jobs_that_one_plan_has_alone() -> None:
    found = diff(PLAN.model_copy(update={"score": {"moves": 4}}), Plan(status="feasible", score={"moves": 0}))
    assert {(change.what, change.name) for change in found.changes if change.change == "removed"} == {
        *((("step"), name) for name in ("migrate a", "migrate a (2)", "migrate b", "migrate b (2)")),
        ("step", "start-job film"),
        ("step", "stop-job film"),
        ("freed host", "h1"),
        ("job run", "film 0"),
    }
    (goal,) = [change for change in found.changes if change.change == "changed"]
    assert (goal.name, goal.before, goal.after) == ("moves", {"score": 4}, {"score": 0})


def test_placements_and_snapshots_are_compared_in_the_same_way() -> None:
    one = Placements(status="optimal", placed=(Placed(vm="x", host="h1"),))
    (change,) = diff(one, one.model_copy(update={"placed": (Placed(vm="x", host="h2"),)})).changes
    assert (change.what, change.name, change.keys) == ("VM that starts", "x", ("host",))
    first, *rest = NIGHT.snapshot.hosts
    closed = NIGHT.snapshot.model_copy(update={"hosts": (first.model_copy(update={"state": "maintenance"}), *rest)})
    (change,) = diff(NIGHT.snapshot, closed).changes
    assert (change.what, change.name, change.after) == ("host", "h1", {"state": "maintenance"})


def test_documents_of_two_kinds_are_not_compared() -> None:
    with pytest.raises(Faults, match="found plans, expected snapshots"):
        diff(NIGHT.snapshot, PLAN)
