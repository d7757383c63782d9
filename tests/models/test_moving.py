"""Which running VMs a hypervisor moves and suspends, and what it says of those that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from placer_models.cluster import Cluster, Vm
from placer_models.moving import immovable, never_suspended, stuck, unreachable, unsuspendable
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot
from tests.build import gpu, host, on, profile, values, whole

MAY = {"live_migrate": True, "suspend": True}
DESK = on("desk", "h1", profile("A40-8Q", "g0"), may=MAY)
PAIR = on("desk", "h1", profile("A40-8Q", "g0"), profile("A40-8Q", "g1"), may=MAY)
PLAIN = on("desk", "h1", may=MAY)
PASSED = on("desk", "h1", whole("A40", "g0"), may=MAY)


def standing(vm: dict[str, Any], **platform: Any) -> tuple[Cluster, Vm, Stand]:
    """A running VM on a host with two A40."""
    sharing = "passthrough" if vm is PASSED else "same-size"
    hosts = [host("h1", gpu("A40", sharing), gpu("A40", sharing))]
    cluster = Snapshot.of(values(hosts, [vm], platform=platform)).content
    (stand,) = Scene.now(cluster).of("desk")
    return cluster, cluster.vms["desk"], stand


MOVED = [
    (PLAIN, {"kind": "kubevirt"}, None),
    (DESK, {"kind": "vsphere", "version": "8.0.3"}, None),
    (DESK, {"kind": "vsphere", "version": "6.5"}, "holds a vGPU, which vSphere 6.5 is not known to live-migrate"),
    (DESK, {"kind": "kubevirt"}, "holds a vGPU, which KubeVirt is not known to live-migrate"),
    (DESK, {"kind": "kubevirt", "vgpu_live_migration": True}, None),
    (
        PAIR,
        {"kind": "kubevirt", "vgpu_live_migration": True},
        "holds 2 vGPUs, and KubeVirt live-migrates a VM with one",
    ),
    (PAIR, {"kind": "kvm"}, None),
    (PASSED, {"kind": "kvm"}, "holds a pass-through GPU, which cannot be live-migrated"),
]


@pytest.mark.parametrize(("vm", "platform", "why"), MOVED)
def test_what_a_platform_live_migrates(vm: dict[str, Any], platform: dict[str, Any], why: str | None) -> None:
    assert immovable(*standing(vm, **platform)) == why


@pytest.mark.parametrize(
    ("version", "frame_buffer", "moves"), [("6.7.2", 12, True), ("6.7.2", 16, False), ("6.7 U3", 16, True)]
)
def test_vm_stun_vsphere_67_gives_up_who_stands_still_for_100_seconds(
    version: str, frame_buffer: int, moves: bool
) -> None:
    desk = on("desk", "h1", profile(f"A40-{frame_buffer}Q", "g0"), may=MAY)
    why = immovable(*standing(desk, kind="vsphere", version=version))
    assert why is None if moves else why is not None and why.endswith("and vSphere 6.7.2 gives up after 100")


SUSPENDED = [
    (PLAIN, {"kind": "ahv"}, None),
    (PLAIN, {"kind": "kubevirt"}, "cannot be suspended: a pause on KubeVirt keeps all that it holds"),
    (DESK, {"kind": "vsphere", "version": "8.0.3"}, None),
    (DESK, {"kind": "ahv"}, "holds a vGPU, with which AHV is not known to suspend it"),
    (DESK, {"kind": "ahv", "vgpu_suspend": True}, None),
    (PASSED, {"kind": "vsphere"}, "holds a pass-through GPU, with which it cannot be suspended"),
]


@pytest.mark.parametrize(("vm", "platform", "why"), SUSPENDED)
def test_what_a_platform_suspends(vm: dict[str, Any], platform: dict[str, Any], why: str | None) -> None:
    assert unsuspendable(*standing(vm, **platform)) == why


STUCK = [
    ({}, {"kind": "vsphere"}, "may not be live-migrated, nor suspended or stopped"),
    (
        {"live_migrate": True},
        {"kind": "ahv"},
        "holds a vGPU, which AHV is not known to live-migrate; may not be suspended or stopped",
    ),
    (
        {"suspend": True},
        {"kind": "other"},
        "may not be live-migrated; holds a vGPU, with which this platform is not known to suspend it; "
        "may not be stopped",
    ),
]


@pytest.mark.parametrize(("may", "platform", "said"), STUCK, ids=["nothing allowed", "not by AHV", "not suspended"])
def test_who_can_do_nothing_has_it_said_in_one_sentence(
    may: dict[str, bool], platform: dict[str, Any], said: str
) -> None:
    cluster, vm, stand = standing(on("desk", "h1", profile("A40-8Q", "g0"), may=may), **platform)
    refused = immovable(cluster, vm, stand)
    assert refused is not None
    assert stuck(cluster, vm, stand, refused) == said


def test_who_may_not_be_suspended_is_told_first() -> None:
    cluster, vm, stand = standing(PASSED, kind="kvm")
    shy = vm.model_copy(update={"may": vm.may.model_copy(update={"suspend": False})})
    assert unsuspendable(cluster, shy, stand) == "may not be suspended"
    assert never_suspended(cluster, stand) == "holds a pass-through GPU, with which it cannot be suspended"


ONES = [{"profile": "1g.6gb", "slot": slot} for slot in range(4)]
HALF = [{"profile": "2g.12gb", "slot": 2}, *ONES[:2]]


@pytest.mark.parametrize(
    ("layouts", "why"),
    [([ONES[::-1]], None), ([HALF], "MIG layout differs"), ([None], "MIG layout differs"), ([ONES, []], None)],
    ids=["the same", "another that serves it", "made as VMs come and go", "and a GPU that does not serve it"],
)
def test_an_instance_moves_between_gpus_that_keep_one_mig_layout(layouts: list[Any], why: str | None) -> None:
    more = [gpu("A30", "mig", **({} if layout is None else {"mig_layout": layout})) for layout in layouts]
    hosts = [host("h1", gpu("A30", "mig", mig_layout=ONES)), host("h2", *more)]
    cluster = Snapshot.of(values(hosts, [on("desk", "h1", profile("A30-1-6C", "g0", 3), may=MAY)])).content
    (stand,) = Scene.now(cluster).of("desk")
    assert unreachable(cluster, stand, cluster.hosts["h2"]) == why


@pytest.mark.parametrize(("sharings", "reached"), [(["fraction"], True), (["fraction", "passthrough"], False)])
def test_no_migration_ends_on_a_gpu_that_is_passed_through(sharings: list[str], reached: bool) -> None:
    hosts = [host("h1", gpu("A40", "fraction")), host("h2", gpu("A40", "fraction", may_share=sharings))]
    cluster = Snapshot.of(values(hosts, [on("render", "h1", whole("A40", "g0"), may=MAY)])).content
    (stand,) = Scene.now(cluster).of("render")
    assert (unreachable(cluster, stand, cluster.hosts["h2"]) is None) == reached
