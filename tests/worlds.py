"""Tiny worlds for the agreement test, by the rule (or the GPU sharing, or the goal) that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.agreement import World

Values = dict[str, Any]
KVM = {"kind": "kvm"}


def host(name: str, *gpus: Values, cpus: float = 8, memory_mib: int = 8192, **more: Any) -> Values:
    """A host; GPUs are numbered g0, g1 ..."""
    numbered = [{"id": f"g{i}", **gpu} for i, gpu in enumerate(gpus)]
    return {"name": name, "cpus": cpus, "memory_mib": memory_mib, "gpus": numbered, **more}


def vm(name: str, *asks: Values, on: str | None = None, cpus: float = 1, memory_mib: int = 1024, **more: Any) -> Values:
    """A VM that is asked for, or that runs `on` a host and may be moved."""
    place = {"power": "off"} if on is None else {"power": "on", "host": on, "may": {"live_migrate": True}}
    return {"name": name, "cpus": cpus, "memory_mib": memory_mib, "gpus": list(asks), **place, **more}


def gpu(model: str, sharing: str = "passthrough", *others: str, **more: Any) -> Values:
    """A GPU in a sharing, which may be put in others."""
    return {"model": model, "sharing": sharing, **({"may_share": list(others)} if others else {}), **more}


def want(profile: str | None = None, at: str | None = None, **more: Any) -> Values:
    """An ask; `at` says where a running VM has it: "g0" or "g0/4", several with blanks between them."""
    seats = [{"gpu": one.partition("/")[0], **_slot(one)} for one in (at or "").split()]
    return {**({"profile": profile} if profile else {}), **({"at": seats} if at else {}), **more}


def _slot(one: str) -> Values:
    slot = one.partition("/")[2]
    return {"slot": int(slot)} if slot else {}


HALVED = [{"profile": "2g.12gb", "slot": 0}, {"profile": "1g.6gb", "slot": 2}, {"profile": "1g.6gb", "slot": 3}]
"""A MIG layout of an A30 that a site keeps."""

CAPACITY = [
    World(
        "CPUs are given just to the last, over-committed and reserved",
        [host("h1", cpus=2, cpu_ratio=1.5, reserved_cpus=1), host("h2", cpus=2.5)],
        [vm("a", cpus=1), vm("b", cpus=1.5), vm("c", cpus=0.5), vm("d", cpus=0.501)],
        goals=("placed", "balance", "hosts-touched"),
    ),
    World(
        "memory is full at the last MiB",
        [host("h1", memory_mib=4096, reserved_memory_mib=1024), host("h2", memory_mib=2047)],
        [vm("a", memory_mib=2048), vm("b", memory_mib=1024), vm("c", memory_mib=1024), vm("d", memory_mib=1023)],
        goals=("balance",),
    ),
    World(
        "memory is over-committed for VMs without a GPU only",
        [host("h1", gpu("T4", "fraction"), memory_mib=1000, memory_ratio=1.5), host("h2", memory_mib=100)],
        [
            vm("with", want(milli=500), memory_mib=500),
            vm("with-2", want(milli=500), memory_mib=501),
            vm("without", memory_mib=750),
            vm("small", memory_mib=149),
        ],
        goals=("balance",),
    ),
    World(
        "a host that is over-full gets no fuller",
        [host("h1", cpus=2, memory_mib=2048), host("h2", cpus=1)],
        [
            vm("idle", cpus=0, memory_mib=0),
            vm("big", on="h1", cpus=3, memory_mib=2048),
            vm("one", on="h1", cpus=1, memory_mib=1024),
            vm("new", cpus=1, memory_mib=1024),
        ],
        movable=("one",),
        goals=("moves", "placed"),
    ),
    World(
        "a VM too big for its host is no licence for another",
        [host("h1", cpus=2), host("h2", cpus=8)],
        [vm("giant", on="h1", cpus=5), vm("big", cpus=3), vm("fits", cpus=2)],
        movable=("giant",),
    ),
]

HOST_STATE = [
    World(
        "nothing is started on hosts that are not up",
        [host("h1"), host("h2", state="maintenance"), host("h3", state="disconnected")],
        [vm("a"), vm("b"), vm("old", on="h2")],
        goals=("placed", "hosts-touched"),
    ),
    World(
        "who leaves a host in maintenance makes no room for another",
        [host("h1"), host("h2", state="maintenance")],
        [vm("old", on="h2"), vm("older", on="h2"), vm("new"), vm("back", on="h1")],
        movable=("old", "back"),
        goals=("moves",),
    ),
]

RESUME = [
    World(
        "who was suspended with a vGPU resumes on a host like its own",
        [
            host("h1", gpu("T4", "same-size", ecc=True), vgpu_manager="550"),
            host("h2", gpu("T4", "same-size", ecc=True), vgpu_manager="550", cpus=1),
            host("h3", gpu("T4", "same-size", ecc=False), vgpu_manager="550"),
            host("h4", gpu("T4", "same-size", ecc=True), vgpu_manager="570"),
        ],
        [
            vm("a", want("T4-8Q"), power="suspended", host="h1"),
            vm("b", want("T4-8Q"), power="suspended", host="h4", may={"restart": True}),
            vm("c", want("T4-8Q"), power="suspended"),
            vm("plain", power="suspended", host="h1"),
        ],
        [{"kind": "reserve", "hosts": ["h4"]}],
        goals=("placed", "balance"),
    ),
    World(
        "an instance resumes in the layout in which it was, and on a GPU of its model",
        [
            host("h1", gpu("A30", "mig", mig_layout=HALVED), gpu("T4", "same-size")),
            host("h2", gpu("A30", "mig"), gpu("H100 PCIe 80GB", "mig")),
            host("h3", gpu("A30", "mig", mig_layout=HALVED)),
        ],
        [vm("a", want("1g.6gb"), power="suspended", host="h1"), vm("b", want("1g.6gb"), power="suspended", host="h2")],
    ),
]

AFFINITY = [
    World(
        "must by name",
        [host("h1"), host("h2"), host("h3")],
        [vm("a"), vm("b"), vm("c")],
        [{"kind": "affinity", "vms": ["a", "b"], "hosts": ["h1", "h3"]}],
    ),
    World(
        "must not by label",
        [host("h1", labels={"tier": "gold"}), host("h2", labels={"tier": "silver"}), host("h3")],
        [vm("a", labels={"os": "win"}), vm("b", labels={"os": "linux"}), vm("c")],
        [{"kind": "affinity", "vm_labels": {"os": "win"}, "host_labels": {"tier": "gold"}, "strength": "must-not"}],
    ),
    World(
        "should and should not are counted",
        [host("h1", cpus=2), host("h2"), host("h3")],
        [vm("a"), vm("b"), vm("c"), vm("old", on="h2"), vm("older", on="h3")],
        [
            {"kind": "affinity", "vms": ["a", "b", "old"], "hosts": ["h1"], "strength": "should"},
            {"kind": "affinity", "vms": ["c", "older"], "hosts": ["h1", "h3"], "strength": "should-not"},
        ],
        goals=("should",),
    ),
    World(
        "who leaves a wrong host makes no room for another",
        [host("h1", cpus=2), host("h2"), host("h3")],
        [vm("a", on="h2"), vm("b", on="h3"), vm("c")],
        [{"kind": "affinity", "vms": ["a", "b", "c"], "hosts": ["h1"]}],
        movable=("a", "b"),
        goals=("moves",),
    ),
]

APART = [
    World(
        "by host",
        [host("h1"), host("h2"), host("h3", cpus=1)],
        [vm("a"), vm("b"), vm("c"), vm("other")],
        [{"kind": "apart", "vms": ["a", "b", "c"]}],
    ),
    World(
        "by rack, beside one that runs and hosts without a rack",
        [host("h1", labels={"rack": "r1"}), host("h2", labels={"rack": "r1"}), host("h3"), host("h4")],
        [vm("a", on="h2"), vm("b"), vm("c")],
        [{"kind": "apart", "vms": ["a", "b", "c"], "by": "rack"}],
    ),
    World(
        "three that are together already get no fourth",
        [host("h1"), host("h2")],
        [vm("a", on="h1"), vm("b", on="h1"), vm("c", on="h1"), vm("d")],
        [{"kind": "apart"}],
        movable=("a",),
    ),
    World(
        "should, by rack",
        [host("h1", labels={"rack": "r1"}), host("h2", labels={"rack": "r1"}), host("h3", labels={"rack": "r2"})],
        [vm("a", on="h1"), vm("b"), vm("c"), vm("d")],
        [{"kind": "apart", "vms": ["a", "b", "c"], "by": "rack", "strength": "should"}],
        goals=("should", "placed"),
    ),
]

TOGETHER = [
    World(
        "by host",
        [host("h1"), host("h2", cpus=2)],
        [vm("a"), vm("b"), vm("c"), vm("other")],
        [{"kind": "together", "vms": ["a", "b", "c"]}],
    ),
    World(
        "by rack, with one that runs",
        [host("h1", labels={"rack": "r1"}), host("h2", labels={"rack": "r1"}), host("h3", labels={"rack": "r2"})],
        [vm("a", on="h1"), vm("b"), vm("c")],
        [{"kind": "together", "vms": ["a", "b"], "by": "rack"}],
    ),
    World(
        "those that are scattered are scattered no further",
        [host("h1"), host("h2"), host("h3"), host("h4")],
        [vm("a", on="h1"), vm("b", on="h2"), vm("c")],
        [{"kind": "together", "vms": ["a", "b", "c"]}],
        movable=("b",),
        goals=("moves",),
    ),
    World(
        "should",
        [host("h1"), host("h2"), host("h3", cpus=1)],
        [vm("a", on="h3"), vm("b"), vm("c")],
        [{"kind": "together", "strength": "should"}],
        goals=("should",),
    ),
]

LIMIT = [
    World(
        "so many VMs on a host",
        [host("h1"), host("h2", labels={"small": "yes"}), host("h3")],
        [vm("a", labels={"t": "x"}), vm("b", labels={"t": "x"}), vm("c", labels={"t": "x"}), vm("d")],
        [
            {"kind": "limit", "vm_labels": {"t": "x"}, "most_vms": 2},
            {"kind": "limit", "host_labels": {"small": "yes"}, "most_vms": 1},
        ],
    ),
    World(
        "on so many hosts",
        [host("h1"), host("h2"), host("h3")],
        [vm("a", on="h1"), vm("b"), vm("c"), vm("d")],
        [{"kind": "limit", "vms": ["a", "b", "c"], "most_hosts": 2, "hosts": ["h1", "h2", "h3"]}],
    ),
    World(
        "none, and what is over the limit now gets no worse",
        [host("h1"), host("h2"), host("h3")],
        [vm("a", on="h1"), vm("b", on="h1"), vm("c", on="h2"), vm("d")],
        [{"kind": "limit", "most_vms": 1, "most_hosts": 1, "hosts": ["h1", "h2"]}],
        movable=("a", "c"),
        goals=("moves",),
    ),
    World(
        "should",
        [host("h1"), host("h2"), host("h3", cpus=1)],
        [vm("a", on="h1"), vm("b"), vm("c"), vm("d")],
        [{"kind": "limit", "most_vms": 1, "most_hosts": 2, "strength": "should"}],
        goals=("should",),
    ),
]

STAY = [
    World(
        "who stays makes no room",
        [host("h1", cpus=2), host("h2", cpus=2)],
        [vm("a", on="h1"), vm("b", on="h1"), vm("c", on="h2"), vm("d", cpus=2)],
        [{"kind": "stay", "vms": ["a"]}],
        movable=("a", "b", "c"),
        goals=("moves", "hosts-touched"),
    ),
]

AGAIN = {"restart": True, "live_migrate": True}

RESERVE = [
    World(
        "room for the VMs of either of two hosts",
        [host("h1", cpus=3), host("h2", cpus=3), host("h3", cpus=1)],
        [vm("old", on="h1", cpus=2, may=AGAIN), vm("a", may=AGAIN), vm("b", may=AGAIN), vm("c")],
        [{"kind": "reserve"}],
        goals=("placed",),
    ),
    World(
        "what fits only in another order than the biggest first on the first host",
        [host("h1", cpus=8), host("h2", cpus=4), host("h3", cpus=3)],
        [vm("a", on="h1", cpus=3, may=AGAIN), vm("b", on="h1", cpus=2, may=AGAIN), vm("c", cpus=2, may=AGAIN), vm("d")],
        [{"kind": "reserve", "hosts": ["h1"]}],
    ),
    World(
        "what has no failover now has no less afterwards",
        [host("h1", cpus=3), host("h2", cpus=2), host("h3", cpus=1)],
        [
            vm("one", on="h1", cpus=1, may=AGAIN),
            vm("two", on="h1", cpus=2, may=AGAIN),
            vm("a", may=AGAIN),
            vm("b", cpus=2),
        ],
        [{"kind": "reserve", "hosts": ["h1", "h2"]}],
        movable=("one",),
        goals=("moves", "placed"),
    ),
    World(
        "should: as few as can be stay off after a loss",
        [host("h1", cpus=2), host("h2", cpus=3), host("h3", cpus=2)],
        [vm("old", on="h1", cpus=2, may=AGAIN), vm("a", cpus=2, may=AGAIN), vm("b", may=AGAIN), vm("c", cpus=2)],
        [{"kind": "reserve", "strength": "should"}],
        goals=("should",),
    ),
    World(
        "the other rules hold after the loss, the snapshot's breaches apart",
        [host("h1", labels={"rack": "r1"}), host("h2", labels={"rack": "r2"}), host("h3", labels={"rack": "r2"})],
        [
            vm("dc1", on="h1", may=AGAIN),
            vm("dc2", may=AGAIN),
            vm("tied", may=AGAIN),
            vm("guest"),
        ],
        [
            {"kind": "apart", "vms": ["dc1", "dc2"], "by": "rack"},
            {"kind": "affinity", "vms": ["tied"], "hosts": ["h1", "h3"]},
            {"kind": "limit", "hosts": ["h3"], "most_vms": 1},
            {"kind": "limit", "vms": ["dc1", "tied"], "most_hosts": 1},
            {"kind": "together", "vms": ["tied", "guest"]},
            {"kind": "reserve"},
        ],
    ),
    World(
        "a host in maintenance takes nobody, a scattered licence is no worse",
        [host("h1"), host("h2", cpus=1), host("h3", state="maintenance")],
        [vm("a", on="h1", may=AGAIN), vm("b", on="h2", may=AGAIN), vm("c", on="h3", may=AGAIN), vm("d", may=AGAIN)],
        [{"kind": "limit", "most_hosts": 1}, {"kind": "reserve", "vms": ["b", "c", "d"]}],
        movable=("b",),
    ),
]

RESERVE_GPUS = [
    World(
        "failover of whole GPUs, on one board",
        [
            host("h1", *[gpu("Tesla M60", board=board) for board in "1122"]),
            host("h2", *[gpu("Tesla M60", board="1")] * 3),
        ],
        [
            vm("pair", want(count=2, models=["Tesla M60"], at="g0 g1"), on="h1", may=AGAIN, needs={"same_board": True}),
            vm("one", want(models=["Tesla M60"]), may=AGAIN),
            vm("two", want(models=["Tesla M60"])),
        ],
        [{"kind": "reserve"}],
    ),
    World(
        "failover of a pair on one board, which another pair leaves to it",
        [host(name, *[gpu("Tesla M60", board=board) for board in "1123"]) for name in ("h1", "h2")],
        [
            vm("any", want(count=2, models=["Tesla M60"], at="g2 g3"), on="h1", memory_mib=2048, may=AGAIN),
            vm("pair", want(count=2, models=["Tesla M60"]), may=AGAIN, needs={"same_board": True}),
            vm("one", want(models=["Tesla M60"])),
        ],
        [{"kind": "reserve", "hosts": ["h1"]}],
    ),
    World(
        "failover of MIG instances, where positions matter",
        [host("h1", gpu("A30", "mig")), host("h2", gpu("A30", "mig"), cpus=3)],
        [
            vm("old", want("2g.12gb", at="g0/2"), on="h1", may=AGAIN),
            vm("a", want("1g.6gb"), may=AGAIN),
            vm("b", want("1g.6gb")),
            vm("c", want("2g.12gb"), may=AGAIN),
        ],
        [{"kind": "reserve", "hosts": ["h1"]}],
    ),
    World(
        "failover of shares on different GPUs, and of a GPU that is put in another sharing",
        [
            host("h1", gpu("T4", "fraction"), gpu("T4", "fraction")),
            host("h2", gpu("T4", "fraction"), gpu("T4", "same-size", "fraction")),
        ],
        [
            vm("two", want(milli=300, count=2, at="g0 g1"), on="h1", may=AGAIN),
            vm("a", want(milli=800), may=AGAIN),
            vm("b", want("T4-8Q")),
        ],
        [{"kind": "reserve"}],
    ),
    World(
        "failover by should, of one size on a GPU",
        [host("h1", gpu("T4", "same-size")), host("h2", gpu("T4", "same-size"), gpu("T4", "same-size"))],
        [
            vm("old", want("T4-8Q", at="g0/0"), on="h2", may=AGAIN),
            vm("a", want("T4-8C"), may=AGAIN),
            vm("b", want("T4-16Q"), may=AGAIN),
        ],
        [{"kind": "reserve", "strength": "should"}],
        goals=("should",),
    ),
    World(
        "a VM that leaves its GPU leaves it to a restart",
        [host("h1", gpu("L4", "mixed-size")), host("h2", gpu("L4", "mixed-size")), host("h3", gpu("L4", "mixed-size"))],
        [
            vm("big", want("L4-12Q", at="g0/0"), on="h1", may=AGAIN),
            vm("small", want("L4-6Q", at="g0/6"), on="h2"),
            vm("sat", want("L4-6Q", at="g0/18"), on="h2"),
            vm("new", want("L4-24Q"), may=AGAIN),
        ],
        [{"kind": "reserve", "hosts": ["h1"]}],
        platform=KVM,
        movable=("small",),
    ),
]

PASSTHROUGH = [
    World(
        "one VM has the whole GPU, in the mode that it asks for",
        [
            host("h1", gpu("Tesla M60"), gpu("Tesla M60", mode="compute")),
            host("h2", gpu("Tesla M60"), gpu("T4")),
            host("h3"),
        ],
        [
            vm("a", want(models=["Tesla M60"])),
            vm("b", want(models=["M60"], mode="compute")),
            vm("c", want(models=["T4", "Tesla M60"])),
        ],
        goals=("gpu-milli", "placed"),
    ),
    World(
        "all of a VM's GPUs are on one host",
        [host("h1", gpu("T4"), gpu("T4")), host("h2", gpu("T4"), gpu("T4"))],
        [
            vm("old", want(models=["T4"], at="g0"), on="h1"),
            vm("two", want(models=["T4"], count=2)),
            vm("one", want(models=["T4"])),
            vm("any", want()),
        ],
    ),
    World(
        "on one board, on one NUMA node",
        [
            host("h1", *(gpu("Tesla M60", board=board) for board in "1122")),
            host("h2", *(gpu("Tesla M60", numa_node=node) for node in (0, 1, 1))),
        ],
        [
            vm("old", want(models=["Tesla M60"], at="g1"), on="h1"),
            vm("board", want(models=["Tesla M60"], count=2), needs={"same_board": True}),
            vm("node", want(models=["Tesla M60"], count=2), needs={"same_numa_node": True}),
            vm("one", want(models=["Tesla M60"])),
        ],
    ),
    World(
        "an NVLink group is taken whole",
        [
            host(
                "h1", *[gpu("H100 SXM5 80GB")] * 4, nvlink_groups=[["g0", "g2"], ["g1", "g3"], ["g0", "g1", "g2", "g3"]]
            )
        ],
        [
            vm("pair", want(models=["H100 SXM5 80GB"], count=2), needs={"nvlink": True}),
            vm("pair-2", want(models=["H100 SXM5 80GB"], count=2), needs={"nvlink": True}),
            vm("one", want(models=["H100 SXM5 80GB"])),
            vm("four", want(models=["H100 SXM5 80GB"], count=4), needs={"nvlink": True}),
        ],
    ),
]

SAME_SIZE = [
    World(
        "one type on a GPU of a Maxwell board",
        [host("h1", gpu("Tesla M60", "same-size"), gpu("Tesla M60", "same-size")), host("h2", gpu("Tesla M60"))],
        [vm("a", want("M60-4Q")), vm("b", want("M60-4Q")), vm("c", want("M60-4A")), vm("d", want("M60-8Q"))],
        goals=("gpu-milli",),
    ),
    World(
        "one size on a GPU, of any series",
        [host("h1", gpu("T4", "same-size")), host("h2", gpu("T4", "same-size", "passthrough"))],
        [
            vm("old", want("T4-8Q", at="g0/1"), on="h1"),
            vm("a", want("T4-8C")),
            vm("b", want("T4-16Q")),
            vm("c", want(models=["T4"])),
        ],
        goals=("gpu-milli",),
    ),
    World(
        "CUDA on Maxwell is only in the full profile",
        [host("h1", gpu("Tesla M60", "same-size")), host("h2", gpu("Tesla P4", "same-size"))],
        [
            vm("full", want("M60-8Q"), needs={"cuda": True}),
            vm("half", want("M60-4Q"), needs={"cuda": True}),
            vm("pascal", want("P4-4Q"), needs={"cuda": True}),
            vm("a-series", want("P4-4A"), needs={"cuda": True}),
        ],
    ),
    World(
        "several vGPUs in one VM",
        [host("h1", gpu("T4", "same-size"), gpu("T4", "same-size")), host("h2", gpu("T4", "same-size"))],
        [
            vm("pair", want("T4-8Q"), want("T4-8Q")),
            vm("mixed", want("T4-16Q"), want("T4-8Q")),
            vm("series", want("T4-8Q"), want("T4-8C")),
            vm("one", want("T4-8C")),
        ],
    ),
    World(
        "a vGPU VM moves away to let another in",
        [host("h1", gpu("T4", "same-size")), host("h2", gpu("T4", "same-size"))],
        [
            vm("a", want("T4-8Q", at="g0/0"), on="h1"),
            vm("b", want("T4-8Q", at="g0/1"), on="h1"),
            vm("c", want("T4-8C", at="g0/1"), on="h2"),
            vm("new", want("T4-16Q")),
        ],
        platform=KVM,
        movable=("a", "b", "c"),
        goals=("moves", "hosts-touched"),
    ),
]

MIXED_SIZE = [
    World(
        "24 GB: two of 8 GB leave no start for 12",
        [host("h1", gpu("L4", "mixed-size")), host("h2", gpu("A10", "mixed-size"))],
        [vm("a", want("L4-8Q")), vm("b", want("L4-12Q")), vm("c", want("L4-4Q")), vm("d", want("L4-24Q"))],
    ),
    World(
        "48 GB, beside one that runs",
        [host("h1", gpu("A40", "mixed-size"))],
        [
            vm("old", want("A40-16Q", at="g0/32"), on="h1"),
            vm("a", want("A40-24Q")),
            vm("b", want("A40-8Q")),
            vm("c", want("A40-16C")),
        ],
    ),
    World(
        "who leaves may open a start",
        [host("h1", gpu("L4", "mixed-size")), host("h2", gpu("L4", "mixed-size"))],
        [
            vm("a", want("L4-6Q", at="g0/6"), on="h1"),
            vm("b", want("L4-6Q", at="g0/18"), on="h1"),
            vm("c", want("L4-12Q", at="g0/0"), on="h2"),
            vm("new", want("L4-12Q")),
        ],
        platform=KVM,
        movable=("a", "b"),
        goals=("moves",),
    ),
]

MIG = [
    World(
        "A100: three of four places of instances clash by position",
        [host("h1", gpu("A100 PCIe 40GB", "mig"))],
        [vm("a", want("3g.20gb")), vm("b", want("2g.10gb")), vm("c", want("4g.20gb"))],
    ),
    World(
        "A100: what stands in the way cannot be moved",
        [host("h1", gpu("A100 PCIe 40GB", "mig"))],
        [
            vm("old", want("1g.5gb", at="g0/5"), on="h1"),
            vm("a", want("3g.20gb")),
            vm("b", want("4g.20gb")),
            vm("c", want("1g.10gb")),
        ],
    ),
    World(
        "A30: one media extension, vGPUs on instances",
        [host("h1", gpu("A30", "mig")), host("h2", gpu("A30", "passthrough", "mig"))],
        [
            vm("a", want("1g.6gb+me")),
            vm("b", want("A30-2-12C")),
            vm("c", want("4g.24gb")),
            vm("d", want("2g.12gb+me")),
        ],
    ),
    World(
        "a layout that is kept gives its instances and no others",
        [host("h1", gpu("A30", "mig", mig_layout=HALVED)), host("h2", gpu("A30", "passthrough", "mig", mig_layout=[]))],
        [
            vm("a", want("2g.12gb")),
            vm("b", want("A30-2-12C")),
            vm("c", want("1g.6gb")),
            vm("d", want("A30-1-6C")),
            vm("e", want(models=["A30"])),
        ],
        goals=("stranded",),
    ),
    World(
        "instances move between GPUs that keep one layout",
        [
            host("h1", gpu("A30", "mig", mig_layout=HALVED)),
            host("h2", gpu("A30", "mig", mig_layout=HALVED[::-1])),
            host("h3", gpu("A30", "mig", mig_layout=HALVED[1:])),
            host("h4", gpu("A30", "mig")),
        ],
        [
            vm("old", want("A30-1-6C", at="g0/3"), on="h1"),
            vm("made", want("A30-1-6C", at="g0/0"), on="h4"),
            vm("new", want("2g.12gb")),
        ],
        platform=KVM,
        movable=("old", "made"),
        goals=("moves",),
    ),
    World(
        "a VM with two instances",
        [host("h1", gpu("A30", "mig"), gpu("A30", "mig"))],
        [
            vm("old", want("1g.6gb", at="g0/1"), on="h1"),
            vm("pair", want("2g.12gb", count=2)),
            vm("both", want("1g.6gb"), want("2g.12gb")),
            vm("one", want("2g.12gb")),
        ],
    ),
]

FRACTION = [
    World(
        "at most a whole GPU",
        [host("h1", gpu("T4", "fraction")), host("h2", gpu("P100", "fraction"), gpu("T4", "fraction"))],
        [
            vm("a", want(milli=500)),
            vm("b", want(milli=501, models=["T4"])),
            vm("c", want(milli=500, models=["T4", "P100"])),
            vm("whole", want(models=["T4"])),
        ],
        goals=("gpu-milli",),
    ),
    World(
        "the shares of one ask are on different GPUs",
        [host("h1", *[gpu("T4", "fraction")] * 3), host("h2", *[gpu("T4", "fraction")] * 2)],
        [
            vm("old", want(milli=700, at="g0"), on="h1"),
            vm("two", want(milli=300, count=2)),
            vm("two-more", want(milli=300, count=2)),
            vm("three", want(milli=400, count=3)),
            vm("one", want(milli=300)),
        ],
    ),
    World(
        "shares move away",
        [host("h1", gpu("T4", "fraction"), gpu("T4", "fraction")), host("h2", gpu("T4", "fraction"))],
        [
            vm("a", want(milli=400, at="g0"), on="h1"),
            vm("b", want(milli=400, at="g1"), on="h1"),
            vm("pair", want(milli=300, count=2, at="g0 g1"), on="h1"),
            vm("new", want(milli=700)),
        ],
        movable=("a", "b", "pair"),
        goals=("moves",),
    ),
]

SHARINGS = [
    World(
        "an empty GPU is put in the sharing that is asked for",
        [
            host("h1", gpu("A30", "passthrough", "mig", "fraction"), gpu("A30", "mig", "passthrough")),
            host("h2", gpu("A30", "fraction", "passthrough")),
        ],
        [
            vm("old", want("1g.6gb", at="g1/0"), on="h1"),
            vm("a", want(milli=300)),
            vm("b", want(models=["A30"])),
            vm("c", want("2g.12gb")),
        ],
        goals=("placed",),
    ),
    World(
        "a GPU that gets empty may be put in another sharing",
        [host("h1", gpu("T4", "fraction", "same-size")), host("h2", gpu("T4", "fraction"))],
        [vm("a", want(milli=400, at="g0"), on="h1"), vm("b", want("T4-8Q")), vm("c", want(milli=600))],
        movable=("a",),
        goals=("moves",),
    ),
]

BY_TURN = (
    [
        World(
            f"A30 {slots}",
            [host("h1", gpu("A30", "mig"))],
            [
                vm("old", want("1g.6gb", at="g0/1"), on="h1"),
                vm("a", want("1g.6gb")),
                vm("b", want("2g.12gb")),
                vm("c", want("1g.6gb+me")),
            ],
            platform={"kind": "vsphere", "slots": slots},
        )
        for slots in ("first-legal", "worst-case")
    ]
    + [
        World(
            f"L4 {slots}",
            [host("h1", gpu("L4", "mixed-size")), host("h2", gpu("L4", "mixed-size"))],
            [vm("a", want("L4-8Q")), vm("b", want("L4-12Q")), vm("c", want("L4-6Q"))],
            platform={"kind": "vsphere", "slots": slots},
        )
        for slots in ("first-legal", "worst-case")
    ]
    + [
        World(
            f"several in one VM, {slots}",
            [host("h1", gpu("A30", "mig"), gpu("A30", "mig"))],
            [
                vm("old", want("1g.6gb", at="g0/2"), on="h1"),
                vm("pair", want("1g.6gb"), want("2g.12gb")),
                vm("a", want("2g.12gb")),
            ],
            platform={"kind": "vsphere", "slots": slots},
            narrow=True,
        )
        for slots in ("first-legal", "worst-case")
    ]
)

STRANDED = [
    World(
        "a MIG GPU keeps the places of large instances open",
        [host("h1", gpu("A30", "mig")), host("h2", gpu("A30", "passthrough", "mig")), host("h3", gpu("A30"))],
        [
            vm("a", want("1g.6gb")),
            vm("b", want("1g.6gb")),
            vm("c", want("2g.12gb")),
            vm("d", want("4g.24gb")),
        ],
        goals=("stranded",),
    ),
    World(
        "sizes are kept together, and a host in maintenance strands nothing",
        [
            host("h1", gpu("T4", "same-size"), gpu("T4", "same-size", "fraction")),
            host("h2", gpu("T4", "same-size"), state="maintenance"),
        ],
        [vm("a", want("T4-8Q")), vm("b", want("T4-8C")), vm("c", want("T4-16Q")), vm("d", want(milli=300))],
        goals=("stranded",),
    ),
    World(
        "shares on GPUs of two models, one of which serves nobody else",
        [host("h1", gpu("T4", "fraction"), gpu("T4", "fraction")), host("h2", gpu("P100", "fraction"))],
        [
            vm("old", want(milli=500, at="g0"), on="h1"),
            vm("a", want(milli=300)),
            vm("b", want(milli=600, models=["T4"])),
            vm("c", want(models=["T4"])),
        ],
        movable=("old",),
        goals=("stranded", "moves"),
    ),
    World(
        "mixed sizes: an item at the wrong start strands more",
        [host("h1", gpu("L4", "mixed-size"))],
        [vm("old", want("L4-6Q", at="g0/6"), on="h1"), vm("a", want("L4-6Q")), vm("b", want("L4-12Q"))],
        goals=("stranded",),
    ),
]

ALIKE = [
    World(
        "two hosts as one place, with rules by host",
        [host("h1", gpu("T4", "fraction"), cpus=2), host("h2", gpu("T4", "fraction"), cpus=2), host("h3")],
        [vm("a", want(milli=600)), vm("b", want(milli=600)), vm("c"), vm("d", want(milli=400, models=["T4"]))],
        [{"kind": "apart", "vms": ["a", "b"]}, {"kind": "limit", "most_vms": 2, "most_hosts": 2}],
        goals=("placed", "gpu-milli", "hosts-touched", "balance"),
        groups=(("h1", "h2"), ("h3",)),
    ),
    World(
        "two hosts as one place, with instances and shares apart",
        [
            *(host(name, gpu("A30", "mig"), *[gpu("T4", "fraction")] * 2, cpus=4) for name in ("h1", "h2")),
            host("h3", cpus=4, labels={"rack": "r3"}),
        ],
        [
            vm("a", want("2g.12gb"), cpus=2),
            vm("b", want("4g.24gb"), cpus=2),
            vm("c", want(milli=600, count=2), cpus=2),
            vm("d", want(milli=600, count=2), cpus=2),
        ],
        [{"kind": "apart", "vms": ["a", "b"], "by": "rack"}],
        groups=(("h1", "h2"), ("h3",)),
    ),
]

WORLDS: Mapping[str, list[World]] = {
    "host-state": HOST_STATE,
    "resume": RESUME,
    "affinity": AFFINITY,
    "capacity": CAPACITY,
    "apart": APART,
    "together": TOGETHER,
    "limit": LIMIT,
    "stay": STAY,
    "reserve": RESERVE,
    "reserve of GPUs": RESERVE_GPUS,
    "passthrough": PASSTHROUGH,
    "same-size": SAME_SIZE,
    "mixed-size": MIXED_SIZE,
    "mig": MIG,
    "fraction": FRACTION,
    "other sharings": SHARINGS,
    "slots by turn": BY_TURN,
    "hosts alike": ALIKE,
    "stranded": STRANDED,
}
