"""Several VMs placed in turn: where that is the best answer nothing is searched for, else it is not taken."""

from __future__ import annotations

import pytest

from placer import Decision, Session, place
from placer_models.decision import shipped_decision
from placer_models.snapshot import PowerOn, Snapshot
from tests.build import gpu, host, off, on, snapshot, whole

MOST_GPU = shipped_decision("gpu_allocation")


def farm(*vms: str, gpus: int = 2) -> Snapshot:
    return snapshot([host("h1", *[gpu("Tesla T4")] * gpus)], [off(name, whole("Tesla T4")) for name in vms])


@pytest.fixture
def unsearched(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(Session, "_searched", never)


@pytest.mark.usefixtures("unsearched")
def test_all_that_find_room_in_turn_are_the_best_answer() -> None:
    story = farm("a", "b")
    session = Session(story, MOST_GPU)
    before = session.snapshot()
    proposal = session.propose_many(["a", "b"])
    assert dict(proposal.score) == dict(place(story, MOST_GPU).score)
    assert (proposal.status, set(proposal.why)) == ("optimal", {"a", "b"})
    assert session.snapshot() == before
    session.commit(proposal)
    assert sum(vm.power == "on" for vm in session.snapshot().vms) == 2


@pytest.mark.usefixtures("unsearched")
def test_the_largest_come_first_so_that_all_fit() -> None:
    pair = off("pair", whole("Tesla T4", count=2))
    story = snapshot(
        [host("h1", gpu("Tesla T4"), gpu("Tesla T4")), host("h2", gpu("Tesla T4"))],
        [off("one", whole("Tesla T4")), pair],
    )
    assert {one.vm for one in Session(story, MOST_GPU).propose_many(["one", "pair"]).placed} == {"one", "pair"}


@pytest.mark.usefixtures("unsearched")
def test_who_could_never_be_placed_stays_off_with_the_reasons_that_place_gives() -> None:
    story = snapshot(
        [host("h1", gpu("Tesla T4"))], [off("a", whole("Tesla T4")), off("big", whole("Tesla T4", count=2))]
    )
    session = Session(story, MOST_GPU)
    proposal = session.propose_many(["a", "big"])
    assert [one.vm for one in proposal.placed] == ["a"]
    assert [one.reasons for one in proposal.unplaced] == [one.reasons for one in place(story, MOST_GPU).unplaced]
    assert session.propose_many(["a", "big"], reasons=False).unplaced[0].reasons == ()


def test_where_they_take_each_other_s_room_it_is_searched_for() -> None:
    story = farm("a", "b", "c")
    proposal = Session(story, MOST_GPU).propose_many(["a", "b", "c"])
    assert dict(proposal.score) == dict(place(story, MOST_GPU).score)
    assert "searched for" in next(iter(proposal.why.values()))


@pytest.mark.usefixtures("unsearched")
def test_each_priority_is_counted_by_itself() -> None:
    asked = (PowerOn(vm="a", priority=1), PowerOn(vm="b"))
    story = farm("a", "b").with_parts(requests=asked)
    decision = MOST_GPU.model_copy(update={"goals": ("placed",)})
    proposal = Session(story, decision).propose_many(asked)
    assert dict(proposal.score) == dict(place(story, decision).score) == dict.fromkeys(proposal.score, 1)


def test_goals_that_look_at_more_are_searched_for() -> None:
    story = farm("a", "b")
    assert dict(Session(story).propose_many(["a", "b"]).score) == dict(place(story).score)


def test_wishes_that_are_broken_already_are_counted_where_nobody_finds_room() -> None:
    wished = Decision.model_validate({"format": "placer.decision/1", "name": "mine", "goals": ("should", "placed")})
    story = snapshot(
        [host("h1", cpus=8)],
        [on("a", "h1"), on("b", "h1"), off("c")],
        rules=[{"kind": "apart", "vms": ["a", "b"], "strength": "should"}],
    )
    for asked in (["c"], []):
        requests = tuple(PowerOn(vm=name) for name in asked)
        cold = place(story.with_parts(requests=requests), wished)
        assert dict(Session(story, wished).propose_many(asked).score) == dict(cold.score)
        assert cold.score["should"] == 1
