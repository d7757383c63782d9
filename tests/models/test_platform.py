"""What a hypervisor gives, by its kind and version; on what is not confirmed nobody relies, unless the site says so."""

from __future__ import annotations

from typing import Any

import pytest

from placer.session import Session
from placer_models.cluster import Gpu, Host
from placer_models.document import Faults
from placer_models.events import GpuChanged, HostAdded
from placer_models.platform import Platform, wants_one_type
from placer_models.snapshot import Snapshot
from tests.build import gpu, host, on, profile, snapshot, values

U2, U3 = {"kind": "vsphere", "version": "8.0.2"}, {"kind": "vsphere", "version": "8.0.3"}
WINDOWS = [{"from": "2026-11-20T22:00:00Z", "until": "2026-11-21T06:00:00Z"}]
MIXED = {"kind": "set-mode", "host": "h1", "sharing": "mixed-size", "windows": WINDOWS}


@pytest.mark.parametrize(
    ("said", "one_type"),
    [
        ("8.0.1", True),
        ("8.0 U1", True),
        ("8.0 Update 1c", True),
        ("ESXi 8.0.1 build-21495797", True),
        ("7.0u3", True),
        ("8.0.2", False),
        ("8.0 U2", False),
        ("8.0", False),
        ("9", False),
        ("the newest", False),
        (None, False),
    ],
)
def test_a_version_is_read_however_it_is_written(said: str | None, one_type: bool) -> None:
    assert wants_one_type(Platform(kind="vsphere", version=said), []) == one_type


@pytest.mark.parametrize(
    ("manager", "mixes"), [("16.4", False), ("535.161.05", False), ("17.0", True), ("550.54.10", True), (None, True)]
)
def test_ug17_vgpu_managers_mix_sizes_from_17_on(manager: str | None, mixes: bool) -> None:
    hosts = [host("h1", gpu("A40", "same-size", may_share=["mixed-size"]), vgpu_manager=manager)]
    if mixes:
        snapshot(hosts, [])
    else:
        with pytest.raises(Faults, match=rf"may_share\[0\]: found 'mixed-size', .* from 17 .* says {manager}"):
            snapshot(hosts, [])


@pytest.mark.parametrize(
    ("platform", "manager"), [(U2, None), ({"kind": "vsphere", "version": "8.0 U2"}, None), ({"kind": "kvm"}, "16.4")]
)
def test_nobody_puts_a_gpu_in_a_sharing_that_is_not_there_yet(platform: dict[str, Any], manager: str | None) -> None:
    hosts = [host("h1", gpu("A40", "same-size"), vgpu_manager=manager)]
    with pytest.raises(Faults, match=r"requests\[0\]\.sharing: found 'mixed-size', which"):
        Snapshot.of(values(hosts, [], platform=platform, requests=[MIXED]))
    session = Session(Snapshot.of(values(hosts, [], platform=platform)))
    with pytest.raises(Faults, match="found 'mixed-size', which"):
        session.apply(GpuChanged(host="h1", gpu="g0", sharing="mixed-size"))
    mixed = Gpu(id="g0", model="A40", sharing="mixed-size")
    with pytest.raises(Faults, match="found 'mixed-size', which"):
        session.apply(HostAdded(host=Host(name="h2", cpus=8, memory_mib=8192, vgpu_manager=manager, gpus=(mixed,))))


def test_a_newer_platform_is_asked_for_mixed_sizes() -> None:
    hosts = [host("h1", gpu("A40", "same-size"))]
    assert Snapshot.of(values(hosts, [], platform=U3, requests=[MIXED])).requests
    Session(Snapshot.of(values(hosts, [], platform=U3))).apply(GpuChanged(host="h1", gpu="g0", sharing="mixed-size"))


@pytest.mark.parametrize(("model", "board", "fits"), [("Tesla T4", "T4", False), ("A40", "A40", True)])
def test_nova_gives_a_card_without_sr_iov_one_type(model: str, board: str, fits: bool) -> None:
    vms = [on("b", "h1", profile(f"{board}-2B", "g0", 0)), on("q", "h1", profile(f"{board}-2Q", "g0", 1))]
    hosts = [host("h1", gpu(model, "same-size"))]
    snapshot(hosts, vms, kind="kvm")
    if fits:
        snapshot(hosts, vms, kind="openstack")
    else:
        with pytest.raises(Faults, match="T4-2B and T4-2Q"):
            snapshot(hosts, vms, kind="openstack")


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ({"kind": "vsphere", "version": "6.7.1"}, 1),
        ({"kind": "vsphere", "version": "6.7 U3"}, 4),
        ({"kind": "vsphere", "version": "7.0"}, 4),
        ({"kind": "vsphere", "version": "8.0"}, 8),
        ({"kind": "vsphere", "version": "8.0", "most_vgpus_per_vm": 16}, 16),
        ({"kind": "ahv"}, 1),
        ({"kind": "ahv", "most_vgpus_per_vm": 4}, 4),
        ({"kind": "kvm"}, 8),
    ],
)
def test_how_many_vgpus_a_vm_has_is_a_matter_of_the_platform(said: dict[str, Any], most: int) -> None:
    assert Platform(**said).vgpus_per_vm == most


def test_before_vsphere_8_several_vgpus_of_a_vm_are_whole_frame_buffers() -> None:
    assert not Platform(kind="vsphere", version="7.0.3").has_fractional_multi_vgpu
    assert Platform(kind="vsphere", version="8.0").has_fractional_multi_vgpu


HANDLED = [
    ({"kind": "vsphere", "version": "6.5"}, False, False),
    ({"kind": "vsphere", "version": "6.7"}, True, True),
    ({"kind": "openstack", "version": "2023.2"}, False, True),
    ({"kind": "openstack", "version": "2024.1"}, True, True),
    ({"kind": "openstack", "version": "28.1.0"}, False, True),
    ({"kind": "openstack", "version": "24"}, False, False),
    ({"kind": "openstack"}, True, True),
    ({"kind": "kvm"}, True, True),
    ({"kind": "ahv"}, False, False),
    ({"kind": "kubevirt"}, False, False),
    ({"kind": "proxmox"}, False, False),
    ({"kind": "ahv", "vgpu_live_migration": True, "vgpu_suspend": True}, True, True),
    ({"kind": "kvm", "vgpu_live_migration": False, "vgpu_suspend": False}, False, False),
]


@pytest.mark.parametrize(("said", "migrates", "suspends"), HANDLED)
def test_running_vgpus_are_handled_where_it_is_known_or_said(
    said: dict[str, Any], migrates: bool, suspends: bool
) -> None:
    platform = Platform(**said)
    assert (platform.live_migrates_vgpus, platform.suspends_vgpus) == (migrates, suspends)
