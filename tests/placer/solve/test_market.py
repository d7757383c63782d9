"""Hosts that choose at prices: what comes to them keeps every rule, and scarce VMs go where they bring most."""

from __future__ import annotations

import time

import pytest

from bench.clusters import synthetic
from placer import place, verify
from placer.judge.check import broken, worse
from placer.solve import engine, market
from placer.solve.budget import Budget
from placer.solve.figures import figures_of
from placer.solve.market import Market
from placer.solve.merged import Merged
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, never_whole, snapshot


def market_of(made: Snapshot, kind: str = "gpu_allocation", goals: int = 1) -> Market:
    """A market for the last of the first few goals."""
    decision, cluster = shipped_decision(kind), made.content
    rules, all_goals = decision.rules_of(made.rules), decision.goals_of(cluster)[:goals]
    scene, survey = Scene.now(cluster), Survey(cluster, rules, all_goals)
    budget = Budget(time.monotonic() + 60)
    question = Question(scene, rules, all_goals, decision.search, budget.deadline)
    return Market(question, survey, budget, Merged(question, survey, budget, figures_of(scene, rules)))


def dealt(made: Snapshot, kind: str = "gpu_allocation", goals: int = 1, wanted: tuple[int, ...] = ()) -> list[Stand]:
    """What the hosts choose."""
    return market_of(made, kind, goals).deal(wanted, 60)


@pytest.mark.parametrize("kind", ["over-subscribed", "ruled"])
def test_what_is_chosen_keeps_every_rule_and_is_chosen_again(kind: str) -> None:
    made = Snapshot.of(synthetic(8, 120, 1, kind))
    stands, cluster = dealt(made), made.content
    rules = shipped_decision("gpu_allocation").rules_of(made.rules)
    before = Scene.now(cluster)
    after = before.copy()
    for stand in stands:
        after.put(stand)
    assert stands
    assert worse(rules, broken(before, rules), broken(after, rules)) == []
    assert dealt(made) == stands


def test_the_light_vm_goes_to_the_host_that_has_room_for_no_other() -> None:
    hosts = [{**host, "cpus": cpus} for host, cpus in zip(gpu_hosts(2, 1), (16, 2), strict=True)]
    asked = [{"name": name, "cpus": cpus, "gpus": [{"milli": 1000}]} for name, cpus in (("light", 2), ("heavy", 8))]
    assert {stand.vm: stand.host for stand in dealt(snapshot(hosts, asked))} == {"light": "h1", "heavy": "h0"}


def test_vms_may_be_asked_for_in_any_order() -> None:
    asked = [{"name": f"share{number}", "gpus": [{"milli": 500}]} for number in range(4)]
    requests = [{"kind": "power-on", "vm": vm["name"]} for vm in reversed(asked)]
    assert len(dealt(snapshot(gpu_hosts(1, 2), asked, requests=requests))) == 4


def test_vms_that_bring_the_goal_nothing_are_left_for_later() -> None:
    made = snapshot(gpu_hosts(2, 1), [{"name": "share", "gpus": [{"milli": 500}]}, {"name": "plain"}])
    assert [stand.vm for stand in dealt(made)] == ["share"]


def test_goals_before_the_last_keep_their_scores() -> None:
    """One VM of the first goal is worth less to the second than what has room in its place."""
    goals = shipped_decision("power_on")
    hosts = gpu_hosts(1, 1)
    asked = [
        {"name": "urgent", "gpus": [{"milli": 1000}]},
        *({"name": f"s{i}", "gpus": [{"milli": 500}]} for i in (1, 2)),
    ]
    requests = [{"kind": "power-on", "vm": vm["name"], "priority": 10 if vm["name"] == "urgent" else 0} for vm in asked]
    made = snapshot(hosts, asked, requests=requests)
    assert [goal.label for goal in goals.goals_of(made.content)][:2] == ["placed (priority 10)", "placed (priority 0)"]
    assert {stand.vm for stand in dealt(made, "power_on", 2, (1,))} == {"urgent"}
    assert {stand.vm for stand in dealt(made, "power_on", 2, (0,))} == {"s1", "s2"}


def test_a_large_search_takes_what_is_chosen_where_it_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    never_whole(monkeypatch)
    monkeypatch.setattr(engine, "PATIENCE", 0)
    made = Snapshot.of(synthetic(10, 150, 1, "over-subscribed"))
    found = place(made, deciding())
    assert verify(made, found) == []
    monkeypatch.setattr(engine, "FAR", 1.0)
    without = place(made, deciding())
    bound = found.bound["gpu-milli"]
    assert bound is not None
    assert without.score["gpu-milli"] < found.score["gpu-milli"] <= bound


@pytest.mark.parametrize("kind", ["over-subscribed", "diverse", "shared"])
def test_what_hosts_gain_and_the_prices_bound_what_can_be_had(kind: str) -> None:
    for seed in (1, 2):
        made = Snapshot.of(synthetic(5, 60, seed, kind))
        one = market_of(made)
        assert one.deal((), 60)
        best = place(made, shipped_decision("gpu_allocation")).score["gpu-milli"]
        bound = one.merged.sharper(0, ())
        assert bound is not None
        assert best <= bound <= 1.02 * best


def test_vms_of_a_kind_are_chosen_by_priority() -> None:
    asked = [{"name": f"share{number}", "gpus": [{"milli": 500}]} for number in range(4)]
    requests = [{"kind": "power-on", "vm": vm["name"], "priority": number % 2 * 10} for number, vm in enumerate(asked)]
    assert {stand.vm for stand in dealt(snapshot(gpu_hosts(1, 1), asked, requests=requests))} == {"share1", "share3"}


def test_vms_that_are_tied_are_chosen_with_an_eye_to_the_others_and_bound_nothing() -> None:
    asked = [{"name": f"share{number}", "gpus": [{"milli": 500}]} for number in range(4)]
    apart = {"kind": "apart", "vms": [vm["name"] for vm in asked], "by": "rack", "strength": "must"}
    hosts = [{**host, "labels": {"rack": f"r{number // 5}"}} for number, host in enumerate(gpu_hosts(10, 1))]
    one = market_of(snapshot(hosts, asked, rules=[apart]))
    assert len(one.deal((), 60)) == 2
    assert one.merged.first is None


def test_hosts_are_told_that_had_no_turn_in_time() -> None:
    one = market_of(snapshot(gpu_hosts(2, 1), [{"name": "share", "gpus": [{"milli": 500}]}]))
    assert one.deal((), 0.0) == []
    assert one.left == {"h0", "h1"}


def test_no_board_that_is_too_large_is_chosen_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "MOST_UNKNOWNS", 0)
    made = snapshot(gpu_hosts(2, 1), [{"name": "share", "gpus": [{"milli": 500}]}])
    assert dealt(made) == []
