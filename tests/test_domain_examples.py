"""The examples that NVIDIA, VMware, Nutanix and users give of what may share a GPU, asked of the product.

Sources (the keys stand in the tests' ids): UG8, UG17, NV5: NVIDIA vGPU guides of 8.0, 17.0, NVAIE 5.0; VM-83, VM-67:
VMware; NV8M: several vGPUs in one VM; XML: flags of NVIDIA's driver; NVC: C-series types; MIGUG: the MIG guide;
GH:...: issue threads; FD: Denneman's catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from placer import place, verify
from placer_models.document import Faults
from placer_models.plan import Placed, PlacedGpu, Placements
from tests.agreement import World
from tests.worlds import gpu, host, vm, want

Values = dict[str, Any]

A40, L4, T4, M60, P40 = "A40", "L4", "Tesla T4", "Tesla M60", "Tesla P40"
A100, A100_80, H100, A30, A16 = "A100 PCIe 40GB", "A100 PCIe 80GB", "H100 PCIe 80GB", "A30", "A16"
VSPHERE8 = {"kind": "vsphere", "version": "8.0.3", "slots": "chosen"}


def big(name: str, *gpus: Values) -> Values:
    """A host that never lacks CPUs or memory."""
    return host(name, *gpus, cpus=1000, memory_mib=10**6)


def asking(*profiles: str) -> list[Values]:
    """A VM for each profile: v0, v1 ..."""
    return [vm(f"v{i}", want(profile)) for i, profile in enumerate(profiles)]


def started(
    hosts: Sequence[Values], vms: Sequence[Values], platform: Values | None = None
) -> dict[str, list[PlacedGpu]]:
    """Which of the pending VMs start, and what each gets."""
    answer = place(World("example", hosts, vms, platform=platform or VSPHERE8).snapshot())
    assert all(gap == 0 for goal, gap in answer.gap.items() if goal.startswith("placed")), "not proven"
    return {placed.vm: list(placed.gpus) for placed in answer.placed}


def is_held(model: str, sharing: str, *held: tuple[str, int | None]) -> bool:
    """Whether a snapshot in which VMs hold this of one GPU is taken."""
    try:
        vms = [
            vm(f"r{i}", want(name, at="g0" if at is None else f"g0/{at}"), on="h1") for i, (name, at) in enumerate(held)
        ]
        World("example", [big("h1", gpu(model, sharing))], vms).snapshot()
    except Faults:
        return False
    return True


# 1.3 what may share one GPU

TOGETHER = [
    pytest.param(M60, "same-size", ["M60-2Q"] * 4, True, id="UG8: four M60-2Q"),
    pytest.param(M60, "same-size", ["M60-2Q"] * 5, False, id="UG8: a fifth M60-2Q"),
    pytest.param(M60, "same-size", ["M60-4Q"] * 2, True, id="UG8: two M60-4Q"),
    pytest.param(M60, "same-size", ["M60-4Q"] * 3, False, id="UG8: a third M60-4Q"),
    pytest.param(M60, "same-size", ["M60-1B", "M60-2Q"], False, id="UG8: two types on one GPU"),
    pytest.param(M60, "same-size", ["M60-2B", "M60-2Q"], False, id="UG8: two types of one size on one GPU"),
    pytest.param(A40, "same-size", ["A40-2B", "A40-2Q"], True, id="UG17: one size, two series"),
    pytest.param(A40, "same-size", ["A40-2Q", "A40-4Q"], False, id="UG17: two sizes, equal-size mode"),
    pytest.param(T4, "same-size", ["T4-4Q", "T4-8Q"], False, id="driver 525: different sizes: no"),
    pytest.param(A40, "mixed-size", ["A40-2Q", "A40-4Q"], True, id="UG17: two sizes, mixed-size mode"),
    pytest.param(A40, "mixed-size", ["A40-2B", "A40-4Q"], True, id="UG17: two sizes and series, mixed-size mode"),
    pytest.param(L4, "same-size", ["L4-8Q", "L4-8C"], True, id="VM-83: vSphere 8.0 U2 mixes 8q and 8c"),
    pytest.param(L4, "mixed-size", ["L4-8Q", "L4-4Q"], True, id="VM-83: vSphere 8.0 U3 mixes sizes"),
]


@pytest.mark.parametrize(("model", "sharing", "profiles", "fit"), TOGETHER)
def test_they_share_one_gpu_or_one_waits(model: str, sharing: str, profiles: list[str], fit: bool) -> None:
    assert (len(started([big("h1", gpu(model, sharing))], asking(*profiles))) == len(profiles)) == fit


def test_ug8_gpus_of_one_board_are_independent() -> None:
    board = big("h1", gpu(M60, "same-size", board="b"), gpu(M60, "same-size", board="b"))
    assert len(started([board], asking(*["M60-2Q"] * 4, *["M60-4Q"] * 2))) == 6
    assert len(started([board], asking("M60-1B", "M60-2Q"))) == 2
    assert len(started([board], asking(*["M60-2Q"] * 9))) == 8
    assert len(started([board], asking(*["M60-4Q"] * 5))) == 4


@pytest.mark.parametrize("model", [T4, "Tesla V100 PCIe 16GB", "Tesla V100 PCIe 32GB", "Quadro RTX 6000"])
def test_ug17_mixed_size_needs_ampere(model: str) -> None:
    with pytest.raises(Faults, match="can stand in"):
        World("example", [host("h1", gpu(model, "mixed-size"))], []).snapshot()


def test_ug17_a_gpu_changes_its_mode_only_while_no_vgpu_runs_on_it() -> None:
    switchable = [big("h1", gpu(A40, "same-size", "mixed-size"))]
    two_sizes = asking("A40-2Q", "A40-4Q")
    assert len(started(switchable, two_sizes)) == 2
    running = vm("running", want("A40-2Q", at="g0/0"), on="h1")
    assert list(started(switchable, [running, *two_sizes])) == ["v0"]


# 1.4 where each size may start in mixed-size mode

EVERY: dict[str, dict[int, Sequence[int]]] = {
    "A16": {16: [0], 8: [0, 8], 4: [0, 4, 8, 12], 2: range(0, 16, 2), 1: range(16)},
    "A10M": {20: [0], 10: [0, 10], 5: [0, 5, 10, 15], 4: [0, 6, 10, 16], 2: [0, 3, 5, 8, 10, 13, 15, 18]},
    "L4": {24: [0], 12: [0, 12], 8: [0, 16], 6: [0, 6, 12, 18], 4: [0, 8, 12, 20], 3: range(0, 24, 3),
           2: [0, 4, 6, 10, 12, 16, 18, 22]},
    "RTX 5000 Ada Generation": {size: range(0, 32, size) for size in (1, 2, 4, 8, 16, 32)},
    "A100 PCIe 40GB": {40: [0], 20: [0, 20], 10: range(0, 40, 10), 8: [0, 12, 20, 32], 5: range(0, 40, 5),
                       4: [0, 6, 10, 16, 20, 26, 30, 36]},
    "A40": {48: [0], 24: [0, 24], 16: [0, 32], 12: range(0, 48, 12), 8: [0, 16, 24, 40], 6: range(0, 48, 6),
            4: [0, 8, 12, 20, 24, 32, 36, 44], 3: range(0, 48, 3)},
    "H100 SXM5 64GB": {size: range(0, 64, size) for size in (4, 8, 16, 32, 64)},
    "H100 PCIe 80GB": {80: [0], 40: [0, 40], 20: range(0, 80, 20), 16: [0, 24, 40, 64], 10: range(0, 80, 10),
                       8: [0, 12, 20, 32, 40, 52, 60, 72], 5: range(0, 80, 5),
                       4: [0, 6, 10, 16, 20, 26, 30, 36, 40, 46, 50, 56, 60, 66, 70, 76]},
    "H100 PCIe 94GB": {94: [0], 47: [0, 47], 23: [0, 24, 47, 71], 15: [0, 32, 47, 79],
                       11: [0, 12, 23, 36, 47, 59, 70, 83], 6: [0, 17, 23, 41, 47, 64, 70, 88]},
    "RTX PRO 6000 Blackwell Server Edition": {96: [0], 48: [0, 48], 32: [0, 32, 64],
                                              **{size: range(0, 96, size) for size in (24, 16, 12, 8)}},
}  # fmt: skip
"""UG17 A.3, NV5 appendix B; 96 GB: FD."""


def _profile(model: str, size: int) -> str:
    found = World("example", [], []).snapshot().catalogue.find(model)
    return next(
        one.name
        for one in found.profiles
        if one.series in ("Q", "C") and one.gpu_instance_profile is None and round(one.framebuffer_mib / 1024) == size
    )


@pytest.mark.parametrize("model", EVERY)
def test_ug17_a_size_starts_where_the_placement_table_says_and_nowhere_else(model: str) -> None:
    gib = max(EVERY[model])
    for size, starts in EVERY[model].items():
        profile = _profile(model, size)
        assert [at for at in range(gib + 1) if is_held(model, "mixed-size", (profile, at))] == list(starts), profile


LOWER = [
    (A100_80, 16, 4, 5), (A100_80, 8, 8, 10), (A100_80, 4, 16, 20), (A40, 16, 2, 3), (A40, 8, 4, 6), (A40, 4, 8, 12),
    (A40, 2, 16, 24), (A40, 1, 30, 32), ("L40S", 1, 16, 32), (L4, 8, 2, 3), (L4, 4, 4, 6), (L4, 2, 8, 12),
    (L4, 1, 16, 24),
    ("H100 PCIe 94GB", 15, 4, 6), ("H100 PCIe 94GB", 6, 8, 15), ("H100 PCIe 94GB", 4, 16, 23),
]  # fmt: skip
"""Model, size, the most in mixed-size mode, and in equal-size mode (UG17, NVC)."""


@pytest.mark.parametrize(("model", "size", "mixed", "same"), LOWER)
def test_ug17_mixed_size_mode_takes_fewer_of_a_size(model: str, size: int, mixed: int, same: int) -> None:
    profiles = asking(*[_profile(model, size)] * (same + 1))
    assert len(started([big("h1", gpu(model, "mixed-size"))], profiles)) == mixed
    assert len(started([big("h1", gpu(model, "same-size"))], profiles)) == same


def test_ug17_with_two_l4_6q_running_6_and_18_are_left() -> None:
    running = [vm(f"r{at}", want("L4-6Q", at=f"g0/{at}"), on="h1") for at in (0, 12)]
    found = started([big("h1", gpu(L4, "mixed-size"))], [*running, *asking(*["L4-6Q"] * 3)])
    assert sorted(gpus[0].slot for gpus in found.values() if gpus[0].slot is not None) == [6, 18]


def test_ug17_a_vm_whose_placement_id_is_taken_does_not_boot() -> None:
    world = World("example", [big("h1", gpu(L4, "mixed-size"))], asking("L4-6Q", "L4-8Q"), platform=VSPHERE8)
    placed = (
        Placed(vm="v0", host="h1", gpus=(PlacedGpu(gpu="g0", profile="L4-6Q", slot=6),)),
        Placed(vm="v1", host="h1", gpus=(PlacedGpu(gpu="g0", profile="L4-8Q", slot=0),)),
    )
    assert verify(world.snapshot(), Placements(status="feasible", placed=placed))


# 1.5 several vGPUs in one VM

IN_ONE = [
    pytest.param([A40, A40], "mixed-size", ["A40-48C", "A40-16C"], True, id="NV8M: A40-48C and A40-16C"),
    pytest.param([A100], "mig", ["A100-4-20C", "A100-2-10C"], True, id="NV8M: A100-4-20C and A100-2-10C"),
    pytest.param([A30, A16], "same-size", ["A30-8C", "A16-8C"], False, id="NV8M: A30-8C and A16-8C"),
    pytest.param([A40, A40], "same-size", ["A40-24Q", "A40-24C"], False, id="NV8M: two series"),
    pytest.param([M60, M60], "same-size", ["M60-8Q"] * 2, True, id="XML: Maxwell, the full Q"),
    pytest.param([M60, M60], "same-size", ["M60-4Q"] * 2, False, id="XML: Maxwell, a smaller Q"),
    pytest.param([P40, P40], "same-size", ["P40-24Q"] * 2, True, id="XML: Pascal, the full Q"),
    pytest.param([P40, P40], "same-size", ["P40-12Q"] * 2, False, id="XML: Pascal, a smaller Q"),
    pytest.param([T4], "same-size", ["T4-8Q"] * 2, True, id="XML: Volta and later, every Q"),
    pytest.param([T4], "same-size", ["T4-8C"] * 2, True, id="XML: Volta and later, every C"),
    pytest.param([A40, A40], "same-size", ["A40-48A"] * 2, False, id="XML: never A"),
    pytest.param([A40, A40], "same-size", ["A40-2B"] * 2, False, id="XML: never B"),
]


@pytest.mark.parametrize(("models", "sharing", "profiles", "fit"), IN_ONE)
def test_a_vm_has_them_together_or_waits(models: list[str], sharing: str, profiles: list[str], fit: bool) -> None:
    one = vm("several", *map(want, profiles))
    assert bool(started([big("h1", *(gpu(model, sharing) for model in models))], [one])) == fit


def test_nv8m_they_are_on_one_host_on_several_gpus_if_need_be() -> None:
    one = vm("several", want("A40-48C"), want("A40-16C"))
    each = [big(name, gpu(A40, "mixed-size")) for name in ("h1", "h2")]
    assert not started(each, [one])
    assert started([*each, big("h3", gpu(A40, "mixed-size"), gpu(A40, "mixed-size"))], [one])


FULL_ONLY = [
    pytest.param("6.7", ["V100-16Q"] * 4, True, id="VM-67: four whole ones"),
    pytest.param("6.7", ["V100-16Q"] * 5, False, id="VM-67: a fifth"),
    pytest.param("6.7", ["V100-8Q"] * 2, False, id="VM-67: no part of a frame buffer"),
    pytest.param("7.0", ["V100-8Q"] * 2, False, id="NVC: vSphere 7: whole frame buffers only"),
    pytest.param("8.0", ["V100-8Q"] * 8, True, id="MAX8: eight in vSphere 8"),
    pytest.param("8.0", ["V100-8Q"] * 9, False, id="MAX8: a ninth"),
]


@pytest.mark.parametrize(("version", "profiles", "fit"), FULL_ONLY)
def test_vsphere_says_how_many_and_which(version: str, profiles: list[str], fit: bool) -> None:
    platform = {"kind": "vsphere", "version": version, "slots": "chosen"}
    machine = big("h1", *[gpu("Tesla V100 PCIe 16GB", "same-size")] * 5)
    assert bool(started([machine], [vm("several", *map(want, profiles))], platform)) == fit


@pytest.mark.parametrize(("kind", "count", "fit"), [("vsphere", 32, 1), ("vsphere", 33, 0), ("kvm", 33, 1)])
def test_max8_a_vm_on_vsphere_has_at_most_32_gpus_passed_through(kind: str, count: int, fit: int) -> None:
    machine = big("h1", *[gpu(M60)] * 34)
    assert len(started([machine], [vm("several", want(count=count, models=[M60]))], {"kind": kind})) == fit


@pytest.mark.parametrize(("said", "fit"), [({}, 0), ({"most_vgpus_per_vm": 4}, 1)])
def test_on_ahv_a_vm_has_several_vgpus_where_the_site_says_so(said: Values, fit: int) -> None:
    machine = big("h1", gpu(A40, "same-size"), gpu(A40, "same-size"))
    assert len(started([machine], [vm("several", want("A40-48Q", count=2))], {"kind": "ahv", **said})) == fit


# 2.3 MIG


def slots(model: str, *profiles: str, running: Sequence[tuple[str, int]] = ()) -> dict[str, int | None]:
    """The slot of each of these instances that finds one."""
    others = [vm(f"r{i}", want(name, at=f"g0/{at}"), on="h1") for i, (name, at) in enumerate(running)]
    found = started([big("h1", gpu(model, "mig"))], [*others, *asking(*profiles)])
    return {name: gpus[0].slot for name, gpus in found.items()}


def test_migug_4g_2g_1g_stand_at_0_4_6() -> None:
    assert slots(A100, "4g.20gb", "2g.10gb", "1g.5gb") == {"v0": 0, "v1": 4, "v2": 6}


def test_migug_1g_1g_2g_3g_succeeds_in_an_order_that_begins_with_the_3g() -> None:
    assert len(slots(A100, "1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb")) == 4
    assert is_held(A100, "mig", ("3g.20gb", 4), ("1g.5gb", 0), ("2g.10gb", 2), ("1g.5gb", 1))


def test_migug_1g_1g_2g_3g_created_in_that_order_is_not_sure() -> None:
    profiles = ("1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb")
    platform = {"kind": "vsphere", "slots": "worst-case"}
    world = World("example", [big("h1", gpu(A100, "mig"))], asking(*profiles), platform=platform)
    placed = tuple(
        Placed(vm=f"v{i}", host="h1", gpus=(PlacedGpu(gpu="g0", profile=profile, slot=slot),))
        for i, (profile, slot) in enumerate(zip(profiles, (0, 1, 2, 4), strict=True))
    )
    assert verify(world.snapshot(), Placements(status="feasible", placed=placed))


def test_2g_and_five_1g_fill_an_a100() -> None:
    assert len(slots(A100, "2g.10gb", *["1g.5gb"] * 5)) == 6
    assert is_held(A100, "mig", ("2g.10gb", 4), *(("1g.5gb", at) for at in (0, 1, 2, 3, 6)))


def test_two_3g_leave_no_memory_slice_for_a_1g() -> None:
    assert len(slots(A100, "3g.20gb", "3g.20gb", "1g.5gb")) == 2
    assert slots(A100, "1g.5gb", running=[("3g.20gb", 0), ("3g.20gb", 4)]) == {}


def test_migug_a_second_media_extension_is_refused() -> None:
    assert len(slots(A100, *["1g.5gb+me"] * 3)) == 1


@pytest.mark.parametrize(
    "profiles", [["A100-2-10C"] * 3, ["A100-3-20C"] * 2, ["A100-4-20C", "A100-2-10C", "A100-1-5C"]], ids=" + ".join
)
def test_ug17_vgpus_on_instances_of_an_a100(profiles: list[str]) -> None:
    assert len(slots(A100, *profiles)) == len(profiles)


@pytest.mark.parametrize("profile", ["4g.40gb", "3g.40gb"])
def test_gh_dra_933_with_1g_at_0_1_and_5_nothing_large_is_placeable(profile: str) -> None:
    assert slots(H100, profile, running=[("1g.10gb", 0), ("1g.10gb", 1), ("1g.10gb", 5)]) == {}


def test_gh_dra_35_a_1g_fails_by_position_beside_two_2g() -> None:
    stand = [("2g.20gb", 0), ("2g.20gb", 2)]
    assert not is_held(A100_80, "mig", *stand, ("1g.10gb", 3))
    assert slots(A100_80, "1g.10gb", running=stand)["v0"] in (4, 5, 6)


def test_gh_mig_parted_29_a_4g_cannot_come_after_a_3g_that_took_0() -> None:
    assert slots(H100, "4g.40gb", running=[("3g.40gb", 0)]) == {}
    assert slots(H100, "3g.40gb", "4g.40gb") == {"v0": 4, "v1": 0}


def test_gh_mig_parted_29_where_the_manager_takes_the_first_slot_the_4g_starts_first() -> None:
    platform = {"kind": "vsphere", "slots": "first-legal"}
    world = World("example", [big("h1", gpu(H100, "mig"))], asking("3g.40gb", "4g.40gb"), platform=platform)
    answer = place(world.snapshot())
    assert [placed.vm for placed in answer.placed] == ["v1", "v0"]
    backwards = answer.model_copy(update={"placed": answer.placed[::-1]})
    assert verify(world.snapshot(), backwards)


@pytest.mark.parametrize(("version", "taken"), [("8.0.2", False), ("8.0.3", True), ("9.0", True), (None, True)])
def test_vm_83_vsphere_mixes_sizes_from_8_u3_on(version: str | None, taken: bool) -> None:
    platform = {"kind": "vsphere", **({"version": version} if version else {})}
    for found in (gpu(A40, "mixed-size"), gpu(A40, "same-size", "mixed-size")):
        world = World("example", [big("h1", found)], asking("A40-4Q", "A40-8Q"), platform=platform)
        if taken:
            assert len(place(world.snapshot()).placed) == 2
        else:
            with pytest.raises(Faults, match=r"'mixed-size', which vSphere has from 8\.0\.3 on"):
                world.snapshot()


@pytest.mark.parametrize(("version", "fit"), [("8.0.2", 0), ("8.0.3", 1)])
def test_nvc_a_slice_with_twice_its_memory_is_had_on_esxi_from_8_u3_on(version: str, fit: int) -> None:
    platform = {"kind": "vsphere", "version": version}
    assert len(started([big("h1", gpu(H100, "mig"))], asking("H100-1-20C"), platform)) == fit
    assert len(started([big("h1", gpu(H100, "mig"))], asking("H100-1-10C"), platform)) == 1


LINKED = [
    pytest.param("same-size", want("H100XM-80C", count=2), True, id="NVC: full-size vGPUs of series C"),
    pytest.param("passthrough", want(count=2), True, id="FM: whole GPUs"),
    pytest.param("same-size", want("H100XM-40C", count=2), False, id="NVC: vGPUs of half a GPU"),
    pytest.param("mig", want("H100XM-1-10C", count=2), False, id="NVC: MIG-backed"),
    pytest.param("mig", want("7g.80gb", count=2), False, id="NVC: MIG, the whole of it"),
]


@pytest.mark.parametrize(("sharing", "ask", "joined"), LINKED)
def test_nvlink_joins_whole_gpus_and_full_size_vgpus_of_series_c(sharing: str, ask: Values, joined: bool) -> None:
    pair = {
        **big("h1", gpu("H100XM", sharing), gpu("H100XM", sharing)),
        "nvlink_groups": [["g0", "g1"], ["g0"], ["g1"]],
    }
    found = started([pair], [vm("v", ask, needs={"nvlink": True})])
    assert [[one.gpu for one in gpus] for gpus in found.values()] == ([["g0", "g1"]] if joined else [])
