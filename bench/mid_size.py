"""Four seeded mid-size clusters of the flavours that users run, as snapshot documents.

They are shipped as `fixtures/cluster/<name>/snapshot.json`. They are made up, not taken from anybody; hosts, boards and
profiles are such as vendors sell and name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.yard import Json, Yard

GIB = 1024
MOVABLE = {"live_migrate": True, "suspend": True}


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


MID_SIZE: Mapping[str, Callable[[int], Json]] = {
    "ahv-m60": ahv_m60,
    "vsphere-vdi": vsphere_vdi,
    "h100-mig": h100_mig,
    "l40s-mixed": l40s_mixed,
}
