"""What is told apart, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from placer.solve.survey import Survey, tying
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import gpu_hosts, shares, snapshot


def surveyed(made: Snapshot) -> Survey:
    return Survey(made.content, shipped_decision("power_on").rules_of(made.rules), ())


def groups(made: Snapshot) -> list[list[str]]:
    return surveyed(made).alike(Scene.now(made.content), [host.name for host in made.hosts])


def held(name: str, host: str, gpu: str) -> dict[str, Any]:
    return {"name": name, "host": host, "gpus": [{"milli": 500, "at": [{"gpu": gpu}]}]}


def test_empty_hosts_of_one_kind_are_alike() -> None:
    assert groups(snapshot(gpu_hosts(3), [])) == [["h0", "h1", "h2"]]


def test_hosts_that_hold_the_same_on_other_gpus_are_not_alike() -> None:
    running = [held("a", "h0", "0"), held("b", "h1", "0"), held("c", "h2", "1")]
    assert groups(snapshot(gpu_hosts(3), running)) == [["h0", "h1"], ["h2"]]


def test_host_that_a_rule_names_is_not_like_the_others() -> None:
    made = snapshot(gpu_hosts(3), shares(100), [{"kind": "affinity", "vms": ["vm0-100"], "hosts": ["h1"]}])
    assert groups(made) == [["h0", "h2"], ["h1"]]


def test_vms_with_the_same_ask_wait_together() -> None:
    made = snapshot(gpu_hosts(1), shares(100, 200, 100))
    asked = made.content.asked
    assert surveyed(made).waiting(asked, list(asked)) == [("vm0-100", "vm2-100"), ("vm1-200",)]


@pytest.mark.parametrize(
    ("rule", "ties"),
    [
        ({"kind": "apart", "vms": ["vm0-100", "vm1-200"]}, False),
        ({"kind": "apart", "vms": ["vm0-100", "vm1-200"], "by": "rack"}, True),
        ({"kind": "together", "vms": ["vm0-100", "vm1-200"]}, True),
        ({"kind": "together", "vms": ["old"]}, False),  # nobody who is to be started
        ({"kind": "limit", "most_vms": 3}, False),
        ({"kind": "limit", "most_hosts": 3}, True),
    ],
)
def test_rules_that_look_beyond_one_host_are_known(rule: dict[str, Any], ties: bool) -> None:
    hosts = gpu_hosts(2, labels={"rack": "r1"})
    made = snapshot(hosts, [*shares(100, 200), {"name": "old", "host": "h0"}], [rule])
    rules = shipped_decision("power_on").rules_of(made.rules)
    found = tying(rules, [made.content.vms[name] for name in made.content.asked])
    assert [one.kind for one in found] == ([rule["kind"]] if ties else [])
