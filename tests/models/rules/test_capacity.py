"""Rule `capacity`: CPUs and memory are not given away twice."""

from __future__ import annotations

from tests.asked import Asked
from tests.build import host, off, on, values


def test_64_cpus_by_four_with_4_reserved_take_240_one_cpu_vms_and_no_more() -> None:
    esx = host("esx", cpus=64, cpu_ratio=4, reserved_cpus=4, memory_gib=1000)
    running = [on(f"v{i}", "esx", cpus=1, memory_gib=1) for i in range(240)]
    full = Asked(values([esx], [*running, off("last", cpus=1, memory_gib=1)]), "capacity")
    assert full.breaches == {}
    assert full.why_not("last", "esx") == "0 CPUs free, 1 asked"


def test_16_gib_do_not_fit_where_12_are_left() -> None:
    asked = Asked(
        values([host("a", memory_gib=20), host("b", memory_gib=8)], [on("x", "a"), off("big", memory_gib=16)]),
        "capacity",
    )
    assert asked.why_not("big", "a") == "12288 MiB of memory free, 16384 asked"
    assert asked.why_not("big", "a", "b") == "at most 12288 MiB of memory free, 16384 asked"


def test_memory_is_over_committed_for_vms_without_a_gpu_only() -> None:
    esx = host("esx", {"model": "T4", "sharing": "fraction"}, memory_gib=10, memory_ratio=2)
    with_gpu = off("with", {"milli": 100}, memory_gib=11)
    asked = Asked(values([esx], [off("without", memory_gib=20), with_gpu]), "capacity")
    assert asked.why_not("without", "esx") is None
    assert asked.why_not("with", "esx") == "10240 MiB of memory free, 11264 asked"


def test_memory_that_is_over_committed_is_free_for_vms_without_a_gpu_and_less_of_it_for_those_with_one() -> None:
    esx = host("esx", {"model": "T4", "sharing": "fraction"}, memory_gib=10, memory_ratio=2)
    news = [off("without", memory_gib=13), off("with", {"milli": 100}, memory_gib=13)]
    asked = Asked(values([esx], [on("x", "esx", memory_gib=8), *news]), "capacity")
    assert asked.why_not("without", "esx") == "12288 MiB of memory free, 13312 asked"
    assert asked.why_not("with", "esx") == "6144 MiB of memory free, 13312 asked"


def test_what_is_over_full_now_is_said_with_the_vm_that_alone_is_too_big() -> None:
    asked = Asked(values([host("esx", cpus=2)], [on("giant", "esx", cpus=3)]), "capacity")
    assert asked.breaches == {
        "esx: 3 CPUs are given, 2 can be": 1000,
        "esx: giant alone has more CPUs than can be given": 1000,
    }
