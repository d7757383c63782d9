"""A session: what it proposes, commits and knows afterwards is what the documents say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from placer import Faults, Session, StaleProposal, place
from placer_models.cluster import Vm
from placer_models.document import dump
from placer_models.goals.stranded import typical_asks
from placer_models.snapshot import PowerOn, Snapshot
from tests.build import gpu, host, off, on, profile, snapshot, whole

M60 = gpu("Tesla M60", "passthrough", may_share=["passthrough", "same-size"])


PAGE = Path(__file__).resolve().parents[2] / "docs" / "session.md"


def desks() -> Snapshot:
    """Two hosts with an M60 each; one desktop runs, two are off."""
    return snapshot(
        [host("esx01", M60), host("esx02", M60)],
        [
            on("old", "esx02", whole("Tesla M60", "g0"), may={"live_migrate": True}),
            off("desk", profile("M60-2Q")),
            off("render", whole("Tesla M60")),
        ],
    )


def cold(now: Snapshot) -> Snapshot:
    """The snapshot read again from its own text."""
    return Snapshot.load(dump(now).encode())


def test_what_was_committed_stands_in_the_snapshot_which_is_valid_when_read_again() -> None:
    session = Session(desks())
    proposal = session.propose("desk")
    assert (proposal.host, proposal.placed[0].gpus[0].sharing) == ("esx01", "same-size")
    session.commit(proposal)
    now = session.snapshot()
    assert cold(now) == now
    assert cold(now).sha256 == now.sha256 == session.snapshot().sha256
    desk = now.content.vms["desk"]
    assert (desk.power, desk.host, desk.gpus[0].at[0].gpu) == ("on", "esx01", "g0")
    assert now.content.hosts["esx01"].gpus[0].sharing == "same-size"
    assert [request.vm for request in now.requests if isinstance(request, PowerOn)] == ["render"]


def test_a_proposal_changes_nothing() -> None:
    session = Session(desks())
    before = session.snapshot()
    session.propose("desk")
    session.propose(Vm(name="new", power="off", cpus=1, memory_mib=1024))
    session.propose_many(["desk", "render"])
    assert session.snapshot() == before
    assert session.version == 0


def test_released_and_started_again_a_vm_finds_the_same_room() -> None:
    session = Session(desks())
    first = session.propose("render")
    session.commit(first)
    session.release("render")
    assert session.snapshot().content.vms["render"] == desks().content.vms["render"]
    assert session.propose("render").placed == first.placed


def test_whoever_commits_second_is_told_that_the_proposal_is_stale_and_nothing_is_done() -> None:
    session = Session(desks())
    one, other = session.propose("desk"), session.propose("render")
    session.commit(one)
    before = session.snapshot()
    with pytest.raises(StaleProposal, match="made for version 0, the cluster is at 1"):
        session.commit(other)
    assert session.snapshot() == before
    assert session.propose("render").placed == ()


def test_a_proposal_of_another_session_is_refused() -> None:
    with pytest.raises(Faults, match="of another session"):
        Session(desks()).commit(Session(desks()).propose("desk"))


def test_what_stays_off_has_the_reasons_that_place_gives() -> None:
    session = Session(desks())
    session.commit(session.propose("desk"))
    proposal = session.propose("render")
    answer = place(session.snapshot())
    assert proposal.placed == ()
    assert proposal.unplaced == answer.unplaced
    assert session.propose("render", reasons=False).unplaced[0].reasons == ()
    session.commit(proposal)
    assert session.version == 1


def test_three_of_four_gpus_are_not_enough_for_a_vm_that_wants_four_however_well_they_suit_it() -> None:
    small = off("small", {"models": ["Tesla T4"], "milli": 333})
    session = Session(
        snapshot([host("esx01", *[gpu("Tesla T4", "fraction")] * 4)], [small, off("big", whole("Tesla T4", count=4))])
    )
    session.commit(session.propose("small"))
    (off_,) = session.propose("big").unplaced
    assert off_.reasons == ("esx01: 3 Tesla T4 free, 4 asked",)


def test_a_vm_that_nobody_knows_is_placed_and_then_known() -> None:
    session = Session(desks())
    pod = Vm.model_validate({"name": "pod", "power": "off", "cpus": 2, "memory_mib": 512, "labels": {"app": "x"}})
    proposal = session.propose(pod)
    assert "pod" not in session.snapshot().content.vms
    session.commit(proposal)
    assert session.snapshot().content.vms["pod"].host == proposal.host
    assert cold(session.snapshot()) == session.snapshot()


def test_a_new_vm_counts_among_the_asks_that_are_learnt() -> None:
    session = Session(desks())
    for name in ("new", "newer"):
        vm = Vm.model_validate(off(name, profile("M60-4Q")) | {"gpus": ({"profile": "M60-4Q"},)})
        proposal = session.propose(vm)
        known = session.snapshot()
        asked = known.with_parts(vms=(*known.vms, vm), requests=(PowerOn(vm=name),))
        assert dict(proposal.score) == dict(place(asked).score)
        session.commit(proposal)


def test_asks_that_are_expected_are_reckoned_with_in_place_of_those_that_are_there() -> None:
    expected = typical_asks(desks().content)[:1]
    session = Session(desks(), expected=expected)
    score = place(desks().with_parts(requests=(PowerOn(vm="desk"),)).expecting(expected)).score
    assert dict(session.propose("desk").score) == dict(score)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ("nobody", "found 'nobody', expected a VM of this session"),
        ("dask", "did you mean 'desk'"),
        ("old", "found 'old', which is on; expected a VM that is off"),
        (PowerOn(vm="old"), "which is on"),
        (Vm(name="old", power="off", cpus=1, memory_mib=1), "which is on"),
        (Vm(name="x", power="on", host="esx01", cpus=1, memory_mib=1), "which is on"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_a_sentence(request_: PowerOn | Vm | str, sentence: str) -> None:
    session = Session(desks())
    with pytest.raises(Faults, match=sentence):
        session.propose(request_)
    assert session.version == 0


@pytest.mark.parametrize("request_", [None, 7, {"vm": "desk"}])
def test_a_request_that_is_none_is_refused(request_: Any) -> None:
    with pytest.raises(Faults, match="expected a VM, its name or a PowerOn"):
        Session(desks()).propose(request_)


@pytest.mark.parametrize("moves", [-1, "1", 0.5])
def test_moves_are_counted(moves: Any) -> None:
    for ask in (Session(desks()).propose, lambda vm, moves: Session(desks()).propose_many([vm], moves=moves)):
        with pytest.raises(Faults, match="expected a whole number from 0 on"):
            ask("desk", moves=moves)


@pytest.mark.parametrize("requests", ["desk", None, 7])
def test_several_requests_are_a_list(requests: Any) -> None:
    with pytest.raises(Faults, match="expected a list of them"):
        Session(desks()).propose_many(requests)


def test_what_is_no_proposal_is_not_carried_out() -> None:
    session: Any = Session(desks())
    with pytest.raises(Faults, match="expected what this session proposed"):
        session.commit(None)
    assert session.version == 0


def test_a_vm_with_an_ask_that_no_gpu_knows_is_refused() -> None:
    vm = Vm.model_validate(off("x") | {"gpus": ({"profile": "M61-2Q"},)})
    with pytest.raises(Faults, match="found 'M61-2Q'"):
        Session(desks()).propose(vm)


def test_the_reason_names_who_had_room_and_what_decided() -> None:
    story = snapshot(
        [host("full", cpus=8), host("free", cpus=64), host("tiny", cpus=1)],
        [on("a", "full", cpus=4), off("b", cpus=4)],
    )
    proposal = Session(story).propose("b")
    assert proposal.why["b"] == "free: 2 of 3 hosts have room; 1 of them keeps the fullest host least full"


def test_the_reason_names_who_was_passed_over() -> None:
    story = snapshot(
        [host("h1"), host("h2")],
        [on("dc1", "h1"), off("dc2")],
        rules=[{"kind": "apart", "vms": ["dc1", "dc2"]}],
    )
    story = story.with_parts(vms=(*story.vms, Vm(name="x", power="on", host="h2", cpus=40, memory_mib=1024)))
    proposal = Session(story).propose("dc2")
    assert proposal.why["dc2"] == (
        "h2: 2 of 2 hosts have room; the best that no rule refuses: not h1 (must be apart from dc1, which is here)"
    )


def test_several_are_placed_together_where_one_by_one_the_last_would_not_fit() -> None:
    story = snapshot(
        [host("h1", cpus=6), host("h2", cpus=5)],
        [off("a", cpus=5), off("b", cpus=3), off("c", cpus=3)],
    )
    session = Session(story)
    proposal = session.propose_many(["b", "c", "a"])
    assert {one.vm for one in proposal.placed} == {"a", "b", "c"}
    assert set(proposal.why) == {"a", "b", "c"}
    session.commit(proposal)
    assert cold(session.snapshot()) == session.snapshot()
    assert session.version == 1


def test_one_thing_is_asked_for_once() -> None:
    with pytest.raises(Faults, match="a VM twice"):
        Session(desks()).propose_many(["desk", PowerOn(vm="desk")])


def test_room_is_made_only_where_moves_are_allowed() -> None:
    story = snapshot(
        [host("h1", cpus=8), host("h2", cpus=8)],
        [
            on("a", "h1", cpus=4, may={"live_migrate": True}),
            on("b", "h2", cpus=4, may={"live_migrate": True}),
            off("big", cpus=8),
        ],
    )
    session = Session(story)
    assert session.propose("big").placed == ()
    proposal = session.propose("big", moves=1)
    assert len(proposal.moves) == 1
    session.commit(proposal)
    now = session.snapshot().content
    assert sorted(vm.cpus for vm in now.vms.values() if vm.host == proposal.host) == [8]
    assert cold(session.snapshot()) == session.snapshot()


def test_where_there_is_room_anyway_nothing_is_moved() -> None:
    assert Session(desks()).propose("desk", moves=3).moves == ()


def test_a_site_that_could_lose_any_host_still_can_after_every_commit() -> None:
    story = snapshot(
        [host(name, gpu("Tesla T4"), gpu("Tesla T4")) for name in ("h1", "h2")],
        [off(f"vm{i}", whole("Tesla T4"), may={"restart": True}) for i in range(4)],
        rules=[{"kind": "reserve"}],
    )
    session = Session(story)
    for i in range(4):
        session.commit(session.propose(f"vm{i}"))
    assert sum(vm.power == "on" for vm in session.snapshot().vms) == 2


def test_every_host_is_ranked_or_says_why_not() -> None:
    story = snapshot(
        [host("small", cpus=2), host("busy"), host("free"), host("free-too"), host("away", state="maintenance")],
        [on("a", "busy", cpus=40), on("b", "free", cpus=20), on("c", "free-too", cpus=20), off("new", cpus=16)],
    )
    ranking = Session(story).rank("new")
    assert ranking.hosts == (("free", "free-too"), ("busy",))
    assert ranking.refused == {"small": "2 CPUs free, 16 asked", "away": "in maintenance"}
    assert ranking.hosts[0][0] == Session(story).propose("new").host


def test_where_the_best_place_must_be_searched_for_hosts_with_room_are_ranked_as_one_group() -> None:
    story = snapshot(
        [host("h1", gpu("L40S", "mixed-size")), host("h2", gpu("L40S", "mixed-size")), host("h3")],
        [off("a", profile("L40S-8Q", count=2))],
        platform={"kind": "kvm", "slots": "worst-case"},
    )
    ranking = Session(story).rank("a")
    assert ranking.hosts == (("h1", "h2"),)
    assert ranking.refused == {"h3": "no GPU for L40S-8Q (it has none)"}
    assert Session(story).propose("a").host in ranking.hosts[0]


def test_the_page_s_example_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PAGE.parents[1])
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), {})
