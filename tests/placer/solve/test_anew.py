"""Who may move is asked for anew: nobody beats what that says, however many moves there are."""

from __future__ import annotations

from random import Random

import pytest

from placer.solve.anew import Anew, dealt_anew
from placer.solve.budget import Budget
from placer.solve.question import Question
from placer.solve.survey import Survey
from tests.placer.solve.small import gpu_hosts, shares, snapshot
from tests.placer.solve.test_exchange import on
from tests.placer.solve.test_moving import asked, best, some


def anew(question: Question) -> Anew:
    with Budget(question.deadline) as budget:
        return dealt_anew(question, Survey(question.cluster, question.rules, question.goals), budget)


@pytest.mark.parametrize("seed", range(15))
def test_nobody_beats_it_whether_hosts_are_alike_or_merged(seed: int) -> None:
    question = asked(some(Random(200 + seed)), 9)
    bound = anew(question).bound
    assert bound is not None
    assert bound >= best(question)


def test_hosts_that_differ_are_merged_and_bound_too() -> None:
    hosts = [{**host, "cpus": 12 + i} for i, host in enumerate(gpu_hosts(3, 1))]
    running = [on(f"r{i}", f"h{i}", 1, 400) for i in range(3)]
    question = asked(snapshot(hosts, [*running, *shares(1000, 1000, 1000)]), 9)
    found = anew(question)
    assert best(question) == 1000
    assert found.bound is not None
    assert 1000 <= found.bound < 3000
    assert found.prices


def test_vms_that_run_are_among_what_alike_hosts_hold() -> None:
    running = [on(f"r{i}", f"h{i}", 1, 400) for i in range(4)]
    question = asked(snapshot(gpu_hosts(4, 1), [*running, *shares(1000, 1000, 1000)]), 9)
    found = anew(question)
    assert found.bound == best(question) == 2000
    assert set(found.prices) == {"r0", "vm0-1000"}  # one of each kind


def test_nothing_is_known_where_a_rule_is_broken_already() -> None:
    running = [on("a", "h0", 1, 400), on("b", "h0", 1, 400)]
    rules = [{"kind": "apart", "vms": ["a", "b"], "by": "host"}]
    assert anew(asked(snapshot(gpu_hosts(2, 1), [*running, *shares(500)], rules), 9)) == Anew()
