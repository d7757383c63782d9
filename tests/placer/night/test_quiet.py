"""Rules that hold at rest hold between the steps of a night, too."""

from __future__ import annotations

from typing import Any

from placer_models.plan import Plan
from tests.placer.test_consolidate import host, night


def server(name: str, at: str, cpus: int) -> dict[str, Any]:
    may = {"live_migrate": True}
    return {"name": name, "power": "on", "host": at, "cpus": cpus, "memory_mib": 1024, "may": may}


def changed_over(**early: str) -> Plan:
    """Where only `early` is in the way: esx01 may have one VM, and esx03 is too small for `late`."""
    hosts = [host("esx01"), host("esx02"), host("esx03", cpus=4)]
    vms = [server("early", "esx01", 2) | early, server("late", "esx02", 8)]
    return night(hosts, vms, [], [{"kind": "limit", "most_vms": 1, "hosts": ["esx01"]}], free=["esx02"])[1]


def test_who_makes_room_does_not_come_back_early_to_one_vm_too_many() -> None:
    assert [one.host for one in changed_over().freed] == ["esx02"]
    plan = changed_over(ready_by="2026-11-21T03:00:00+01:00")
    assert plan.freed == ()
    assert plan.steps == ()
