"""Boards are only as large as the memory that they may take."""

from __future__ import annotations

import pytest

from placer import memory, place
from placer.consolidate import consolidate
from placer.evacuate import evacuate
from placer_models.decision import Decision, shipped_decision
from placer_models.night import Consolidate, Evacuate
from placer_models.snapshot import Snapshot
from tests.good_nights import quick
from tests.nights import Night
from tests.placer.solve.small import gpu_hosts, shares, snapshot
from tests.worlds import host

MADE: Snapshot = snapshot(gpu_hosts(3), shares(600, 500, 500, 400))


def limited(mib: int | None, name: str = "power_on") -> Decision:
    decision = shipped_decision(name)
    return decision.model_copy(update={"search": decision.search.model_copy(update={"memory_limit_mib": mib})})


def test_what_is_left_of_the_limit_says_how_many_unknowns_a_board_may_have() -> None:
    used = memory.used_mib()
    assert used > 0
    assert memory.affordable(used + 100_000, 1_000) == 1_000
    assert 0 < memory.affordable(used + 100, 10**9) <= 200 * 1024 // memory.KIB_PER_UNKNOWN
    assert memory.affordable(1, 1_000) == 0


def test_the_default_is_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_mib", lambda: 1_000)
    memory.default_limit_mib.cache_clear()
    try:
        assert memory.default_limit_mib() == pytest.approx(memory.used_mib() + 500, abs=50)
    finally:
        memory.default_limit_mib.cache_clear()


def test_without_memory_for_any_board_the_first_answer_stands_and_is_judged() -> None:
    answer = place(MADE, limited(1))
    assert answer.score["placed"] == 4
    assert place(MADE, limited(100_000)).score["placed"] == 4


def test_a_night_without_memory_for_any_board_is_emptied_by_hand_and_says_why() -> None:
    night = Night(
        [host("h1", cpus=8), host("h2", cpus=8)], [quick("w", on="h1"), quick("x", on="h2")], {"way_back": "none"}
    )
    assert isinstance(night.asked, Consolidate)
    assert consolidate(night.snapshot, night.asked).score["hosts-freed"] == 1
    plan = consolidate(night.snapshot, night.asked, (), limited(1, "consolidate"))
    assert (plan.score["hosts-freed"], plan.bound["hosts-freed"]) == (1, 1)
    assert plan.stopped == "the whole board is too large for the memory or the time that may be taken"


def test_an_evacuation_without_memory_for_any_board_leaves_its_hosts_out() -> None:
    night = Night([host("h1"), host("h2")], [quick("w", on="h1")], {"kind": "evacuate", "hosts": ["h1"], "minutes": 1})
    assert isinstance(night.asked, Evacuate)
    assert evacuate(night.snapshot, night.asked).left_out == ()
    plan = evacuate(night.snapshot, night.asked, limited(1, "evacuate"))
    assert [(one.host, one.reasons) for one in plan.left_out] == [("h1", (plan.stopped,))]
    assert plan.stopped == "the whole board is too large for the memory or the time that may be taken"
