"""How long things take: VMware's own figures, what lies between them, and what a site measured instead."""

from __future__ import annotations

from typing import Any

import pytest

from placer_models.cluster import Cluster, Vm
from placer_models.document import parse
from placer_models.motion import (
    FLASH_SECONDS,
    flash_seconds,
    frame_buffer_mib,
    migrate_seconds,
    power_off_seconds,
    power_on_seconds,
    state_mib,
    step_seconds,
    stun_seconds,
    suspend_seconds,
)
from placer_models.night import Consolidate, Evacuate, Limits, SetMode
from placer_models.snapshot import Snapshot

GIB = 1024
WINDOWS = [{"from": "2026-11-20T22:00:00Z", "until": "2026-11-21T06:00:00Z"}]


def desk(
    memory_gib: float = 4, profile: str | None = None, version: str = "8.0.3", **measured: float
) -> tuple[Cluster, Vm]:
    """A VM that is off, in a cluster of its own."""
    vm: dict[str, Any] = {"name": "desk", "power": "off", "cpus": 2, "memory_mib": int(memory_gib * GIB)}
    vm |= {"gpus": [{"profile": profile}] if profile else [], "measured": measured}
    snapshot = Snapshot.of(
        {
            "format": "placer.snapshot/1",
            "cluster": "one",
            "taken_at": "2026-11-20T18:00:00Z",
            "platform": {"kind": "vsphere", "version": version},
            "hosts": [],
            "vms": [vm],
        }
    )
    return snapshot.content, snapshot.content.vms["desk"]


WORST = {
    1: (5, 6, 8, 12),
    2: (7, 9, 11, 15),
    4: (13, 14, 16, 21),
    8: (24, 25, 28, 32),
    16: (47, 48, 50, 54),
    32: (91, 92, 95, 99),
}
"""Frame buffer (GB) -> seconds with 4, 8, 16, 32 GB of memory, as VM-STUN prints them."""


@pytest.mark.parametrize("frame_buffer", WORST)
@pytest.mark.parametrize("column", range(4))
def test_stun_is_as_vmware_prints_it(frame_buffer: int, column: int) -> None:
    memory = (4, 8, 16, 32)[column]
    assert stun_seconds(*desk(memory, migrate_data_mib=frame_buffer * GIB)) == WORST[frame_buffer][column]


@pytest.mark.parametrize(
    ("memory_gib", "frame_buffer_gib", "seconds"),
    [
        (6, 1, 5.5),  # half way between 4 and 8 GB of memory
        (4, 6, 18.5),  # half way between 4 and 8 GB of frame buffer
        (6, 6, 19.0),
        (64, 1, 20.0),  # on with the last slope: 4 s for 16 GB
        (4, 48, 135.0),  # likewise 44 s for 16 GB
        (1, 0.5, 5.0),  # never below the table
    ],
)
def test_stun_between_and_beyond_the_printed_points(memory_gib: float, frame_buffer_gib: float, seconds: float) -> None:
    assert stun_seconds(*desk(memory_gib, migrate_data_mib=int(frame_buffer_gib * GIB))) == seconds


@pytest.mark.parametrize(
    ("frame_buffer", "seconds"), [(1, 9.0), (2, 16.5), (4, 31.4), (8, 61.3), (10, 76.3), (12, 91.2)]
)
def test_older_releases_have_their_own_table(frame_buffer: int, seconds: float) -> None:
    assert stun_seconds(*desk(32, version="6.7.0", migrate_data_mib=frame_buffer * GIB)) == seconds


def test_without_a_vgpu_there_is_no_stun() -> None:
    assert stun_seconds(*desk(32)) == 0


def test_a_profiles_size_is_what_is_copied() -> None:
    assert frame_buffer_mib(*desk(4, "M60-2Q")) == 2 * GIB
    assert stun_seconds(*desk(4, "M60-2Q")) == 7
    assert state_mib(*desk(4, "M60-2Q")) == 6 * GIB


def test_what_was_measured_of_the_frame_buffer_counts_instead() -> None:
    assert frame_buffer_mib(*desk(4, "M60-2Q", migrate_data_mib=300)) == 300


def test_a_copy_takes_its_size_over_the_rate() -> None:
    cluster, vm = desk(10)
    assert migrate_seconds(cluster, vm, Limits(mib_per_second=1024)) == 10 + 5


def test_memory_that_is_written_meanwhile_is_copied_again() -> None:
    cluster, vm = desk(10, dirty_mib_per_second=512)
    assert migrate_seconds(cluster, vm, Limits(mib_per_second=1024)) == 20 + 5


def test_who_writes_faster_than_the_link_is_still_done_one_day() -> None:
    cluster, vm = desk(10, dirty_mib_per_second=5000)
    assert migrate_seconds(cluster, vm, Limits(mib_per_second=1024)) == 100 + 5


def test_a_vgpu_is_copied_and_stuns() -> None:
    cluster, vm = desk(4, "M60-2Q")
    assert migrate_seconds(cluster, vm, Limits(mib_per_second=1024)) == 6 + 7 + 5


def test_a_state_is_written_with_the_stores_rate() -> None:
    cluster, vm = desk(4, "M60-2Q")
    assert suspend_seconds(cluster, vm, Limits(store_mib_per_second=512)) == 12 + 5


def test_a_part_of_a_second_is_a_second() -> None:
    cluster, vm = desk(4)
    assert suspend_seconds(cluster, vm, Limits(store_mib_per_second=4095)) == 7


def test_what_was_measured_counts_and_is_rounded_up() -> None:
    cluster, vm = desk(
        64,
        "M60-2Q",
        migrate_seconds=3.2,
        suspend_seconds=4.5,
        power_off_seconds=20,
        power_on_seconds=0.1,
        stun_seconds=0.7,
    )
    limits = Limits()
    assert migrate_seconds(cluster, vm, limits) == 4
    assert suspend_seconds(cluster, vm, limits) == 5
    assert (power_off_seconds(vm), power_on_seconds(vm)) == (20, 1)
    assert stun_seconds(cluster, vm) == 0.7


def test_a_step_takes_what_its_kind_takes() -> None:
    cluster, vm = desk(migrate_seconds=3, suspend_seconds=4, power_off_seconds=5, power_on_seconds=6)
    kinds = ("migrate", "suspend", "resume", "power-off", "power-on")
    assert [step_seconds(cluster, vm, kind, Limits()) for kind in kinds] == [3, 4, 4, 5, 6]


def test_no_step_takes_no_time() -> None:
    cluster, vm = desk(migrate_seconds=0)
    assert step_seconds(cluster, vm, "migrate", Limits()) == 1


def test_a_flash_takes_what_the_request_says() -> None:
    ask = {"host": "h1", "mode": "compute", "windows": WINDOWS}
    assert flash_seconds(parse(SetMode, {**ask, "minutes": 20}, "the request")) == 1200
    assert flash_seconds(parse(Consolidate, {"windows": WINDOWS}, "the request")) == FLASH_SECONDS
    assert flash_seconds(parse(Evacuate, {"hosts": ["h1"], "windows": WINDOWS, "minutes": 5}, "the request")) == 300
    assert flash_seconds(parse(Evacuate, {"hosts": ["h1"], "windows": WINDOWS}, "the request")) == FLASH_SECONDS
