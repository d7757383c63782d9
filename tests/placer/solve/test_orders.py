"""In which order first answers are made: urgent VMs first, then by what they ask for; those alike stay together."""

from __future__ import annotations

from placer.solve.orders import Order, Orders
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from tests.placer.solve.small import gpu_hosts, shares, snapshot

VMS = [*shares(300, 700, 300, 300), {"name": "wide", "cpus": 8, "gpus": [{"milli": 300}]}, {"name": "urgent"}]


def orders() -> Orders:
    requests = [{"kind": "power-on", "vm": vm["name"], "priority": 10 if vm["name"] == "urgent" else 0} for vm in VMS]
    made = snapshot(gpu_hosts(1), VMS, requests=requests)
    decision, cluster = shipped_decision("power_on"), made.content
    return Orders(Survey(cluster, decision.rules_of(()), decision.goals_of(cluster)))


def firsts(order: Order) -> list[str]:
    return [names[0] for names in order]


def test_vms_alike_are_one_group() -> None:
    assert ("vm0-300", "vm2-300", "vm3-300") in orders().waiting


def test_urgent_vms_come_first_however_small() -> None:
    one = orders()
    assert firsts(one.biggest()) == ["urgent", "vm1-700", "wide", "vm0-300"]
    assert firsts(one.lightest()) == ["urgent", "vm1-700", "vm0-300", "wide"]
    assert firsts(one.smallest()) == ["urgent", "vm0-300", "wide", "vm1-700"]


def test_unless_priority_is_not_to_count() -> None:
    assert firsts(orders().lightest(ranked=False)) == ["vm1-700", "vm0-300", "wide", "urgent"]
