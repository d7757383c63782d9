"""Seeded clusters of the flavours that users run, as snapshot documents: four mid-size, and synthetic ones of any size.

The four are shipped as `fixtures/cluster/<name>/snapshot.json`. They are made up, not taken from anybody; hosts, boards
and profiles are such as vendors sell and name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.yard import Json, Yard

GIB = 1024
MOVABLE = {"live_migrate": True, "suspend": True}


# --- four mid-size clusters ----------------------------------------------------------------------------------------


def ahv_m60(seed: int = 1) -> Json:
    """AHV, 12 hosts with M60 (graphics and compute mode) and M10 boards, all passed through; one host in maintenance.

    Its GPU VMs cannot move. The CAD licence ties some to labelled hosts, and the ready queue asks for more compute-mode
    GPUs than any one host has free.
    """
    yard = Yard("ahv-m60", {"kind": "ahv"}, seed)
    for number in range(1, 13):
        name, labels = f"ahv{number:02}", {"rack": f"r{(number - 1) // 4 + 1}"}
        own = {"cpu_ratio": 4, "reserved_cpus": 4, "reserved_memory_mib": 32 * GIB}
        if number <= 8:
            modes = ("graphics",) * 2 if number <= 4 else ("graphics", "compute") if number == 5 else ("compute",) * 2
            gpus = [
                {"model": "Tesla M60", "mode": mode, "board": f"{board}", "sharing": "passthrough"}
                for board, mode in enumerate(modes, 1)
                for _ in range(2)
            ]
            labels |= {"licence": "cad"} if number <= 3 else {}
            yard.host(name, 40, 512, gpus, labels=labels, **own, **({"state": "maintenance"} if number == 7 else {}))
        else:
            gpus = [
                {"model": "Tesla M10", "board": f"{board}", "sharing": "passthrough"}
                for board in (1, 2)
                for _ in range(4)
            ]
            yard.host(name, 32, 384, gpus, labels=labels, **own)
    hosts = [f"ahv{number:02}" for number in range(1, 13)]
    graphics = {"models": ["Tesla M60"], "mode": "graphics"}
    compute = {"models": ["Tesla M60"], "mode": "compute"}
    fleet = [
        *_several("cad", 14, 8, 48, [{**graphics, "count": 1}], labels={"app": "cad"}),
        *_several("viz", 4, 12, 64, [{**graphics, "count": 2}]),
        *_several("render", 10, 8, 32, [{**compute, "count": 2}], may={"power_cycle": True}),
        *_several("train", 3, 16, 128, [{**compute, "count": 4}], may={"power_cycle": True}),
        *_several("kiosk", 34, 4, 12, [{"models": ["Tesla M10"], "count": 1}], may={"power_cycle": True}),
        *_several("office", 36, 2, 8, may={"live_migrate": True}),
        *_several("dc", 3, 4, 16, labels={"app": "dc"}, may={"live_migrate": True, "restart": True}),
    ]
    yard.chance.shuffle(fleet)
    for vm in fleet:
        among = hosts[:3] if vm["name"].startswith("cad") else yard.chance.sample(hosts, len(hosts))
        if vm["name"].startswith("dc"):
            among = hosts[3 * int(vm["name"][-1]) :]
        if yard.chance.random() < 0.15 or not yard.start(vm, among):
            yard.ask(vm, priority=10 if vm["name"].startswith(("dc", "cad")) else 0)
    yard.rule("affinity", vm_labels={"app": "cad"}, host_labels={"licence": "cad"}, strength="must")
    yard.rule("apart", vm_labels={"app": "dc"}, by="host", strength="must")
    yard.rule("apart", vm_labels={"app": "dc"}, by="rack", strength="should")
    return yard.document


def vsphere_vdi(seed: int = 1) -> Json:
    """vSphere, 16 hosts for some 300 desktops: ten with two M60 boards, six with four T4, all in same-size sharing.

    An M60 takes one vGPU type at a time, a T4 one size. Who went home left holes; the morning's queue wants others.
    """
    yard = Yard("vsphere-vdi", {"kind": "vsphere", "version": "8.0.3"}, seed)
    share = {"ecc": False, "sharing": "same-size", "may_share": ["passthrough", "same-size"]}
    for number in range(1, 17):
        gpus = (
            [{"model": "Tesla M60", "board": f"{board}", **share} for board in (1, 2) for _ in range(2)]
            if number <= 10
            else [{"model": "Tesla T4", "numa_node": index // 2, **share} for index in range(4)]
        )
        own = {"cpu_ratio": 6, "reserved_cpus": 4, "reserved_memory_mib": 48 * GIB, "vgpu_manager": "550.90.05"}
        yard.host(f"esx{number:02}", 48, 768, gpus, labels={"rack": f"r{(number + 3) // 4}"}, **own)
    hosts = [f"esx{number:02}" for number in range(1, 17)]
    infra = {"live_migrate": True, "restart": True}
    for vm in [
        *_several("vcenter", 1, 8, 28, labels={"role": "vcenter"}, may=infra),
        *_several("dc", 2, 4, 16, labels={"role": "dc"}, may=infra),
        *_several("broker", 3, 4, 16, labels={"role": "broker"}, may=infra),
    ]:
        yard.start(vm, hosts[5 * (int(vm["name"][-1]) - 1) :])
    fleet = [
        *_several("desk", 150, 4, 8, [{"profile": "M60-1Q"}], may=MOVABLE),
        *_several("power", 50, 6, 16, [{"profile": "M60-2Q"}], may=MOVABLE),
        *_several("cad", 8, 8, 32, [{"profile": "M60-8Q"}], may=MOVABLE),
        *_several("knowledge", 110, 4, 8, [{"profile": "T4-1Q"}], may=MOVABLE),
        *_several("designer", 44, 6, 16, [{"profile": "T4-2Q"}], may=MOVABLE),
    ]
    yard.chance.shuffle(fleet)
    waiting = [vm for vm in fleet if yard.chance.random() < 0.08 or not yard.start(vm, yard.chance.sample(hosts, 16))]
    yard.stop_some(0.12)
    for vm in waiting:
        yard.ask(vm, priority=5 if vm["name"].startswith("cad") else 0)
    for vm in _several("designer-new", 6, 8, 32, [{"profile": "T4-4Q"}], may=MOVABLE):
        yard.ask(vm)
    yard.rule("apart", vm_labels={"role": "dc"}, by="rack", strength="must")
    yard.rule("apart", vm_labels={"role": "broker"}, by="host", strength="must")
    return yard.document


def h100_mig(seed: int = 1) -> Json:
    """KVM, 8 hosts with 8 H100 each, divided by MIG; instances stand where they happened to be made.

    Two hosts are empty and may leave MIG: the queue asks for instances, and for whole GPUs by twos and fours.
    """
    yard = Yard("h100-mig", {"kind": "kvm"}, seed, scatter=True)
    for number in range(1, 9):
        may_share = {"may_share": ["mig", "passthrough"]} if number > 6 else {}
        gpus = [
            {"model": "H100XM", "numa_node": index // 4, "ecc": True, "sharing": "mig", **may_share}
            for index in range(8)
        ]
        own = {"reserved_cpus": 8, "reserved_memory_mib": 64 * GIB, "vgpu_manager": "550.90.05"}
        yard.host(f"hgx{number}", 224, 2048, gpus, labels={"rack": f"r{(number + 1) // 2}"}, **own)
    hosts = [f"hgx{number}" for number in range(1, 9)]
    fleet = [
        *_several("notebook", 150, 4, 24, [{"profile": "1g.10gb"}], may={"power_cycle": True}),
        *_several("infer", 60, 8, 48, [{"profile": "2g.20gb"}], may={"power_cycle": True, "restart": True}),
        *_several("tune", 34, 16, 96, [{"profile": "3g.40gb"}]),
    ]
    yard.chance.shuffle(fleet)
    waiting = [
        vm for vm in fleet if yard.chance.random() < 0.06 or not yard.start(vm, yard.chance.sample(hosts[:6], 6))
    ]
    yard.stop_some(0.2)
    waiting += [
        *_several("serve", 6, 24, 160, [{"profile": "4g.40gb"}]),
        *_several("train", 3, 64, 640, [{"models": ["H100XM"], "count": 4}]),
        *_several("debug", 2, 32, 320, [{"models": ["H100XM"], "count": 2}]),
    ]
    for vm in waiting:
        yard.ask(vm, priority=10 if vm["name"].startswith("train") else 0)
    return yard.document


def l40s_mixed(seed: int = 1) -> Json:
    """KVM, 10 hosts with 4 L40S in mixed-size sharing; running vGPUs have any of their legal placement ids."""
    yard = Yard("l40s-mixed", {"kind": "kvm"}, seed, scatter=True)
    for number in range(1, 11):
        share = {"ecc": True, "sharing": "mixed-size", "may_share": ["mixed-size", "same-size", "passthrough"]}
        gpus = [{"model": "L40S", "numa_node": index // 2, **share} for index in range(4)]
        own = {"cpu_ratio": 2, "reserved_cpus": 4, "reserved_memory_mib": 32 * GIB, "vgpu_manager": "550.90.05"}
        yard.host(f"kvm{number:02}", 64, 1024, gpus, labels={"rack": f"r{(number + 4) // 5}"}, **own)
    hosts = [f"kvm{number:02}" for number in range(1, 11)]
    fleet = [
        *_several("desk", 70, 4, 16, [{"profile": "L40S-4Q"}], may=MOVABLE),
        *_several("artist", 36, 8, 32, [{"profile": "L40S-8Q"}], may=MOVABLE),
        *_several("model", 20, 8, 48, [{"profile": "L40S-12C"}], may=MOVABLE),
        *_several("render", 12, 12, 64, [{"profile": "L40S-16Q"}], may=MOVABLE),
        *_several("infer", 9, 16, 96, [{"profile": "L40S-24C"}], may={"suspend": True}),
        *_several("api", 3, 16, 96, [{"profile": "L40S-24C"}], labels={"app": "api"}, may={"suspend": True}),
    ]
    yard.chance.shuffle(fleet)
    waiting = [vm for vm in fleet if yard.chance.random() < 0.06 or not yard.start(vm, yard.chance.sample(hosts, 10))]
    yard.stop_some(0.2)
    waiting += _several("twin", 3, 24, 192, [{"profile": "L40S-48C", "count": 2}])
    for vm in waiting:
        yard.ask(vm, priority=5 if vm["name"].startswith("twin") else 0)
    yard.rule("apart", vm_labels={"app": "api"}, by="host", strength="should")
    return yard.document


def _several(
    word: str, count: int, cpus: float, memory_gib: int, gpus: Sequence[Json] = (), **more: Mapping[str, object]
) -> list[Json]:
    """So many VMs that are alike: word-01, word-02 ..."""
    width = max(2, len(str(count)))
    return [
        {"name": f"{word}-{number:0{width}}", "cpus": cpus, "memory_mib": memory_gib * GIB, "gpus": list(gpus), **more}
        for number in range(1, count + 1)
    ]


# --- synthetic clusters of any size ----------------------------------------------------------------------------------


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


MID_SIZE: Mapping[str, Callable[[int], Json]] = {
    "ahv-m60": ahv_m60,
    "vsphere-vdi": vsphere_vdi,
    "h100-mig": h100_mig,
    "l40s-mixed": l40s_mixed,
}
