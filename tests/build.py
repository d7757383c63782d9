"""Small clusters for stories: each function gives the values of one part of a snapshot."""

from __future__ import annotations

from typing import Any

from placer_models.gpus import Catalogue
from placer_models.snapshot import Snapshot

Json = dict[str, Any]
GIB = 1024


def gpu(model: str = "Tesla M60", sharing: str = "passthrough", **more: Any) -> Json:
    """A GPU; its host numbers it."""
    return {"model": model, "sharing": sharing, **more}


def host(name: str, *gpus: Json, cpus: float = 64, memory_gib: int = 256, **more: Any) -> Json:
    """A host with GPUs g0, g1, ..."""
    numbered = [{"id": f"g{i}", **one} for i, one in enumerate(gpus)]
    return {"name": name, "cpus": cpus, "memory_mib": memory_gib * GIB, "gpus": numbered, **more}


def off(name: str, *asks: Json, cpus: float = 4, memory_gib: int = 8, **more: Any) -> Json:
    """A VM that is off."""
    return {"name": name, "power": "off", "cpus": cpus, "memory_mib": memory_gib * GIB, "gpus": list(asks), **more}


def on(name: str, where: str, *asks: Json, cpus: float = 4, memory_gib: int = 8, **more: Any) -> Json:
    """A VM that runs on a host; each ask says where it is held."""
    return {**off(name, *asks, cpus=cpus, memory_gib=memory_gib, **more), "power": "on", "host": where}


def whole(model: str = "Tesla M60", *held: str, count: int = 1, **more: Any) -> Json:
    """An ask for whole GPUs, held where it says."""
    return {"models": [model], "count": count, **({"at": [{"gpu": one} for one in held]} if held else {}), **more}


def profile(name: str, held: str | None = None, slot: int | None = None, **more: Any) -> Json:
    """An ask for a vGPU or MIG profile, held where it says."""
    seat = {"gpu": held, **({} if slot is None else {"slot": slot})}
    return {"profile": name, **({"at": [seat]} if held else {}), **more}


def values(
    hosts: list[Json], vms: list[Json], *, rules: list[Json] | None = None, kind: str = "kvm", **more: Any
) -> Json:
    """A snapshot document that asks for every VM that is off, but for those with the label `idle`."""
    asked = [vm for vm in vms if vm["power"] != "on" and "idle" not in vm.get("labels", {})]
    return {
        "format": "placer.snapshot/1",
        "cluster": "small",
        "taken_at": "2026-11-20T18:00:00Z",
        "platform": {"kind": kind},
        "hosts": hosts,
        "vms": vms,
        "rules": rules or [],
        "requests": [{"kind": "power-on", "vm": vm["name"]} for vm in asked],
        **more,
    }


def snapshot(
    hosts: list[Json],
    vms: list[Json],
    *,
    rules: list[Json] | None = None,
    kind: str = "kvm",
    catalogue: Catalogue | None = None,
    **more: Any,
) -> Snapshot:
    """The snapshot that they make up."""
    return Snapshot.of(values(hosts, vms, rules=rules, kind=kind, **more), "small", catalogue)
