"""Among hosts that the goals find equal a session takes the one that can then still serve most of what is expected."""

from __future__ import annotations

import pytest

from placer import Session
from placer_models.cluster import Vm
from placer_models.decision import shipped_decision
from placer_models.goals.stranded import asks_made_by
from placer_models.snapshot import Snapshot
from tests.build import Json, gpu, host, off, on, profile, snapshot, whole

MOST_GPU = shipped_decision("gpu_allocation")


def shared() -> Json:
    return gpu("Tesla T4", "fraction")


def share(milli: int, *held: str) -> Json:
    return {"milli": milli, **({"at": [{"gpu": one} for one in held]} if held else {})}


def like(*documents: Json) -> list[Vm]:
    """VMs that are expected."""
    return list(snapshot([host("h", shared())], list(documents)).vms)


def chosen(story: Snapshot, expected: list[Vm], vm: str = "new") -> str | None:
    return Session(story, MOST_GPU, expected).propose(vm).host


@pytest.mark.parametrize("order", [1, -1])
def test_cpus_beside_gpus_are_left_to_those_who_need_both(order: int) -> None:
    hosts = [host("tight", shared(), cpus=12), host("wide", shared(), cpus=100)]
    expected = like(off("later", whole("Tesla T4"), cpus=10))
    assert chosen(snapshot(hosts[::order], [off("new", cpus=8)]), expected) == "wide"


@pytest.mark.parametrize("order", [1, -1])
def test_memory_beside_gpus_too(order: int) -> None:
    hosts = [host("tight", shared(), memory_gib=12), host("wide", shared(), memory_gib=100)]
    expected = like(off("later", whole("Tesla T4"), memory_gib=10))
    assert chosen(snapshot(hosts[::order], [off("new", memory_gib=8)]), expected) == "wide"


@pytest.mark.parametrize("order", [1, -1])
def test_a_share_goes_where_its_rest_serves_who_is_expected(order: int) -> None:
    hosts = [host("half", shared()), host("third", shared())]
    there = [on("a", "half", share(500, "g0")), on("b", "third", share(650, "g0"))]
    expected = like(off("x", share(500)), off("y", share(350)), off("z", share(650)))
    for milli, best in ((350, "third"), (500, "half")):
        story = snapshot(hosts[::order], [*there, off("new", share(milli))])
        assert chosen(story, expected) == best


def test_on_a_host_too_it_goes_to_the_gpu_whose_rest_it_fits() -> None:
    there = [on("a", "h", share(500, "g0")), on("b", "h", share(650, "g1"))]
    story = snapshot([host("h", shared(), shared(), shared())], [*there, off("new", share(350))])
    expected = like(off("x", share(500)), off("y", share(350)), off("z", share(650)))
    (placed,) = Session(story, MOST_GPU, expected).propose("new").placed
    assert [seat.gpu for seat in placed.gpus] == ["g1"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_host_stays_whole_for_who_needs_all_of_it(order: int) -> None:
    hosts = [host("empty", shared(), shared()), host("begun", shared(), shared())]
    story = snapshot(hosts[::order], [on("a", "begun", whole("Tesla T4", "g0")), off("new", whole("Tesla T4"))])
    assert chosen(story, like(off("pair", whole("Tesla T4", count=2)), off("one", whole("Tesla T4")))) == "begun"


def test_what_is_expected_is_learnt_from_who_has_come() -> None:
    session = Session(snapshot([host("a", shared()), host("b", shared())], []), MOST_GPU)
    where = {}
    for name, milli in (("first", 500), ("large", 650), ("small", 350), ("last", 500)):
        (vm,) = snapshot([], [off(name, share(milli))]).vms
        proposal = session.propose(vm)
        session.commit(proposal)
        where[name] = proposal.host
    assert where["small"] == where["large"]
    assert where["last"] == where["first"] != where["large"]


def test_expected_asks_without_their_cpus_are_looked_at_too() -> None:
    hosts = [host("empty", shared()), host("begun", shared())]
    story = snapshot(hosts, [on("old", "begun", share(400, "g0")), off("new", share(400))])
    asks = asks_made_by(like(off("big", whole("Tesla T4"))))
    assert Session(story, MOST_GPU, asks).propose("new").host == "begun"


@pytest.mark.parametrize(
    ("what", "instead"),
    [("placer.warm.worth.MOST_STATES", 1), ("placer.solve.prices.prices", lambda arcs, demand: None)],
)
def test_gpus_without_prices_are_worth_what_is_free(
    what: str, instead: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what, instead)
    hosts = [host("tight", shared(), cpus=12), host("wide", shared(), cpus=100)]
    expected = like(off("later", whole("Tesla T4"), cpus=10), off("half", share(500), cpus=10))
    assert chosen(snapshot(hosts, [off("new", cpus=8)]), expected) == "wide"


def test_vgpus_are_looked_ahead_for_by_the_same_prices() -> None:
    board = gpu("NVIDIA A40", "same-size", may_share=["same-size"])
    hosts = [host("empty", board), host("begun", board)]
    story = snapshot(
        hosts, [on("old", "begun", profile("NVIDIA A40-12Q", "g0", 0)), off("new", profile("NVIDIA A40-12Q"))]
    )
    (big,) = snapshot(hosts, [off("big", profile("NVIDIA A40-24Q"))]).vms
    assert Session(story, MOST_GPU, [big]).propose("new").host == "begun"


def test_a_cluster_without_gpus_has_nothing_to_look_ahead_for() -> None:
    story = snapshot([host("a"), host("b")], [off("new")])
    assert Session(story, MOST_GPU).propose("new").host == "a"
