"""How long it takes to move, suspend, resume, stop and start a VM, and how long it stands still meanwhile.

Every figure can be replaced by one that a site measured (`vms[].measured`). What is not measured comes from

- live migration: memory and frame buffer are copied at the limit's rate while the VM writes on at its dirty rate, so
  the copy takes size / (rate - dirty rate) (pre-copy; the dirty rate counts at most for nine tenths of the rate),
  then the VM is stunned;
- stun: VMware's worst-case table (VM-STUN, 7.0 edition: frame buffer by VM memory, seconds), interpolated between its
  points and continued by its last slope; the profile's size is an upper bound of the frame buffer in use. 6.7 has the
  table of the P40 on 10 GbE;
- suspend and resume: memory and frame buffer written and read at the store's rate.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from placer_models.cluster import Cluster, Vm
from placer_models.night import Evacuate, Limits, Request, SetMode

SET_UP_SECONDS = 5
"""A migration's, suspension's or start's own time before and after the copy (unconfirmed; on the safe side for
seconds-long steps).
"""

POWER_OFF_SECONDS, POWER_ON_SECONDS = 60, 60
"""A guest's shut-down and start (unconfirmed: `measured` says better)."""

FLASH_SECONDS = 900
"""A flash of a GPU's firmware mode, and a restart of its host (unconfirmed: a set-mode request says better)."""

SHARING_SECONDS = 60
"""Putting an empty GPU in another sharing (unconfirmed; nothing holds it meanwhile)."""

STUN_MEMORY_GIB = (4, 8, 16, 32)
STUN_70_WORST: dict[int, tuple[int, int, int, int]] = {
    1: (5, 6, 8, 12),
    2: (7, 9, 11, 15),
    4: (13, 14, 16, 21),
    8: (24, 25, 28, 32),
    16: (47, 48, 50, 54),
    32: (91, 92, 95, 99),
}
"""Frame buffer (GB) -> worst-case stun seconds for a VM of 4, 8, 16, 32 GB (VM-STUN, 7.0, V100 32 GB, 10 Gb/s)."""

STUN_67 = {1: 9.0, 2: 16.5, 4: 31.4, 8: 61.3, 10: 76.3, 12: 91.2}
"""Frame buffer (GB) -> stun seconds (VM-STUN, 6.7 U1, P40, 10 GbE)."""


def frame_buffer_mib(cluster: Cluster, vm: Vm) -> int:
    """The frame buffer that must be copied: as measured, else that of the VM's profiles (a share: its part of nothing
    known, 0).
    """
    if vm.measured.migrate_data_mib is not None:
        return vm.measured.migrate_data_mib
    total = 0
    for ask in vm.wants:
        if ask.profile is None:
            continue
        for model in cluster.catalogue.profile_models(ask.profile)[:1]:
            profile = model.profile(ask.profile)
            total += ask.count * (profile.framebuffer_mib if profile else 0)
    return total


def stun_seconds(cluster: Cluster, vm: Vm) -> float:
    """How long a VM stands still while it is live-migrated; VMs without a vGPU: 0 (well under a second)."""
    if vm.measured.stun_seconds is not None:
        return vm.measured.stun_seconds
    gib = frame_buffer_mib(cluster, vm) / 1024
    if gib == 0:
        return 0.0
    if cluster.platform.is_vsphere_before(7):
        return round(_between(tuple(STUN_67), tuple(STUN_67.values()), gib), 1)
    columns = zip(*STUN_70_WORST.values(), strict=True)
    by_memory = [_between(tuple(STUN_70_WORST), column, gib) for column in columns]
    return round(_between(STUN_MEMORY_GIB, by_memory, vm.memory_mib / 1024), 1)


def stun_ms(cluster: Cluster, vm: Vm) -> int:
    """The same in milliseconds, as they are added up."""
    return round(1000 * stun_seconds(cluster, vm))


def _between(points: Sequence[float], values: Sequence[float], at: float) -> float:
    """Linear between the points; below the first its value, beyond the last on with the last slope."""
    if at <= points[0]:
        return values[0]
    i = min(bisect_right(points, at), len(points) - 1)
    slope = (values[i] - values[i - 1]) / (points[i] - points[i - 1])
    return values[i - 1] + slope * (at - points[i - 1])


def _whole(seconds: float) -> int:
    """Whole seconds, rounded up; what only a float's last digits add does not count."""
    return math.ceil(round(seconds, 6))


def migrate_seconds(cluster: Cluster, vm: Vm, limits: Limits) -> int:
    """How long a live migration holds both hosts."""
    if vm.measured.migrate_seconds is not None:
        return _whole(vm.measured.migrate_seconds)
    rate = limits.mib_per_second
    dirty = min(vm.measured.dirty_mib_per_second or 0.0, 0.9 * rate)
    size = vm.memory_mib + frame_buffer_mib(cluster, vm)
    return _whole(size / (rate - dirty) + stun_seconds(cluster, vm) + SET_UP_SECONDS)


def state_mib(cluster: Cluster, vm: Vm) -> int:
    """What a suspended VM takes in the store: its memory and its frame buffer."""
    return vm.memory_mib + frame_buffer_mib(cluster, vm)


def suspend_seconds(cluster: Cluster, vm: Vm, limits: Limits) -> int:
    """How long it takes to suspend a VM, and to resume it."""
    if vm.measured.suspend_seconds is not None:
        return _whole(vm.measured.suspend_seconds)
    return _whole(state_mib(cluster, vm) / limits.store_mib_per_second + SET_UP_SECONDS)


def power_off_seconds(vm: Vm) -> int:
    """How long it takes to shut a VM down."""
    return _whole(vm.measured.power_off_seconds if vm.measured.power_off_seconds is not None else POWER_OFF_SECONDS)


def power_on_seconds(vm: Vm) -> int:
    """How long it takes until a VM that is started is of use."""
    return _whole(vm.measured.power_on_seconds if vm.measured.power_on_seconds is not None else POWER_ON_SECONDS)


def flash_seconds(request: Request) -> int:
    """How long it takes at least to put a GPU in another firmware mode, and to restart a host. In an evacuation it is
    part of each host's `minutes`.
    """
    match request:
        case SetMode():
            return request.minutes * 60
        case Evacuate():
            return min(request.minutes * 60, FLASH_SECONDS)
        case _:
            return FLASH_SECONDS


def step_seconds(cluster: Cluster, vm: Vm, kind: str, limits: Limits) -> int:
    """How long a step of this kind takes a VM at least: a whole second, or more."""
    match kind:
        case "migrate":
            least = migrate_seconds(cluster, vm, limits)
        case "suspend" | "resume":
            least = suspend_seconds(cluster, vm, limits)
        case "power-off":
            least = power_off_seconds(vm)
        case _:
            least = power_on_seconds(vm)
    return max(1, least)
