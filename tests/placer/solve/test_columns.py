"""Columns: contents of whole hosts, their prices, and what they bound."""

from __future__ import annotations

import time

from placer import place
from placer.solve.budget import Budget
from placer.solve.columns import Columns
from placer.solve.master import Floor
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, shares, snapshot

MADE = snapshot(gpu_hosts(3, 1, cpus=3), shares(700, 700, 400, 400, 300, 300, 300, 200, 900))


def columns_of(made: Snapshot) -> Columns:
    cluster, decision = made.content, shipped_decision("gpu_allocation")
    rules, goals = decision.rules_of(made.rules), decision.goals_of(cluster)
    survey, scene = Survey(cluster, rules, goals), Scene.now(cluster)
    waiting = survey.waiting(cluster.asked, list(cluster.asked))
    groups = survey.alike(scene, list(cluster.hosts))
    return Columns(scene, survey, rules, goals, waiting, groups, Budget(time.monotonic() + 60), 2)


def test_bound_from_no_columns_at_all_is_reached_by_the_whole_board() -> None:
    best = place(MADE, deciding())
    columns = columns_of(MADE)
    values = columns.values(0)
    assert values is not None
    prices, bound = columns.generate(values, rounds=50, close=0.5)
    assert prices is not None
    assert bound is not None
    assert best.score["gpu-milli"] <= bound == int(prices.total + 1e-6)


def test_bound_after_one_round_holds_already() -> None:
    columns = columns_of(MADE)
    values = columns.values(0)
    assert values is not None
    _, bound = columns.generate(values, rounds=1)
    assert bound is not None
    assert bound >= place(MADE, deciding()).score["gpu-milli"]


def test_bound_of_the_second_goal_is_given_the_score_of_the_first() -> None:
    best = place(MADE, deciding())
    columns = columns_of(MADE)
    milli, placed = columns.values(0), columns.values(1)
    assert milli is not None
    assert placed is not None
    columns.generate(milli, rounds=50)
    _, free = columns.generate(placed, rounds=50)
    _, held = columns.generate(placed, [Floor(milli, best.score["gpu-milli"])], rounds=50)
    assert free is not None
    assert held is not None
    assert best.score["placed"] <= held <= free


def test_chosen_columns_are_carried_to_every_host_of_their_group() -> None:
    made = snapshot(gpu_hosts(3, 1), shares(600, 600, 600, 400, 400, 400))
    columns = columns_of(made)
    values = columns.values(0)
    assert values is not None
    columns.generate(values, rounds=50)
    stands = columns.choose(values, nodes=50, gap=0)
    assert sorted(stand.vm for stand in stands) == sorted(vm.name for vm in made.vms)
    assert [sum(stand.host == host for stand in stands) for host in ("h0", "h1", "h2")] == [2, 2, 2]


def test_goal_that_counts_hosts_is_no_value_of_vms() -> None:
    cluster, decision = MADE.content, shipped_decision("power_on")
    rules, goals = decision.rules_of(()), decision.goals_of(cluster)
    survey, scene = Survey(cluster, rules, goals), Scene.now(cluster)
    waiting = survey.waiting(cluster.asked, list(cluster.asked))
    columns = Columns(scene, survey, rules, goals, waiting, [list(cluster.hosts)], Budget(time.monotonic() + 60), 1)
    known = {goal.kind: columns.values(number) is not None for number, goal in enumerate(goals)}
    assert known["placed"]
    assert not known["hosts-touched"]
