"""Columns are there where many hosts are alike; where VMs are tied across hosts, they bound and choose nothing."""

from __future__ import annotations

import time
from typing import Any

from placer.solve.alike import Alike
from placer.solve.answer import Answer
from placer.solve.budget import Budget
from placer.solve.improve import Improver
from placer.solve.known import Known
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from tests.placer.solve.small import gpu_hosts, shares, snapshot


def columns(
    hosts: list[dict[str, Any]], rules: list[dict[str, Any]] | None = None
) -> tuple[Alike | None, Known, Improver]:
    """The columns for six shares, and the answer that they are to better."""
    made, decision = snapshot(hosts, shares(600, 500, 500, 400, 400, 600), rules), shipped_decision("gpu_allocation")
    cluster = made.content
    kept, goals = decision.rules_of(made.rules), decision.goals_of(cluster)
    budget = Budget(time.monotonic() + 60)
    question = Question(Scene.now(cluster), kept, goals, decision.search, budget.deadline)
    answer = Answer(question.scene, kept, goals)
    improver = Improver(answer, Survey(cluster, kept, goals), kept, goals, decision.search, budget)
    return Alike.of(question, budget), Known(answer, goals), improver


def test_hosts_that_all_differ_have_no_columns() -> None:
    found, _, _ = columns([{**host, "cpus": 8 + i} for i, host in enumerate(gpu_hosts(3, 1))])
    assert found is None


def test_hosts_that_are_alike_are_filled_and_nobody_beats_that() -> None:
    found, known, improver = columns(gpu_hosts(3, 1))
    assert found is not None
    found.choose(known, improver)
    assert (known.answer.counted()[0], known.bounds[0]) == (3000, 3000)


def test_where_vms_are_tied_to_each_other_columns_only_bound() -> None:
    found, known, improver = columns(
        [{**host, "labels": {"rack": f"r{i % 2}"}} for i, host in enumerate(gpu_hosts(4, 1))],
        [{"kind": "apart", "vms": ["vm0-600", "vm5-600"], "by": "rack"}],
    )
    assert found is not None
    assert found.tied
    found.choose(known, improver)
    assert known.answer.stands == {}
    assert known.bounds[0] == 3000
