"""First answers keep every rule, and put what is alike where it is alike."""

from __future__ import annotations

import pytest

from placer.judge.check import broken, worse
from placer.solve.start import FITS, Fit, Start
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import gpu_hosts, shares, snapshot


def started(made: Snapshot, fit: Fit = FITS[0]) -> Start:
    cluster = made.content
    rules = shipped_decision("power_on").rules_of(made.rules)
    survey, scene = Survey(cluster, rules, ()), Scene.now(cluster)
    before = broken(scene, rules)
    start = Start(scene, survey, rules, [host.name for host in made.hosts if host.state == "up"])
    start.fill(survey.waiting(cluster.asked, list(cluster.asked)), fit, lambda: False)
    assert worse(rules, before, broken(start.scene, rules)) == []
    return start


@pytest.mark.parametrize("fit", FITS)
def test_hosts_alike_are_filled_alike(fit: Fit) -> None:
    made = snapshot(gpu_hosts(3), [{"name": f"v{i}", "gpus": [{"milli": 500}]} for i in range(12)])
    stands = started(made, fit).stands
    assert sorted(stand.vm for stand in stands) == sorted(vm.name for vm in made.vms)
    holds = {host: sorted(h.gpu for s in stands if s.host == host for h in s.holds) for host in ("h0", "h1", "h2")}
    assert set(map(tuple, holds.values())) == {("0", "0", "1", "1")}


def test_vms_that_must_be_apart_are_put_apart() -> None:
    hosts = [{**host, "labels": {"rack": f"r{i // 2}"}} for i, host in enumerate(gpu_hosts(4))]
    made = snapshot(hosts, shares(100, 100, 100), [{"kind": "apart", "vm_labels": {}, "by": "rack"}])
    stands = started(made).stands
    racks = {"h0": "r0", "h1": "r0", "h2": "r1", "h3": "r1"}
    assert sorted(racks[stand.host] for stand in stands) == ["r0", "r1"]


def test_host_in_maintenance_is_left_out() -> None:
    made = snapshot([*gpu_hosts(1, state="maintenance"), {"name": "b"}], [{"name": "v"}])
    assert [stand.host for stand in started(made).stands] == ["b"]


def test_gpus_keep_their_place_when_an_answer_is_carried_to_a_host_alike() -> None:
    hosts = [
        {"name": name, "gpus": [{"id": f"{name}-{i}", "model": "T4", "sharing": "fraction"} for i in range(2)]}
        for name in ("a", "b")
    ]
    made = snapshot(hosts, [{"name": f"v{i}", "gpus": [{"count": 2, "models": ["T4"]}]} for i in range(2)])
    holds = {stand.host: [hold.gpu for hold in stand.holds] for stand in started(made).stands}
    assert holds == {"a": ["a-0", "a-1"], "b": ["b-0", "b-1"]}
