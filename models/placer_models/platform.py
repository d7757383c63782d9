"""The hypervisor: what its kind and version give, where a document does not say it outright.

Sources: VM-67, MAX8, NVC and VM-83 (vSphere), VM-STUN (the time that vSphere 6.7 waits), UG8 and UG17 (NVIDIA's vGPU
manager), AHV-PT and NVKB (AHV), Nova's release notes (OpenStack), KubeVirt's user guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from placer_models.document import Document, Positive
from placer_models.gpus import Catalogue

SPELT = {
    "vsphere": "vSphere",
    "ahv": "AHV",
    "kvm": "KVM",
    "kubevirt": "KubeVirt",
    "openstack": "OpenStack",
    "proxmox": "Proxmox VE",
    "other": "this platform",
}
"""What sentences call each kind."""


class Platform(Document):
    """The hypervisor. `slots` says who picks the slot of a vGPU: placer ("chosen"), or the manager, which takes the
    first legal one ("first-legal"), or any ("worst-case": a plan must then hold whatever it picks).
    `vgpu_live_migration` and `vgpu_suspend` say whether VMs with vGPUs can be live-migrated, and suspended (absent: on
    vSphere from 6.7 on, KVM and OpenStack from 2024.1 and from Yoga on). `version` may be "8.0.3" or "8.0 U3"; one
    that is not said is taken to be new.
    """

    kind: Literal["vsphere", "ahv", "kvm", "kubevirt", "openstack", "proxmox", "other"] = "other"
    version: str | None = None
    slots: Literal["chosen", "first-legal", "worst-case"] | None = None
    vgpu_live_migration: bool | None = None
    vgpu_suspend: bool | None = None
    most_vgpus_per_vm: Positive | None = None

    def __str__(self) -> str:
        """How it is called in sentences, as its vendor spells it."""
        return SPELT[self.kind] if self.version is None else f"{SPELT[self.kind]} {self.version}"

    @property
    def slot_choice(self) -> Literal["chosen", "first-legal", "worst-case"]:
        """Who picks slots: as said, else the manager on vSphere and AHV, where no interface takes a slot."""
        return self.slots or ("first-legal" if self.kind in ("vsphere", "ahv") else "chosen")

    @cached_property
    def vgpus_per_vm(self) -> int:
        """How many vGPUs one VM may have: as said, else one on AHV (no more is confirmed) and before vSphere 6.7 U3, 4
        before vSphere 8 (VM-67), and 8 (MAX8).
        """
        if self.most_vgpus_per_vm is not None:
            return self.most_vgpus_per_vm
        if self.kind == "ahv" or self.is_vsphere_before(6, 7, 3):
            return 1
        return 8 if self.has_fractional_multi_vgpu else 4

    @cached_property
    def has_fractional_multi_vgpu(self) -> bool:
        """Whether several vGPUs of one VM may be less than the whole frame buffer: from vSphere 8 on (NVC)."""
        return not self.is_vsphere_before(8)

    @cached_property
    def has_double_slices(self) -> bool:
        """Whether MIG-backed vGPUs with twice the memory of their slice are to be had: from vSphere 8.0 U3 on (NVC)."""
        return not self.is_vsphere_before(8, 0, 3)

    @cached_property
    def live_migrates_vgpus(self) -> bool:
        """Whether VMs with vGPUs can be live-migrated: as said, else where it is known (VM-STUN, NVC, Nova 2024.1)."""
        said = self.vgpu_live_migration
        return self._handles_vgpus((2024, 1), 29) if said is None else said

    @cached_property
    def suspends_vgpus(self) -> bool:
        """Whether VMs with vGPUs can be suspended: as said, else where it is known (Nova: since Yoga)."""
        said = self.vgpu_suspend
        return self._handles_vgpus((2022, 1), 25) if said is None else said

    @property
    def most_passed_through(self) -> int | None:
        """How many whole GPUs one VM may have: 32 PCI devices on vSphere (MAX8); None: no limit is known."""
        return 32 if self.kind == "vsphere" else None

    @property
    def suspends(self) -> bool:
        """Whether a suspended VM leaves its host: KubeVirt's pause keeps all that it holds there."""
        return self.kind != "kubevirt"

    @cached_property
    def most_stun_seconds(self) -> int | None:
        """How long a VM may stand still in a migration until it is given up: 100 seconds before vSphere 6.7 U3
        (VM-STUN); None: no such limit.
        """
        return 100 if self.is_vsphere_before(6, 7, 3) else None

    def why_one_size(self, manager: str | None) -> str | None:
        """Why vGPUs of several sizes cannot share a GPU under this vGPU manager; None: they can, on vSphere from 8.0 U3
        on (VM-83) and with managers from 17, driver 550, on (UG17).
        """
        if self.is_vsphere_before(8, 0, 3):
            return f"which vSphere has from 8.0.3 on; 'platform' says {self.version}"
        if _manager_before(manager, 17, 550):
            return f"which vGPU managers have from 17 (driver 550) on; 'vgpu_manager' says {manager}"
        return None

    def is_vsphere_before(self, *version: int) -> bool:
        """Whether it is a vSphere of which it is said that it is older than this."""
        return self.kind == "vsphere" and _older(self.version, version)

    def _handles_vgpus(self, release: tuple[int, int], nova: int) -> bool:
        """Whether it handles running vGPUs: OpenStack from a release on, which is also told by Nova's number."""
        if self.kind == "openstack":
            return not _older(self.version, release if _numbers(self.version)[:1] >= (1000,) else (nova,))
        return self.kind == "kvm" or (self.kind == "vsphere" and not self.is_vsphere_before(6, 7))


def wants_one_type(platform: Platform, managers: Iterable[str | None]) -> bool:
    """Whether a same-size GPU takes vGPUs of one *type* only, not of one size: vSphere before 8.0 U2 (VM-83), and any
    of these managers before vGPU 15, driver 525 (UG8). Versions that are not said are taken to be newer.
    """
    if platform.kind == "vsphere" and _older(platform.version, (8, 0, 2)):
        return True
    return any(_manager_before(manager, 15, 525) for manager in managers)


def given(models: Catalogue, platform: Platform, managers: Iterable[str | None]) -> Catalogue:
    """GPU models as a platform with these vGPU managers gives them: perhaps with one type of vGPU on a same-size GPU.

    OpenStack's Nova gives each PCI address one type, and without SR-IOV a GPU is one address.
    """
    if wants_one_type(platform, managers):
        return models.of_one_type(models.models)
    if platform.kind == "openstack":
        return models.of_one_type(model for model in models.models if not model.sriov_vgpu)
    return models


def _manager_before(manager: str | None, release: int, driver: int) -> bool:
    """Whether a vGPU manager is older than a release, which its driver's number tells as well."""
    return _older(manager, (driver,) if _numbers(manager)[:1] >= (100,) else (release,))


def _older(version: str | None, than: tuple[int, ...]) -> bool:
    numbers = _numbers(version)
    return bool(numbers) and numbers < than[: len(numbers)]  # "8.0" may be any update of it


def _numbers(version: str | None) -> tuple[int, ...]:
    """The first number of a text in its parts: of "8.0.3", "ESXi 8.0.3", and VMware's "8.0 U3" and "8.0 Update 3"."""
    found = re.search(r"(\d+(?:\.\d+)*)(?:\s*(?:u|update)\s*(\d+))?", version or "", re.IGNORECASE)
    if found is None:
        return ()
    numbers = tuple(map(int, found[1].split(".")))
    return numbers if found[2] is None else (*(*numbers, 0)[:2], int(found[2]))
