"""The cluster-wide view: who holds what, what is free, what could still start, what is stranded."""

from __future__ import annotations

import pytest

from placer import show
from placer_models.view import GpuView, View
from tests.build import Json, gpu, host, off, on, profile, snapshot, whole


def only(view: View) -> GpuView:
    """The one GPU of the one host."""
    ((one,),) = (one.gpus for one in view.hosts)
    return one


def test_a_gpu_shows_who_holds_it_and_what_is_free() -> None:
    held = on("desk", "a", profile("M60-2Q", "g0", 0))
    view = show(snapshot([host("a", gpu(sharing="same-size"))], [held, off("new", profile("M60-4Q"))]))
    one = only(view)
    assert [(holder.vm, holder.profile, holder.slot) for holder in one.holders] == [("desk", "M60-2Q", 0)]
    assert one.free_milli == 750
    assert one.more == {"M60-2Q": 3}
    assert (view.running, view.asked) == (1, 1)


def test_free_memory_that_no_ask_can_use_is_stranded() -> None:
    hosts = [host("a", gpu(sharing="same-size"))]
    running = on("small", "a", profile("M60-1Q", "g0", 0), labels={"idle": "yes"})
    view = show(snapshot(hosts, [running, off("big", profile("M60-8Q"))]))
    assert only(view).stranded_milli == 0  # seven more of what runs would fit
    alone = on("whole", "a", {"models": ["Tesla T4"], "milli": 300, "at": [{"gpu": "g0"}]})
    view = show(snapshot([host("a", gpu("Tesla T4", "fraction"))], [alone]))
    one = only(view)
    assert (one.free_milli, one.more, one.stranded_milli) == (700, {"300/1000 of Tesla T4": 2}, 100)
    assert one.stranded_mib == 1638


MOST: dict[str, tuple[Json, list[Json], str, int]] = {
    "an empty GPU in any sharing it may take": (
        gpu(may_share=["passthrough", "same-size"]),
        [off("x", profile("M60-2Q"))],
        "M60-2Q",
        4,
    ),
    "a MIG GPU with a slice taken": (
        gpu("A100 PCIe 40GB", "mig"),
        [on("x", "a", profile("1g.5gb", "g0", 0)), off("y", profile("3g.20gb"))],
        "3g.20gb",
        1,
    ),
    "a mixed-size GPU": (
        gpu("A40", "mixed-size"),
        [on("x", "a", profile("A40-8Q", "g0", 0)), off("y", profile("A40-12Q"))],
        "A40-12Q",
        3,
    ),
    "a passed-through GPU": (gpu(), [off("x", whole())], "whole Tesla M60", 1),
    "a held one": (gpu(), [on("x", "a", whole("Tesla M60", "g0"))], "whole Tesla M60", 0),
}


@pytest.mark.parametrize("name", MOST)
def test_what_a_gpu_could_still_take_is_counted(name: str) -> None:
    card, vms, ask, count = MOST[name]
    assert only(show(snapshot([host("a", card)], vms))).more.get(ask, 0) == count


def test_cuda_is_not_counted_where_the_profile_has_none() -> None:
    asked = off("x", profile("M60-2Q"), needs={"cuda": True})
    assert only(show(snapshot([host("a", gpu(sharing="same-size"))], [asked]))).more == {}


def test_hosts_that_are_not_up_are_told_apart_in_the_sums() -> None:
    hosts = [host("a", gpu()), host("b", gpu(), state="maintenance"), host("c", gpu(mode="compute"))]
    view = show(snapshot(hosts, [on("x", "a", whole("Tesla M60", "g0"))]))
    sums = {total.model: (total.gpus, total.not_up, total.empty, total.free_milli) for total in view.totals}
    assert sums == {"Tesla M60": (2, 1, 0, 0), "Tesla M60.compute": (1, 0, 1, 1000)}
    assert view.more == {"whole Tesla M60": 0, "whole Tesla M60.compute": 1}


def test_a_model_with_several_names_is_counted_under_the_first() -> None:
    hosts = [host("a", gpu("Tesla M60")), host("b", gpu("NVIDIA Tesla M60")), host("c", gpu("Tesla M60.compute"))]
    assert show(snapshot(hosts, [])).more == {"whole Tesla M60": 2, "whole Tesla M60.compute": 1}


def test_what_is_broken_now_is_said() -> None:
    view = show(snapshot([host("a", cpus=2)], [on("x", "a", cpus=2), on("y", "a", cpus=2)]))
    assert view.broken_now == ("a: 4 CPUs are given, 2 can be",)
    assert (view.hosts[0].cpus_used, view.hosts[0].cpus) == (4, 2)


def test_a_cluster_without_anything_is_shown() -> None:
    assert show(snapshot([], [])).hosts == ()
