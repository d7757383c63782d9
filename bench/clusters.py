"""Seeded clusters of any size, as snapshot documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.yard import Json, Yard

GIB = 1024


@dataclass(frozen=True)
class _HostClass:
    """A class of hosts: `weight` of so many, with `count` GPUs of one model in one sharing, asked for by `profiles`."""

    word: str
    weight: int
    cpus: int
    memory_gib: int
    model: str
    count: int
    sharing: str
    profiles: tuple[str, ...] = ()


A40 = _HostClass("a40", 5, 64, 512, "A40", 4, "same-size", ("A40-4Q", "A40-8Q", "A40-12Q", "A40-24Q", "A40-48Q"))
L40S = _HostClass(
    "l40s", 2, 96, 768, "L40S", 4, "mixed-size", ("L40S-4Q", "L40S-8Q", "L40S-12Q", "L40S-24Q", "L40S-48Q")
)
H100 = _HostClass("h100", 2, 128, 1024, "H100XM", 4, "mig", ("1g.10gb", "2g.20gb", "3g.40gb") * 3 + ("7g.80gb",))
T4 = _HostClass("t4", 3, 48, 384, "T4", 4, "fraction")
V100 = _HostClass("v100", 2, 64, 512, "V100M32", 4, "passthrough")


@dataclass(frozen=True)
class Kind:
    """A kind of synthetic cluster: its host classes, the share of VMs that already run, how finely asks differ, and
    whether rules tie some VMs to hosts and to each other.
    """

    says: str
    classes: tuple[_HostClass, ...]
    running: float
    fine: bool = False
    ruled: bool = False


KINDS: Mapping[str, Kind] = {
    "loaded": Kind("three classes of hosts, four fifths of the VMs run", (A40, L40S, T4), 0.8),
    "ruled": Kind(
        "three classes of hosts, four fifths of the VMs run; some are tied to racks, some are to be apart",
        (A40, L40S, T4),
        0.8,
        ruled=True,
    ),
    "storm": Kind("identical empty hosts, all VMs are asked for at once", (A40,), 0.0),
    "diverse": Kind(
        "five classes of hosts, hardly two VMs alike, half of them run", (A40, L40S, H100, T4, V100), 0.5, True
    ),
    "over-subscribed": Kind(
        "three classes of hosts, half of the VMs run; meant for 15 VMs a host", (A40, L40S, T4), 0.5
    ),
    "shared": Kind(
        "GPUs shared by thousandths or given whole, which all peers know; half of the VMs run", (T4, V100), 0.5
    ),
}


def synthetic(hosts: int, vms: int, seed: int = 1, kind: str = "loaded") -> Json:
    """A cluster of so many hosts and VMs; `kind` is one of `KINDS`. VMs that find no room to run in are asked for."""
    about = KINDS[kind]
    yard = Yard(f"{kind}-{hosts}-{vms}", {"kind": "kvm"}, seed)
    by_class = _set_up(yard, about.classes, hosts)
    weights = [one.weight for one in about.classes]
    for number in range(vms):
        one = yard.chance.choices(about.classes, weights)[0]
        vm = {"name": f"vm-{number:0{len(str(vms))}}", **_wish(yard, one, about.fine)}
        names = by_class[one.word]
        few = [yard.chance.choice(names) for _ in range(8)] if names else []
        if yard.chance.random() >= about.running or not yard.start(vm, few):
            yard.ask(vm, priority=0 if number % 10 else 10)
    if about.ruled:
        _tie(yard)
    return yard.document


def _tie(yard: Yard) -> None:
    """Rules for some of the VMs that are asked for: licences for every other rack, and threes that are to be apart."""
    asked = [request["vm"] for request in yard.document["requests"]]
    chosen = yard.chance.sample(asked, min(len(asked), max(6, len(asked) // 10)))
    racks = sorted({host["labels"]["rack"] for host in yard.document["hosts"]})
    half = len(chosen) // 2
    yard.rule("affinity", vms=sorted(chosen[:half]), host_labels={"rack": racks[0]}, strength="must-not")
    for first in range(half, len(chosen) - 2, 3):
        yard.rule("apart", vms=sorted(chosen[first : first + 3]), by="host" if first % 2 else "rack", strength="must")


def _set_up(yard: Yard, classes: Sequence[_HostClass], hosts: int) -> Mapping[str, list[str]]:
    by_class: dict[str, list[str]] = {one.word: [] for one in classes}
    turns = [one for one in classes for _ in range(one.weight)]
    for number in range(hosts):
        one = turns[number * len(turns) // hosts]
        name = f"{one.word}-{number:0{len(str(hosts))}}"
        gpus = [{"model": one.model, "sharing": one.sharing} for _ in range(one.count)]
        yard.host(name, one.cpus, one.memory_gib, gpus, labels={"rack": f"r{number // 16}"})
        by_class[one.word].append(name)
    return by_class


def _wish(yard: Yard, one: _HostClass, fine: bool) -> Json:
    """What a VM for this class of hosts asks for.

    On average a twelfth of a host's CPUs and memory and a third of a GPU: at ten VMs a host some four fifths of the
    CPUs and nine tenths of the GPUs are asked for, and proportionally more with more VMs.
    """
    chance = yard.chance
    part = chance.uniform(0.03, 0.13) if fine else chance.choice((1 / 24, 1 / 16, 1 / 12, 1 / 8))
    memory = one.memory_gib * part * chance.choice((0.75, 1, 1.25))
    gpus: list[Json] = []
    if one.sharing == "passthrough":
        gpus = [{"models": [one.model], "count": 1}] if chance.random() < 0.36 else []
    elif chance.random() < 0.1:
        gpus = []
    elif one.profiles:
        gpus = [{"profile": chance.choice(one.profiles)}]
    elif chance.random() < 0.05:
        gpus = [{"models": [one.model], "count": 1}]
    else:
        milli = 10 * chance.randint(5, 70) if fine else chance.choice((110, 250, 460, 500))
        gpus = [{"models": [one.model], "milli": milli}]
    return {
        "cpus": max(1, round(one.cpus * part)),
        "memory_mib": max(1, round(memory)) * GIB,
        "gpus": gpus,
        "may": {"live_migrate": one.sharing != "passthrough"},
    }
