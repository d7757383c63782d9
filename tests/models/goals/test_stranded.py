"""Goal `stranded`: free GPU that the typical asks cannot use."""

from __future__ import annotations

from placer import place
from placer_models.goals.stranded import Stranded
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, off, on, profile, values, whole


def stranded(hosts: list[Json], *vms: Json) -> int:
    scene = Scene.now(Snapshot.of(values(hosts, list(vms))).content)
    return Stranded().score(scene, scene, [])


def test_a_free_gpu_strands_nothing() -> None:
    assert stranded([host("h1", gpu("T4", "same-size"))], off("a", profile("T4-16Q"))) == 0


def test_half_a_t4_is_stranded_for_those_who_want_all_of_it() -> None:
    hosts = [host("h1", gpu("T4", "same-size"))]
    half = on("half", "h1", profile("T4-8Q", "g0", 0))
    assert stranded(hosts, half) == 0
    assert stranded(hosts, half, off("whole", profile("T4-16Q"))) == 250  # half of the asks cannot use the other half
    assert stranded(hosts, half, *(off(f"w{i}", profile("T4-16Q")) for i in range(3))) == 375


def test_what_no_ask_could_ever_use_of_a_gpu_is_not_counted() -> None:
    assert stranded([host("h1", gpu("Tesla P4", "same-size"))], off("a", profile("T4-8Q"))) == 0


def test_a_host_in_maintenance_strands_nothing() -> None:
    hosts = [host("h1", gpu("T4", "same-size"), state="maintenance")]
    assert stranded(hosts, on("half", "h1", profile("T4-8Q", "g0", 0)), off("whole", profile("T4-16Q"))) == 0


def test_positions_matter() -> None:
    hosts = [host("h1", gpu("A30", "mig"))]
    others = off("large", profile("2g.12gb"))
    assert stranded(hosts, on("a", "h1", profile("1g.6gb", "g0", 0)), others) < stranded(
        hosts, on("a", "h1", profile("1g.6gb", "g0", 0)), on("b", "h1", profile("1g.6gb", "g0", 2)), others
    )


def test_a_1g_goes_where_the_2g_keeps_its_place() -> None:
    hosts = [host("h1", gpu("A30", "mig"))]
    vms = [
        on("old", "h1", profile("1g.6gb", "g0", 3)),
        off("new", profile("1g.6gb")),
        off("idle", profile("2g.12gb"), labels={"idle": "y"}),
    ]
    answer = place(Snapshot.of(values(hosts, vms)))
    assert [placed.gpus[0].slot for placed in answer.placed] == [2]
    assert answer.gap["stranded"] == 0


def test_where_layouts_are_too_many_to_list_it_claims_no_bound_and_the_starts_stay_proven() -> None:
    hosts = [host("h1", gpu("A40", "mixed-size"))]
    answer = place(Snapshot.of(values(hosts, [off("a", profile("A40-2Q")), off("b", profile("A40-4Q"))])))
    assert answer.gap["placed"] == 0
    assert answer.score["placed"] == 2
    assert answer.bound["stranded"] is None


def test_a_gpu_that_might_be_passed_through_were_it_empty_is_told_from_one_that_could_not() -> None:
    hosts = [host("h1", gpu("A30", "mig"), gpu("A30", "mig", may_share=["mig", "passthrough"]))]
    engines = [on(f"me{n}", "h1", profile("1g.6gb+me", f"g{n}", 0)) for n in range(2)]
    others = [off("more", profile("1g.6gb+me")), off("whole", whole("A30"), labels={"idle": "y"})]
    answer = place(Snapshot.of(values(hosts, [*engines, *others])))
    assert (answer.score["stranded"], answer.gap["stranded"]) == (stranded(hosts, *engines, *others), 0)
