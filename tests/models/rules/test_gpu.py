"""Rule `gpu`: every VM has the GPUs that it asked for, and no GPU gives more than it has."""

from __future__ import annotations

from typing import Any

import pytest

from placer_models.scene import Hold, Stand
from tests.asked import Asked
from tests.build import Json, gpu, host, off, on, profile, values, whole

M60 = gpu("Tesla M60", "same-size")


def asked(hosts: list[Json], *vms: Json, **more: Any) -> Asked:
    return Asked(values(hosts, list(vms), **more), "gpu")


def test_m60_1q_joins_m60_1q_and_not_m60_2q() -> None:
    one = asked(
        [host("h1", M60)],
        on("a", "h1", profile("M60-1Q", "g0", 0)),
        off("b", profile("M60-1Q")),
        off("c", profile("M60-2Q")),
    )
    assert one.why_not("b", "h1") is None
    assert one.why_not("c", "h1") == (
        "no room for M60-2Q on any of 1 GPUs that could take it (1 in use): GPU g0 is held by a"
    )


def test_whole_gpus_are_counted_by_mode() -> None:
    hosts = [host("h1", gpu(mode="compute")), host("h2", gpu(), gpu())]
    one = asked(
        hosts, on("r", "h2", whole("Tesla M60", "g0")), off("g", whole(count=2)), off("c", whole(mode="compute"))
    )
    assert one.why_not("c", "h1") is None
    assert one.why_not("c", "h2") == "no GPU for Tesla M60.compute (it has Tesla M60)"
    assert one.why_not("g", "h2") == "1 Tesla M60 free, 2 asked"
    assert one.why_not("g", "h1") == "no GPU for Tesla M60 (it has Tesla M60.compute)"


def test_held_gpus_are_said_over_several_hosts() -> None:
    hosts = [host("h1", gpu()), host("h2", gpu())]
    held = [on("a", "h1", whole("Tesla M60", "g0")), on("b", "h2", whole("Tesla M60", "g0"))]
    one = asked(hosts, *held, off("c", whole()))
    assert one.why_not("c", "h1") == "no free Tesla M60 (1 of 1 held): GPU g0 is held by a"
    assert one.why_not("c", "h1", "h2") == "no free Tesla M60 (2 of 2 held)"


def test_cuda_on_maxwell_is_only_in_the_full_profile() -> None:
    one = asked(
        [host("h1", M60)],
        off("half", profile("M60-4Q"), needs={"cuda": True}),
        off("full", profile("M60-8Q"), needs={"cuda": True}),
    )
    assert one.why_not("half", "h1") == "M60-4Q has no CUDA here"
    assert one.why_not("full", "h1") is None


def test_free_gpus_on_two_boards_are_not_together() -> None:
    hosts = [host("h1", gpu(board="b1"), gpu(board="b2"))]
    one = asked(hosts, off("pair", whole(count=2), needs={"same_board": True}))
    assert one.why_not("pair", "h1") == "2 Tesla M60 are free, but not together on one board"


STANDS = [
    pytest.param((), "asks for 1 GPU items and has 0", id="nothing"),
    pytest.param((Hold("g9", "same-size", "M60-1Q", 0),), "holds GPU g9, which is not on this host", id="no such GPU"),
    pytest.param((Hold("g0", "same-size", "M60-2Q", 0),), "asks for M60-1Q and holds M60-2Q at slot 0", id="another"),
    pytest.param(
        (Hold("g0", "mixed-size", "M60-1Q", 0),), "cannot be had of a Tesla M60 in sharing mixed-size", id="sharing"
    ),
    pytest.param((Hold("g0", "same-size", "M60-1Q", 8),), "slot 8 is no legal start", id="slot"),
]


@pytest.mark.parametrize(("holds", "said"), STANDS)
def test_what_a_vm_holds_is_checked(holds: tuple[Hold, ...], said: str) -> None:
    one = asked([host("h1", M60)], off("a", profile("M60-1Q")))
    one.scene.put(Stand("a", "h1", holds))
    assert any(said in breach for breach in one.breaches)


