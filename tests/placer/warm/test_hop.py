"""Room by one move: found at once, and no worse than what a search finds."""

from __future__ import annotations

import random

import pytest

from placer import Proposal, Session, place
from placer.judge.replay import Replay
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.plan import Placements
from placer_models.snapshot import PowerOn, Snapshot
from tests.build import Json, gpu, host, off, on, profile, snapshot, whole

MOVABLE: Json = {"live_migrate": True}
M60 = gpu("Tesla M60", "same-size", may_share=["same-size", "passthrough"])


@pytest.fixture(autouse=True)
def without_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of these stories needs one."""

    def search(*_: object) -> Proposal:
        raise AssertionError("searched")

    monkeypatch.setattr(Session, "_searched", search)


def test_a_vm_moves_to_where_least_is_lost_and_another_starts_in_its_room() -> None:
    story = snapshot(
        [host("h1", cpus=8), host("h2", cpus=8), host("h3", cpus=8)],
        [
            on("a", "h1", cpus=4, may=MOVABLE),
            on("b", "h2", cpus=4, may=MOVABLE),
            on("c", "h3", cpus=7),
            off("big", cpus=8),
        ],
    )
    session = Session(story)
    proposal = session.propose("big", moves=1)
    (move,) = proposal.moves
    assert {move.vm, move.from_, move.to} in ({"a", "h1", "h2"}, {"b", "h2", "h1"})
    assert proposal.host == move.from_
    assert (proposal.score["placed"], proposal.score["moves"]) == (1, 1)
    assert proposal.why["big"].endswith(f"no host has room; the best move that makes some is of {move.vm}")
    session.commit(proposal)
    now = session.snapshot()
    assert Snapshot.load(dump(now).encode()) == now
    assert now.content.vms[move.vm].host == move.to


def test_a_whole_gpu_is_freed_by_a_desktop_that_finds_another() -> None:
    story = snapshot(
        [host("h1", M60, M60), host("h2", M60)],
        [
            on("d1", "h1", profile("M60-2Q", "g0", 0), may=MOVABLE),
            on("d2", "h1", profile("M60-4Q", "g1", 0), may=MOVABLE),
            on("d3", "h2", profile("M60-2Q", "g0", 0)),
            off("render", whole("Tesla M60")),
        ],
        platform={"kind": "vsphere", "version": "8.0.3"},
    )
    proposal = Session(story).propose("render", moves=1)
    assert [(move.vm, move.to) for move in proposal.moves] == [("d1", "h2")]
    assert [(one.gpu, one.sharing) for one in proposal.placed[0].gpus] == [("g0", "passthrough")]


def test_a_move_that_mends_a_wish_is_told_so() -> None:
    story = snapshot(
        [host("h1", cpus=8), host("h2", cpus=8)],
        [
            on("a", "h1", cpus=2, may=MOVABLE, labels={"app": "web"}),
            on("b", "h1", cpus=2, labels={"app": "web"}),
            on("c", "h2", cpus=4),
            off("big", cpus=6),
        ],
        rules=[{"kind": "apart", "vm_labels": {"app": "web"}, "strength": "should"}],
    )
    session = Session(story)
    proposal = session.propose("big", moves=1)
    assert (proposal.moves[0].vm, proposal.host) == ("a", "h1")
    assert dict(proposal.score) == dict(place(story, moves=1).score)
    assert proposal.score["should"] == 0
    session.commit(proposal)
    assert session.snapshot().content.vms["a"].host == "h2"


def test_of_two_that_are_alike_the_one_is_moved_that_the_other_host_takes() -> None:
    story = snapshot(
        [host("h1", cpus=8), host("h2", cpus=7)],
        [on("a", "h1", cpus=4, may=MOVABLE), on("b", "h1", cpus=4, may=MOVABLE), off("big", cpus=4)],
        rules=[
            {"kind": "affinity", "vms": ["a"], "hosts": ["h1"]},
            {"kind": "affinity", "vms": ["big"], "hosts": ["h1"]},
        ],
    )
    proposal = Session(story).propose("big", moves=1)
    assert [(move.vm, move.to) for move in proposal.moves] == [("b", "h2")]
    assert proposal.host == "h1"


REFUSED: dict[str, tuple[list[Json], list[Json], list[Json]]] = {
    "there is no room for it elsewhere while it stands here": (
        [host("h1", cpus=8), host("h2", cpus=8)],
        [on("a", "h1", cpus=4, may=MOVABLE), on("b", "h2", cpus=5, may=MOVABLE)],
        [],
    ),
    "it may not be moved": ([host("h1", cpus=8), host("h2", cpus=7)], [on("a", "h1")], []),
    "it is to stay": (
        [host("h1", cpus=8), host("h2", cpus=7)],
        [on("a", "h1", may=MOVABLE)],
        [{"kind": "stay", "vms": ["a"]}],
    ),
    "the other host is no host for it": (
        [host("h1", cpus=8), host("h2", cpus=7)],
        [on("a", "h1", may=MOVABLE)],
        [{"kind": "affinity", "vms": ["a"], "hosts": ["h1"]}],
    ),
    "the other host is in maintenance": (
        [host("h1", cpus=8), host("h2", cpus=8, state="maintenance")],
        [on("a", "h1", may=MOVABLE)],
        [],
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_vm_is_not_moved_where(why: str) -> None:
    hosts, vms, rules = REFUSED[why]
    story = snapshot(hosts, [*vms, off("big", cpus=8)], rules=rules)
    proposal = Session(story).propose("big", moves=1, reasons=False)
    assert (proposal.placed, proposal.moves) == ((), ())
    assert place(story, moves=1).placed == ()


def yard(chance: random.Random) -> Snapshot:
    """Four hosts that are never the same, filled with VMs that may move, and some more that are off."""
    t4 = gpu("Tesla T4", "fraction")
    hosts = [host(f"h{i}", *[t4] * chance.randint(0, 2), cpus=chance.randint(8, 14)) for i in range(4)]
    vms = [
        off(
            f"vm{i:02}",
            *([{"milli": chance.choice([300, 500, 700])}] if chance.random() < 0.5 else []),
            cpus=chance.randint(1, 5),
            may=MOVABLE if chance.random() < 0.7 else {},
        )
        for i in range(22)
    ]
    return snapshot(hosts, vms, rules=[{"kind": "apart", "vms": ["vm00", "vm01", "vm02"]}])


def replayed(now: Snapshot, proposal: Proposal) -> list[str]:
    """What the judge says of a proposal."""
    answer = Placements.model_construct(status="feasible", placed=proposal.placed, moves=proposal.moves, unplaced=())
    return Replay(now.content, shipped_decision("power_on").rules_of(now.rules), answer).faults


def test_as_many_find_room_by_one_move_as_a_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    moved = stayed = 0
    for seed in range(4):
        chance = random.Random(seed)
        session = Session(yard(chance))
        for name in [vm.name for vm in session.snapshot().vms]:
            proposal = session.propose(name, reasons=False)
            if proposal.host is None:
                now = session.snapshot().with_parts(requests=(PowerOn(vm=name),))
                proposal, cold = session.propose(name, moves=1, reasons=False), place(now, moves=1)
                for goal in ("placed", "should", "moves", "stranded"):
                    assert proposal.score[goal] == cold.score[goal]
                assert replayed(now, proposal) == []
                moved, stayed = moved + len(proposal.moves), stayed + (proposal.host is None)
            session.commit(proposal)
    assert moved > 2
    assert stayed > 2
