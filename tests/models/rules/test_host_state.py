"""Rule `host-state`: hosts that are not up take nobody."""

from __future__ import annotations

from tests.asked import Asked
from tests.build import host, off, on, values

HOSTS = [host("up"), host("away", state="maintenance"), host("lost", state="disconnected")]


def test_a_vm_starts_on_a_host_that_is_up_and_not_in_maintenance() -> None:
    asked = Asked(values(HOSTS, [off("a")]), "host-state")
    assert asked.why_not("a", "up") is None
    assert asked.why_not("a", "away") == "in maintenance"
    assert asked.why_not("a", "lost") == "disconnected"


def test_who_stands_there_already_is_said_one_by_one() -> None:
    asked = Asked(values(HOSTS, [on("a", "away"), on("b", "away"), on("c", "up")]), "host-state")
    assert asked.breaches == {"away: is in maintenance and has a": 1, "away: is in maintenance and has b": 1}


def test_nobody_is_admitted_there() -> None:
    asked = Asked(values(HOSTS, [off("a")]), "host-state")
    vm, hosts = asked.cluster.vms["a"], asked.cluster.hosts.values()
    assert [host.name for host in hosts if asked.rule.admits(asked.cluster, vm, host)] == ["up"]
