"""Planted errors in answers are found, each in a sentence with its place; and nothing that parses is too odd."""

from __future__ import annotations

import json
from typing import Any

import pytest

from placer import place, verify
from placer_models.decision import shipped_decision
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot
from tests.build import gpu, host, off, on, profile, snapshot, whole

Json = dict[str, Any]
MOVES = {"live_migrate": True}
M60, MIG = gpu(sharing="same-size"), gpu("A100 PCIe 40GB", "mig")


def story() -> Snapshot:
    hosts = [host("a", M60, gpu(), cpus=16), host("b", MIG, cpus=16), host("c", cpus=8, state="maintenance")]
    vms = [
        on("run", "a", cpus=4, may=MOVES),
        on("stay", "a", profile("M60-2Q", "g0", 0)),
        off("desk", profile("M60-2Q")),
        off("pass", whole()),
        off("mig", profile("3g.20gb")),
        off("idle", labels={"idle": "yes"}),
    ]
    return snapshot(hosts, vms)


DESK = {"vm": "desk", "host": "a", "gpus": [{"gpu": "g0", "profile": "M60-2Q", "slot": 1}]}
PASS = {"vm": "pass", "host": "a", "gpus": [{"gpu": "g1"}]}
SLICE = {"vm": "mig", "host": "b", "gpus": [{"gpu": "g0", "profile": "3g.20gb", "slot": 0}]}
MOVE = {"id": "m1", "vm": "run", "from": "a", "to": "b"}


def answer(placed: list[Json], moves: list[Json] | None = None, **more: Any) -> Placements:
    values = {"format": "placer.placements/1", "status": "feasible", "placed": placed, "moves": moves or [], **more}
    return Placements.model_validate_json(json.dumps(values))


def seat(one: Json, **changed: Any) -> Json:
    """A placement with something else said of its GPU; None takes the key away."""
    item = {key: value for key, value in {**one["gpus"][0], **changed}.items() if value is not None}
    return {**one, "gpus": [item]}


def test_a_right_answer_passes() -> None:
    assert verify(story(), answer([DESK, PASS, SLICE], [MOVE])) == []


