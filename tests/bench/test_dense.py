"""Dense rearrangements are legal, and their times are found sooner than from a list."""

from __future__ import annotations

from dataclasses import replace

from bench.dense import faults, measured, rearrangement
from placer.judge.check import broken
from placer.solve.motion import Schedule, list_schedule
from placer.solve.traffic import Action
from placer_models.decision import shipped_decision
from placer_models.night import Limits


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


def test_a_schedule_that_starts_all_at_once_is_refused_and_one_that_leaves_somebody_out_too() -> None:
    asked, limits = rearrangement(8, 30, seed=2), Limits(moves_at_once_per_host=4)
    now, targets = asked.now, {stand.vm: stand.host for stand in asked.stands}
    actions = [Action(stand.vm, "migrate", 60, now.of(stand.vm)[0], stand) for stand in asked.stands]
    listed = list_schedule(now, shipped_decision("consolidate").rules_of([]), actions, limits, {})
    assert faults(now, listed, limits, targets) == []
    hasty = Schedule([replace(timed, start=0, end=60, waits_for=()) for timed in listed.timed])
    assert any("migrations" in fault for fault in faults(now, hasty, limits, targets))
    *most, last = listed.timed
    assert faults(now, Schedule(most), limits, targets) == [f"{last.action.vm} is not on {targets[last.action.vm]}"]
