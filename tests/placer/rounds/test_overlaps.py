"""Rolling upgrades whose rounds overlap: the next hosts are left while others are in maintenance."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from placer.evacuate import evacuate
from placer.judge.timed import TimedReplay
from placer_models.night import Evacuate
from placer_models.plan import Plan, Step
from tests.good_nights import quick
from tests.nights import Night, Values, window
from tests.worlds import gpu, host, want


def evacuated(hosts: list[Values], vms: list[Values], *names: str, rules: Sequence[Values] = (), **more: Any) -> Plan:
    """A plan that empties these hosts, judged once more."""
    asked = {"kind": "evacuate", "hosts": list(names), "minutes": 1, "windows": [window(0, 3000)], **more}
    night = Night(hosts, vms, asked, rules=rules)
    assert isinstance(night.asked, Evacuate)
    plan = evacuate(night.snapshot, night.asked)
    assert TimedReplay(night.cluster, night.holding, night.asked, (), plan).faults == []
    return plan


def times(plan: Plan, kind: str) -> list[Step]:
    """The steps of a kind, in the order in which they start."""
    return sorted((step for step in plan.steps if step.kind == kind), key=lambda step: step.start)


def test_the_next_host_is_left_while_the_former_is_in_maintenance() -> None:
    hosts = [host(f"h{i}") for i in (1, 2, 3)]
    plan = evacuated(hosts, [quick("a", on="h1"), quick("b", on="h2")], "h1", "h2", at_once=1)
    (_, second), (leave, _) = times(plan, "migrate"), times(plan, "leave-maintenance")
    assert second.end < leave.start == times(plan, "enter-maintenance")[1].start
    assert leave.id in times(plan, "enter-maintenance")[1].waits_for
    assert plan.status == "optimal"


def test_who_finds_room_only_on_the_host_in_maintenance_waits_until_that_is_back() -> None:
    hosts = [host("h1", cpus=2), host("h2", cpus=2), host("h3", cpus=2)]
    vms = [quick("a", on="h1", cpus=2), quick("b", on="h2", cpus=2)]
    plan = evacuated(hosts, vms, "h1", "h2", at_once=1)
    (leave, _), second = times(plan, "leave-maintenance"), times(plan, "migrate")[1]
    assert second.start == leave.end
    assert leave.id in second.waits_for
    assert plan.score["moves"] == 2


def test_the_host_goes_first_whose_vms_need_not_go_twice() -> None:
    hosts = [host(f"h{i}", cpus=4) for i in (1, 2, 3)]
    vms = [quick("a", on="h1"), quick("b", on="h2"), quick("c", on="h2")]
    near = {"kind": "affinity", "vms": ["a"], "hosts": ["h1", "h2"]}
    plan = evacuated(hosts, vms, "h1", "h2", at_once=1, rules=[near])
    assert [step.host for step in times(plan, "enter-maintenance")] == ["h2", "h1"]
    assert plan.score["moves"] == plan.bound["moves"] == 3


def test_nobody_is_off_for_longer_because_rounds_overlap() -> None:
    hosts = [host(f"n{i}", gpu("A40")) for i in (1, 2, 3)]
    vms = [quick(f"p{i}", want(at="g0"), on=f"n{i}", may="power_cycle") for i in (1, 2, 3)]
    more = [quick(f"w{i}{j}", on=f"n{i}") for i in (1, 2, 3) for j in (1, 2)]
    plan = evacuated([*hosts, host("n4")], [*vms, *more], "n1", "n2", "n3", at_once=1)
    assert plan.score["downtime"] == 3 * (6 + 60 + 7)
    assert plan.score["named-freed"] == 3


def test_two_at_once_and_a_third_as_soon_as_one_of_them_is_back() -> None:
    hosts = [host(f"h{i}") for i in range(5)]
    vms = [quick(f"v{i}{j}", on=f"h{i}") for i in range(3) for j in range(i + 1)]
    plan = evacuated(hosts, vms, "h0", "h1", "h2", at_once=2)
    enters, leaves = times(plan, "enter-maintenance"), times(plan, "leave-maintenance")
    assert enters[2].start == leaves[0].end
    assert plan.score["soonest"] == plan.bound["soonest"]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_stands_where_the_plan_is_judged_and_overlapping_costs_nothing(seed: int) -> None:
    chance = Random(seed)
    hosts = [host(f"h{i}", gpu("A40"), cpus=8) for i in range(4)]
    vms: list[Values] = []
    for i in range(4):
        if chance.random() < 0.4:
            vms.append(quick(f"p{i}", want(at="g0"), on=f"h{i}", may="power_cycle"))
        kinds = ("live_migrate", "live_migrate suspend", "suspend")
        vms += [
            quick(f"v{i}{j}", on=f"h{i}", cpus=chance.choice((1, 2)), may=chance.choice(kinds))
            for j in range(chance.randint(0, 3))
        ]
    way_back = chance.choice(("none", "same-host"))
    names = [f"h{i}" for i in range(chance.randint(2, 4))]
    limits = {"store_mib": chance.choice((8192, 65536))}
    plan = evacuated(hosts, vms, *names, at_once=chance.choice((1, 2)), way_back=way_back, limits=limits)
    assert all(plan.score[goal] >= (plan.bound[goal] or 0) for goal in ("downtime", "stun", "moves", "soonest"))
    assert plan.score["named-freed"] + len(plan.left_out) == len(names)