PLANTED: dict[str, tuple[list[Json], list[Json], str]] = {
    "a VM twice": ([PASS, PASS], [], "placed[1].vm: pass is on already"),
    "an unknown VM": ([{"vm": "desks", "host": "a"}], [], "did you mean 'desk'"),
    "an unknown host": ([{**PASS, "host": "aa"}], [], "placed[0].host: found 'aa', expected a host"),
    "a VM that runs": ([{"vm": "run", "host": "b"}], [], "run is on already"),
    "a VM that is moved and placed": ([{"vm": "run", "host": "a"}], [MOVE], "run is on already"),
    "a VM that nobody asked for": ([{"vm": "idle", "host": "a"}], [], "nobody asked for idle"),
    "a GPU of another host": ([seat(PASS, gpu="g7")], [], "GPU 'g7', which a does not have"),
    "no GPU": ([{"vm": "pass", "host": "a"}], [], "asks for 1 GPU items and has 0"),
    "a GPU too many": ([{**PASS, "gpus": [{"gpu": "g1"}, {"gpu": "g0"}]}], [], "asks for 1 GPU items and has 2"),
    "an unknown profile": ([seat(DESK, profile="M60-3Q")], [], "asks for M60-2Q and holds M60-3Q"),
    "another profile": ([seat(DESK, profile="M60-4Q")], [], "asks for M60-2Q and holds M60-4Q"),
    "a profile and thousandths": ([seat(DESK, milli=5)], [], "placed[0].gpus[0]: found both"),
    "no thousandths": ([seat(PASS, milli=0)], [], "placed[0].gpus[0].milli: found 0"),
    "a million thousandths": ([seat(PASS, milli=10**6)], [], "expected 1 to 1000"),
    "thousandths of a whole GPU": ([seat(PASS, milli=500)], [], "holds 500/1000"),
    "a slot that is taken": ([seat(DESK, slot=0)], [], "GPU g0"),
    "a slot beyond the GPU": ([seat(DESK, slot=99)], [], "slot 99 is no legal start"),
    "a start that is none": ([seat(SLICE, slot=1)], [], "slot 1 is no legal start"),
    "no slot where it matters": ([seat(SLICE, slot=None)], [], "an item has no slot"),
    "a sharing that is not allowed": ([seat(PASS, gpu="g1", sharing="fraction")], [], "may not be put in sharing"),
    "two sharings at once": ([seat(PASS, gpu="g0", sharing="passthrough")], [], "several sharings at once"),
    "a host that is not up": ([{**PASS, "host": "c", "gpus": []}], [], "in maintenance"),
    "a move from elsewhere": ([], [{**MOVE, "from": "b", "to": "a"}], "is to leave b, and stands on a"),
    "a move to where it is": ([], [{**MOVE, "to": "a"}], "would move to the host on which it stands"),
    "a move of a VM that may not": ([], [{**MOVE, "vm": "stay"}], "stay may not be live-migrated"),
    "a move of a VM that is off": ([], [{**MOVE, "vm": "desk"}], "stands on no host"),
    "a move of nobody": ([], [{**MOVE, "vm": "runs"}], "moves[0].vm: found 'runs'"),
    "a move to a host that is not up": ([], [{**MOVE, "to": "c"}], "in maintenance"),
    "a move named twice": ([], [MOVE, {**MOVE, "from": "b", "to": "a"}], "moves[1].id: found 'm1' again"),
    "a move that waits for a later one": ([], [{**MOVE, "waits_for": ["m2"]}], "moves[0].waits_for: found 'm2'"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found(name: str) -> None:
    placed, moves, sentence = PLANTED[name]
    found = verify(story(), answer(placed, moves))
    assert any(sentence in fault for fault in found), found


def test_a_same_size_slot_that_is_left_open_is_the_lowest_free_one() -> None:
    asks = [off(f"d{i}", profile("M60-2Q")) for i in range(3)]
    cluster = snapshot([host("a", M60)], [on("x", "a", profile("M60-2Q", "g0", 1)), *asks])
    open_seat = [{"gpu": "g0", "profile": "M60-2Q"}]
    assert verify(cluster, answer([{"vm": f"d{i}", "host": "a", "gpus": open_seat} for i in range(3)])) == []
    asks.append(off("d3", profile("M60-2Q")))
    cluster = snapshot([host("a", M60)], [on("x", "a", profile("M60-2Q", "g0", 1)), *asks])
    assert verify(cluster, answer([{"vm": f"d{i}", "host": "a", "gpus": open_seat} for i in range(4)])) != []


def test_a_move_needs_room_before_its_source_is_free() -> None:
    hosts = [host("a", cpus=4), host("b", cpus=4)]
    cluster = snapshot(hosts, [on("x", "a", cpus=4, may=MOVES), on("y", "b", cpus=4, may=MOVES)])
    swap = [
        {"id": "m1", "vm": "x", "from": "a", "to": "b"},
        {"id": "m2", "vm": "y", "from": "b", "to": "a"},
    ]
    assert verify(cluster, answer([], swap))[0] == "moves[0]: b: 8 CPUs are given, 4 can be"


def test_where_the_manager_picks_slots_another_slot_is_refused() -> None:
    hosts, vms = [host("a", MIG)], [off("mid", profile("3g.20gb"))]
    cluster = snapshot(hosts, vms, platform={"kind": "vsphere"})
    at = {"vm": "mid", "host": "a", "gpus": [{"gpu": "g0", "profile": "3g.20gb", "slot": 4}]}
    assert "at slot 0 of GPU g0, not at 4" in verify(cluster, answer([at]))[0]


def test_whatever_the_manager_picks_all_must_find_room() -> None:
    hosts, vms = [host("a", MIG)], [off("mid", profile("3g.20gb")), off("big", profile("4g.20gb"))]
    cluster = snapshot(hosts, vms, platform={"kind": "kvm", "slots": "worst-case"})
    mid = {"vm": "mid", "host": "a", "gpus": [{"gpu": "g0", "profile": "3g.20gb", "slot": 4}]}
    big = {"vm": "big", "host": "a", "gpus": [{"gpu": "g0", "profile": "4g.20gb", "slot": 0}]}
    assert "not every choice of slots" in verify(cluster, answer([mid, big]))[0]
    assert verify(cluster, answer([big, mid])) == []


def test_a_vm_that_moves_away_leaves_its_slots_to_the_manager() -> None:
    hosts = [host("a", MIG), host("b", MIG)]
    vms = [on("small", "a", profile("1g.5gb", "g0", 0), may=MOVES), off("big", profile("4g.20gb"))]
    platform = {"kind": "kvm", "slots": "worst-case", "vgpu_live_migration": True}
    cluster = snapshot(hosts, vms, platform=platform)
    move = {"id": "m1", "vm": "small", "from": "a", "to": "b", "gpus": [{"gpu": "g0", "profile": "1g.5gb", "slot": 0}]}
    big = {"vm": "big", "host": "a", "gpus": [{"gpu": "g0", "profile": "4g.20gb", "slot": 0}]}
    assert verify(cluster, answer([big], [move])) == []
    assert verify(cluster, answer([big])) != []


# --- what an answer claims -----------------------------------------------------------------------------------------


def test_claims_of_an_answer_are_recounted() -> None:
    cluster = story()
    true = place(cluster)
    assert verify(cluster, true) == []
    assert verify(cluster, true.model_copy(update={"score": {**true.score, "placed": 9}})) == [
        f"score['placed']: found 9, the judge counts {true.score['placed']}"
    ]
    beaten = verify(cluster, true.model_copy(update={"bound": {**true.bound, "placed": 1}}))
    assert beaten == [f"bound['placed']: found 1, which the placements beat with {true.score['placed']}"]
    assert "expected the goals" in verify(cluster, true.model_copy(update={"score": {"speed": 1}}))[0]


def test_an_answer_by_another_decision_is_judged_by_its_own() -> None:
    cluster = story()
    other = place(cluster, shipped_decision("gpu_allocation"))
    assert verify(cluster, other) == []
    assert verify(cluster, other, shipped_decision("power_on")) == []


def test_who_is_placed_cannot_stay_off_as_well() -> None:
    found = verify(story(), answer([PASS], unplaced=[{"vm": "pass", "reasons": []}, {"vm": "pas", "reasons": []}]))
    assert found[0] == "unplaced[0].vm: pass stands among those that are placed, too"
    assert "did you mean 'pass'" in found[1]


def test_an_answer_to_another_snapshot_is_told_apart() -> None:
    cluster = Snapshot.load(json.dumps(story().model_dump(mode="json", by_alias=True, exclude_none=True)).encode())
    assert verify(cluster, answer([DESK], snapshot_sha256="0" * 64)) == [
        "the placements answer another snapshot: its digest differs"
    ]
