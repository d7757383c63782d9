"""Which runs on which freed host and when: small nights of ten seconds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from placer.solve import jobs
from placer.solve.budget import Budget
from placer.solve.choices import Begun, Choice
from placer.solve.errands import Errand, slots_of
from placer.solve.errands import value_of as value_of_runs
from placer.solve.freed import FreedHosts
from placer.solve.hours import FEW_SLOTS, best_hours
from placer.solve.intervals import MOST_INTERVALS
from placer.solve.jobs import taken
from placer_models.cluster import Vm
from placer_models.decision import shipped_decision
from tests.nights import Night

ROOM = [(4,)]


def choice(job: str, seconds: int, takes: int = 4, *, most: int = 1, earliest: int = 0, latest: int = 10) -> Choice:
    return Choice(job, 0, most, seconds, earliest, latest, (takes,))


def value_of(found: list[Begun] | None, value: dict[str, int]) -> int:
    return sum(value[begun.job] for begun in found or ())


def test_two_jobs_that_fill_the_night_beat_the_one_that_is_worth_more_a_second() -> None:
    value = {"a": 7, "b": 5}
    choices = [choice("a", 6), choice("b", 5, most=2)]
    found = best_hours(choices, ROOM, {"a": 1, "b": 2}, value, [Begun(0, "a", 0, 6, 0)])
    assert value_of(found, value) == 10
    assert found is not None
    assert [begun.start for begun in found] == [0, 5]


def test_who_may_not_begin_at_once_leaves_the_first_hours_to_others() -> None:
    value = {"late": 3, "early": 2}
    choices = [choice("late", 5, earliest=5), choice("early", 5, latest=5)]
    assert best_hours(choices, ROOM, {"late": 1, "early": 1}, value, []) == [
        Begun(0, "early", 0, 5, 0),
        Begun(5, "late", 0, 10, 0),
    ]


def test_nothing_is_said_where_nothing_is_better() -> None:
    assert best_hours([choice("a", 6, most=2)], ROOM, {"a": 2}, {"a": 1}, [Begun(0, "a", 0, 6, 0)]) is None


def test_thousands_of_instances_are_counted_and_not_told_apart() -> None:
    found = best_hours([choice("a", 1, 1, most=5_000)], ROOM, {"a": 5_000}, {"a": 1}, [])
    assert len(found or ()) == 4 * 10


def test_too_many_runs_of_any_length_are_not_searched() -> None:
    many = MOST_INTERVALS + 1
    choices = [in_parts(8), choice("a", 1, 1, most=many)]
    assert best_hours(choices, ROOM, {"x": 1, "a": many}, {"x": 1, "a": 1}, []) is None


def test_lengths_without_a_measure_fit_one_after_the_other_as_well() -> None:
    night = 300_000
    lengths = {"a": night // 2 + 1, "b": night // 3, "c": night // 7}
    choices = [choice(job, seconds, latest=night) for job, seconds in lengths.items()]
    found = best_hours(choices, ROOM, dict.fromkeys(lengths, 1), dict.fromkeys(lengths, 1), [])
    assert found is not None
    assert len(found) == 3
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_of_many_hosts_some_at_a_time_exchange_their_jobs() -> None:
    slots = range(FEW_SLOTS + 2)
    value, seconds = {"a": 7, "b": 5}, {"a": 6, "b": 5}
    choices = [replace(choice(job, seconds[job], most=9), slot=slot) for job in value for slot in slots]
    known = [Begun(0, "a", slot, 6, slot) for slot in slots]
    found = best_hours(choices, ROOM * len(slots), dict.fromkeys(value, 99), value, known)
    assert value_of(found, value) == 10 * len(slots)
    enough = best_hours(choices, ROOM * len(slots), dict.fromkeys(value, 99), value, known, promised=8 * len(slots))
    assert 8 * len(slots) <= value_of(enough, value) < 10 * len(slots)


def test_when_the_time_is_over_runs_are_dealt_out_for_a_moment_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    night = Night([{"name": "h", "cpus": 4, "memory_mib": 4096}], [])
    errand = Errand("small", Vm(name="small", power="off", cpus=1, memory_mib=1), range(4), 5, 4, 0, 10, False)
    freed = FreedHosts(night.cluster, night.holding, slots_of(night.cluster, {"h": (0, 10)}))
    assert len(taken(freed, [errand], {}, budget=Budget(0))) == 4
    monkeypatch.setattr(jobs, "PATIENCE", -1)
    assert taken(freed, [errand], {}, budget=Budget(0)) == []


def test_freed_hosts_run_all_that_the_target_wants_where_there_is_a_way() -> None:
    cluster = Night([{"name": "h", "cpus": 4, "memory_mib": 4096}], []).cluster
    small = Errand("small", Vm(name="small", power="off", cpus=2, memory_mib=1), (0, 1), 5, 4, 0, 10, False)
    night = Errand("night", Vm(name="night", power="off", cpus=2, memory_mib=1), (0,), 10, 5, 0, 20, False)
    freed = FreedHosts(cluster, shipped_decision("consolidate").rules_of([]), slots_of(cluster, {"h": (0, 10)}))
    runs = taken(freed, [small, night], {("small", "h"): 2, ("night", "h"): 1})
    assert sorted((run.job, run.instance, run.end - run.start) for run in runs) == [
        ("night", 0, 10),
        ("small", 0, 5),
        ("small", 1, 5),
    ]


def in_parts(seconds: int, slot: int = 0, *, again: int = 0, latest: int = 10) -> Choice:
    return Choice("x", slot, 1, seconds, 0, latest, (4,), 1, again)


def test_a_job_in_parts_makes_way_for_one_that_has_its_hour() -> None:
    report = choice("report", 2, earliest=4, latest=6)
    found = best_hours([in_parts(8), report], ROOM, {"x": 1, "report": 1}, {"x": 5, "report": 3}, [])
    assert found is not None
    assert [(one.job, one.start, one.end) for one in found] == [("x", 0, 4), ("report", 4, 6), ("x", 6, 10)]
    assert best_hours([in_parts(8, again=1), report], ROOM, {"x": 1, "report": 1}, {"x": 5, "report": 3}, []) != found


def test_no_instance_is_in_two_places_at_once() -> None:
    choices = [in_parts(11), in_parts(11, 1)]
    assert best_hours(choices, [(4,), (4,)], {"x": 1}, {"x": 5}, []) is None
    found = best_hours([in_parts(9, latest=6), in_parts(9, 1)], [(4,), (4,)], {"x": 1}, {"x": 5}, [])
    assert found is not None
    assert sum(one.end - one.start for one in found) >= 9


def test_instances_that_fit_side_by_side_are_seated_at_once_and_the_others_after_them() -> None:
    cluster = Night([{"name": "h", "cpus": 7, "memory_mib": 4096}], []).cluster
    tiny = Errand("tiny", Vm(name="tiny", power="off", cpus=1, memory_mib=1), range(40), 2, 4, 0, 10, False)
    broad = Errand("broad", Vm(name="broad", power="off", cpus=3, memory_mib=1), (0,), 3, 50, 0, 10, False)
    freed = FreedHosts(cluster, shipped_decision("consolidate").rules_of([]), slots_of(cluster, {"h": (0, 10)}))
    assert freed.at_once(tiny) == 7
    runs = taken(freed, [tiny, broad], {("tiny", "h"): 30, ("broad", "h"): 1})
    assert value_of_runs(runs) == 29 * 4 + 50
    under_way = [sum(run.errand.vm.cpus for run in runs if run.start <= now < run.end) for now in range(10)]
    assert max(under_way) == 7
    assert len({run.name for run in runs}) == len(runs)