def test_a_gpu_is_in_one_sharing_at_a_time_and_only_in_its_own() -> None:
    one = asked([host("h1", gpu("T4", "same-size"))], off("a", profile("T4-8Q")), off("b", {"milli": 100}))
    one.scene.put(Stand("a", "h1", (Hold("g0", "same-size", "T4-8Q", 0),)))
    one.scene.put(Stand("b", "h1", (Hold("g0", "fraction", milli=100),)))
    assert list(one.breaches) == ["h1: GPU g0: is held in several sharings at once (fraction, same-size)"]
    alone = asked([host("h1", gpu("T4", "same-size"))], off("b", {"milli": 100}))
    alone.scene.put(Stand("b", "h1", (Hold("g0", "fraction", milli=100),)))
    assert list(alone.breaches) == ["h1: GPU g0: may not be put in sharing fraction"]


def test_a_profile_of_a_gpu_that_stands_in_another_sharing_says_which_would_do() -> None:
    one = asked([host("h1", gpu("A40")), host("h2", gpu("A40", "same-size")), host("h3")], off("a", profile("A40-8Q")))
    assert one.why_not("a", "h1") == "its A40 may not be put in same-size or mixed-size, where A40-8Q can be had"
    assert one.why_not("a", "h2") is None
    assert one.why_not("a", "h3") == "no GPU for A40-8Q (it has none)"


def test_a_mig_layout_that_is_kept_gives_its_own_instances_only() -> None:
    kept = [{"profile": "2g.12gb", "slot": 2}, {"profile": "MIG 1g.6gb", "slot": 0}]
    one = asked(
        [host("h1", gpu("A30", "mig", mig_layout=kept))], off("a", profile("4g.24gb")), off("b", profile("1g.6gb"))
    )
    assert one.why_not("a", "h1") == "no instance for 4g.24gb in the MIG layouts that its GPUs keep"
    assert one.why_not("b", "h1") is None
    one.scene.put(Stand("b", "h1", (Hold("g0", "mig", "1g.6gb", 1),)))
    assert list(one.breaches) == ["h1: GPU g0: slot 1 is no legal start; legal: 0"]


def test_a_name_that_means_another_board_than_the_hosts_is_said() -> None:
    hosts = [host("h1", gpu("NVIDIA H100 80GB HBM3")), host("h2", gpu("Tesla T4"))]
    one = asked(hosts, off("a", whole("H100")), off("b", whole("Tesla M60")))
    said = "no GPU for H100, which is H100 PCIe 80GB (it has NVIDIA H100 80GB HBM3)"
    assert one.why_not("a", "h1") == said
    assert one.why_not("a", "h2") == "no GPU for H100 (it has Tesla T4)"
    assert one.why_not("b", "h1") == "no GPU for Tesla M60 (it has NVIDIA H100 80GB HBM3)"


def test_gpus_in_the_wrong_sharing_are_called_as_they_are() -> None:
    hosts = [host("h1", gpu("Tesla M60", "same-size"), gpu("Tesla T4", "same-size"))]
    part = {"models": ["Tesla T4", "L40S"], "milli": 500}
    several = {"models": ["Tesla M60", "L40S"]}
    one = asked(hosts, off("part", part), off("several", several))
    said = "its Tesla T4 may not be put in fraction, where 500/1000 of a Tesla T4 or L40S can be had"
    assert one.why_not("part", "h1") == said
    assert one.why_not("several", "h1") == "its Tesla M60 may not be put in pass-through"


def test_more_vgpus_than_are_confirmed_of_a_platform_are_said_with_the_key_that_allows_them() -> None:
    hosts, vm = [host("h1", gpu("A16", "same-size"))], off("a", profile("A16-16Q", count=2))
    said = "2 vGPUs are more than the 1 that one VM can have on AHV"
    assert asked(hosts, vm, kind="ahv").why_not("a", "h1") == f"{said}, unless 'most_vgpus_per_vm' says otherwise"
    told = asked(hosts, vm, platform={"kind": "ahv", "most_vgpus_per_vm": 1})
    assert told.why_not("a", "h1") == said
