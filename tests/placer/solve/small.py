"""Small clusters for the tests of the search, and the ways to force a search on them that only large ones get."""

from __future__ import annotations

from typing import Any

import pytest

from placer.solve import engine
from placer_models.decision import Decision, shipped_decision
from placer_models.snapshot import Snapshot

Values = dict[str, Any]


def snapshot(hosts: list[Values], vms: list[Values], rules: list[Values] | None = None, **more: Any) -> Snapshot:
    """Hosts with 16 CPUs, VMs with one, unless it is said; VMs without a host are asked for."""
    made = [
        {"power": "on" if "host" in vm else "off", "cpus": 1, "memory_mib": 1024, "may": {"live_migrate": True}, **vm}
        for vm in vms
    ]
    return Snapshot.of(
        {
            "format": "placer.snapshot/1",
            "cluster": "lab",
            "taken_at": "2026-11-23T06:30:00Z",
            "hosts": [{"cpus": 16, "memory_mib": 65536, **host} for host in hosts],
            "vms": made,
            "rules": rules or [],
            "requests": [{"kind": "power-on", "vm": vm["name"]} for vm in made if vm["power"] == "off"],
            **more,
        }
    )


def gpu_hosts(count: int, gpus: int = 2, **more: Any) -> list[Values]:
    """Hosts that are alike, with T4s shared by thousandths."""
    return [
        {"name": f"h{i}", "gpus": [{"id": str(g), "model": "T4", "sharing": "fraction"} for g in range(gpus)], **more}
        for i in range(count)
    ]


def shares(*milli: int, cpus: float = 1) -> list[Values]:
    """VMs that ask for a share of a GPU each."""
    return [{"name": f"vm{i}-{m}", "cpus": cpus, "gpus": [{"milli": m}]} for i, m in enumerate(milli)]


def deciding(name: str = "gpu_allocation", seconds: float = 60, **more: Any) -> Decision:
    """A shipped decision with another time limit."""
    decision = shipped_decision(name)
    search = decision.search.model_copy(update={"time_limit_seconds": seconds})
    return decision.model_copy(update={"search": search, **more})


def never_whole(patch: pytest.MonkeyPatch) -> None:
    """No cluster is small enough for one board."""
    patch.setattr(engine, "MOST_UNKNOWNS", -1)
    patch.setattr(engine, "FEW_UNKNOWNS", -1)
