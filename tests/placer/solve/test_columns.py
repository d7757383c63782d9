"""Columns: contents of whole hosts, their prices, and what they bound."""

from __future__ import annotations

import time

import pytest

from placer import place
from placer.solve import columns as columns_file
from placer.solve.budget import Budget
from placer.solve.columns import Columns, Setting
from placer.solve.master import Floor
from placer.solve.steady import Asked, Steady
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, shares, snapshot

MADE = snapshot(gpu_hosts(3, 1, cpus=3), shares(700, 700, 400, 400, 300, 300, 300, 200, 900))


def columns_of(made: Snapshot) -> Columns:
    cluster, decision = made.content, shipped_decision("gpu_allocation")
    rules, goals = decision.rules_of(made.rules), decision.goals_of(cluster)
    survey, scene = Survey(cluster, rules, goals), Scene.now(cluster)
    waiting = survey.waiting(cluster.asked, list(cluster.asked))
    groups = survey.alike(scene, list(cluster.hosts))
    return Columns(
        Setting(scene, survey, rules, goals, cluster.asked, Budget(time.monotonic() + 60), 2), waiting, groups
    )


def test_bound_from_no_columns_at_all_is_reached_by_the_whole_board() -> None:
    best = place(MADE, deciding())
    columns = columns_of(MADE)
    values = columns.values(0)
    assert values is not None
    prices, bound = columns.generate(values)
    assert prices is not None
    assert bound is not None
    assert best.score["gpu-milli"] <= bound == int(prices.total + 1e-6)


def test_what_is_bounded_before_the_master_has_enough_is_a_bound() -> None:
    columns = columns_of(MADE)
    values = columns.values(0)
    assert values is not None
    prices, bound = columns.generate(values, enough=1)
    assert prices is not None
    assert prices.total >= 1
    assert bound is not None
    assert bound >= place(MADE, deciding()).score["gpu-milli"]


def test_bound_of_the_second_goal_is_given_the_score_of_the_first() -> None:
    best = place(MADE, deciding())
    columns = columns_of(MADE)
    milli, placed = columns.values(0), columns.values(1)
    assert milli is not None
    assert placed is not None
    columns.generate(milli)
    _, free = columns.generate(placed)
    _, held = columns.generate(placed, [Floor(milli, best.score["gpu-milli"])])
    assert free is not None
    assert held is not None
    assert best.score["placed"] <= held <= free


def test_for_what_is_left_columns_hold_no_more_than_is_left() -> None:
    made = snapshot(gpu_hosts(3, 1), shares(600, 600, 600, 400, 400, 400))
    columns = columns_of(made)
    values = columns.values(0)
    assert values is not None
    columns.generate(values)
    some = [list(names[:1]) for names in columns.waiting]
    left = columns.rest(some, [columns.groups[0][:1]])
    prices, bound = left.generate(values)
    assert prices is not None
    assert bound == 1000
    assert all(amount <= 1 for column in left.columns for _, amount in column.counts)


def test_goal_that_counts_hosts_is_no_value_of_vms() -> None:
    cluster, decision = MADE.content, shipped_decision("power_on")
    rules, goals = decision.rules_of(()), decision.goals_of(cluster)
    survey, scene = Survey(cluster, rules, goals), Scene.now(cluster)
    waiting = survey.waiting(cluster.asked, list(cluster.asked))
    setting = Setting(scene, survey, rules, goals, cluster.asked, Budget(time.monotonic() + 60), 1)
    columns = Columns(setting, waiting, [list(cluster.hosts)])
    known = {goal.kind: columns.values(number) is not None for number, goal in enumerate(goals)}
    assert known["placed"]
    assert not known["hosts-touched"]


def test_steady_prices_come_to_the_same_bound() -> None:
    columns = columns_of(MADE)
    values = columns.values(0)
    assert values is not None
    _, bound = columns_of(MADE).generate(values)
    nothing = Asked((0.0,) * len(columns.waiting))  # a poor guess
    prices, other = columns.generate(values, steady=Steady(nothing))
    assert prices is not None
    assert other == bound == int(prices.total + 1e-6)


def test_place_of_a_larger_vm_is_lent_to_a_smaller_one() -> None:
    asked = [{**share, "cpus": 2 if i else 3} for i, share in enumerate(shares(500, 500, 500))]
    columns = columns_of(snapshot(gpu_hosts(2, 1, cpus=8), asked))
    large = next(number for number, names in enumerate(columns.waiting) if len(names) == 1)
    (small,) = {0, 1} - {large}
    assert columns.room.instead == ((large, small),)
    columns.take([Stand(columns.waiting[large][0], "h0", ())])
    left = [list(names) for names in columns.waiting]
    columns.seated(columns.columns[0], "h0", left)
    (stand,) = columns.seated(columns.columns[0], "h1", left)
    assert stand.vm in columns.waiting[small]


def test_without_time_to_learn_the_last_prices_are_still_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_file, "SHARE", 0.0)  # the time for new columns is over at once
    columns = columns_of(MADE)
    values = columns.values(0)
    assert values is not None
    prices, bound = columns.generate(values)
    assert prices is not None
    assert len(prices.taken) == len(columns.columns)
    assert bound is not None
    assert bound >= place(MADE, deciding()).score["gpu-milli"]
