"""A yard in which a cluster is put together: hosts are set up, VMs started where they legally fit, the rest asked for.

Slots come from the catalogue of GPU models, so what runs in a generated snapshot is legal in the same words as what
placer proposes. All chance comes from one seeded generator: same seed, same document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from placer_models.gpus import Catalogue, Use, free_slots

Json = dict[str, Any]
Seats = list[list[Json]]

TAKEN_AT = "2026-11-20T18:00:00Z"


@dataclass
class _Room:
    """What a host has left, and what each of its GPUs holds."""

    host: Json
    cpu_milli: int
    memory_mib: int
    held: dict[str, list[tuple[Use, int | None]]] = field(default_factory=dict)


class Yard:
    """A cluster in the making.

    `scatter` starts profiles at any legal slot, as years of coming and going leave them; else each takes the first.
    """

    def __init__(self, name: str, platform: Json, seed: int, *, scatter: bool = False) -> None:
        self.chance = Random(seed)
        self.scatter = scatter
        self.document: Json = {
            "format": "placer.snapshot/1",
            "cluster": name,
            "taken_at": TAKEN_AT,
            "platform": platform,
            "notes": f"Generated with seed {seed}: no real cluster.",
            "hosts": [],
            "vms": [],
            "rules": [],
            "requests": [],
        }
        self._rooms: dict[str, _Room] = {}
        self._catalogue = Catalogue.shipped()
        self._uses: dict[tuple[Any, ...], Use | None] = {}

    def host(self, name: str, cpus: float, memory_gib: int, gpus: Sequence[Json] = (), **more: Any) -> None:
        """Set up a host; a GPU needs no id (it gets a PCI address)."""
        host = {"name": name, **more, "cpus": cpus, "memory_mib": memory_gib * 1024, "gpus": _addressed(gpus)}
        self.document["hosts"].append(host)
        ratio, reserved = more.get("cpu_ratio", 1), more.get("reserved_cpus", 0)
        self._rooms[name] = _Room(
            host,
            round((cpus - reserved) * ratio * 1000),
            host["memory_mib"] - more.get("reserved_memory_mib", 0),
            {gpu["id"]: [] for gpu in host["gpus"]},
        )

    def rule(self, kind: str, **more: Any) -> None:
        """Add a rule."""
        self.document["rules"].append({"kind": kind, **more})

    def start(self, vm: Json, hosts: Iterable[str]) -> bool:
        """Start the VM on the first of these hosts (each of them up) that has room for it; whether one had."""
        milli = round(vm["cpus"] * 1000)
        for name in hosts:
            room = self._rooms[name]
            if room.cpu_milli < milli or room.memory_mib < vm["memory_mib"] or room.host.get("state", "up") != "up":
                continue
            seats = self._seats(room, vm.get("gpus", []))
            if seats is None:
                continue
            room.cpu_milli -= milli
            room.memory_mib -= vm["memory_mib"]
            asks = [{**ask, "at": at} for ask, at in zip(vm.get("gpus", []), seats, strict=True)]
            self._add({**vm, "power": "on", "host": name, "gpus": asks})
            return True
        return False

    def ask(self, vm: Json, priority: int = 0) -> None:
        """Leave the VM off and ask for it."""
        self._add({**vm, "power": "off"})
        self.document["requests"].append({"kind": "power-on", "vm": vm["name"], "priority": priority})

    def stop_some(self, share: float) -> None:
        """Take away this share of what runs, at random: the holes that a cluster in use has."""
        vms = self.document["vms"]
        running = [vm["name"] for vm in vms if vm["power"] == "on" and vm.get("gpus")]
        gone = set(self.chance.sample(running, round(share * len(running))))
        self.document["vms"] = [vm for vm in vms if vm["name"] not in gone]

    def _add(self, vm: Json) -> None:
        first = {"name": vm["name"], "power": vm["power"], **({"host": vm["host"]} if "host" in vm else {})}
        if not vm.get("gpus"):
            vm = {key: value for key, value in vm.items() if key != "gpus"}
        self.document["vms"].append({**first, **vm})

    def _seats(self, room: _Room, asks: Sequence[Json]) -> Seats | None:
        """Seats for every ask on this host, taken at once; none taken where one ask finds none."""
        taken: list[str] = []
        seats: Seats = []
        for ask in asks:
            found = self._seat(room, ask, taken)
            seats.append(found)
            if len(found) < ask.get("count", 1):
                for gpu in taken:
                    room.held[gpu].pop()
                return None
        return seats

    def _seat(self, room: _Room, ask: Json, taken: list[str]) -> list[Json]:
        found: list[Json] = []
        for gpu in room.host["gpus"]:
            if len(found) == ask.get("count", 1):
                break
            use, row = self._use(ask, gpu)
            if use is None:
                continue
            slots = free_slots(use, row, room.held[gpu["id"]])
            if not slots:
                continue
            slot = self.chance.choice(slots) if self.scatter else slots[0]
            room.held[gpu["id"]].append((use, slot))
            taken.append(gpu["id"])
            found.append({"gpu": gpu["id"]} if slot is None else {"gpu": gpu["id"], "slot": slot})
        return found

    def _use(self, ask: Json, gpu: Json) -> tuple[Use | None, int]:
        model = self._catalogue.find(gpu["model"])
        key = (gpu["model"], gpu["sharing"], ask.get("profile"), ask.get("milli"))
        if key not in self._uses:
            self._uses[key] = model.use(gpu["sharing"], profile=ask.get("profile"), milli=ask.get("milli"))
        mode = gpu.get("mode", "graphics")
        fits = gpu["model"] in ask.get("models", [gpu["model"]]) and ask.get("mode", mode) == mode
        return self._uses[key] if fits else None, model.row_units(gpu["sharing"])


def _addressed(gpus: Sequence[Json]) -> list[Json]:
    """GPUs with PCI addresses for ids."""
    return [{"id": f"0000:{0x17 + 0x11 * index:02x}:00.0", **gpu} for index, gpu in enumerate(gpus)]
