"""Dense rearrangements are legal, and their times are found sooner than from a list."""

from __future__ import annotations

from bench.dense import measured, rearrangement
from placer.judge.check import broken
from placer_models.decision import shipped_decision


def test_the_end_of_a_rearrangement_breaks_no_rule() -> None:
    asked = rearrangement(8, 30, seed=2)
    scene = asked.now.copy()
    for stand in asked.stands:
        scene.remove(scene.of(stand.vm)[0])
        scene.put(stand)
    assert len(asked.stands) == 30
    assert not any(broken(scene, shipped_decision("consolidate").rules_of([])))


def test_times_that_are_searched_for_are_sooner_than_those_from_a_list() -> None:
    line = measured(rearrangement(20, 80, seed=1), 4)
    assert line["stuck"] == 0
    assert line["bound_seconds"] <= line["found_seconds"] < line["list_seconds"]  # type: ignore[operator]


def test_with_two_migrations_at_once_the_times_are_what_the_busiest_host_needs() -> None:
    line = measured(rearrangement(20, 80, seed=1), 2)
    assert line["found_seconds"] == line["bound_seconds"]
    assert line["list_seconds"] != line["bound_seconds"]
