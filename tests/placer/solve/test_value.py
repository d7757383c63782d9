"""What jobs can bring at most: as much as hosts that take turns have time and room for."""

from __future__ import annotations

from dataclasses import replace

from placer.solve.target import JobOn, Work
from placer.solve.value import Supply, most_value

KINDS = {"a": 0, "b": 0, "c": 1}


def work(instances: int = 99, **takes: int) -> Work:
    """Two hosts of four CPUs and one of eight, for ten seconds each; one job of five seconds, worth three."""
    rooms = {host: {"cpus": 10 * cpus, "time": 10} for host, cpus in (("a", 4), ("b", 4), ("c", 8))}
    amounts = {("x", host): {what: 5 * amount for what, amount in takes.items()} for host in rooms}
    return Work({"x": 3}, {"x": instances}, [JobOn("x", host, 9) for host in rooms], amounts, rooms)


def test_a_job_that_wants_hosts_to_itself_is_done_twice_on_each_that_can_be_empty_at_once() -> None:
    assert [most_value([Supply(work(time=1), KINDS, many)]) for many in (1, 2, 3)] == [6, 12, 18]


def test_the_largest_hosts_are_the_ones_that_take_all_turns() -> None:
    assert most_value([Supply(work(cpus=4), KINDS, 1)]) == 4 * 3
    assert most_value([Supply(work(cpus=4), KINDS, 2)]) == (4 + 2) * 3


def test_no_job_is_done_more_often_than_is_asked() -> None:
    assert most_value([Supply(work(instances=3, cpus=1), KINDS, 3)]) == 9


def test_without_hosts_jobs_bring_nothing() -> None:
    assert most_value([Supply(Work({"x": 3}, {"x": 2}), {}, 3)]) == 0


def test_what_one_night_has_begun_another_ends() -> None:
    night = work(instances=1, time=1)
    split = replace(night, amounts={spot: {"time": 1} for spot in night.amounts}, parts={"x": 12}, longest={"x": 10})
    split = replace(split, spots=[JobOn("x", host, 10) for host in KINDS])
    assert most_value([Supply(split, KINDS, 3)]) == 0
    assert most_value([Supply(split, KINDS, 3), Supply(replace(split, longest={"x": 1}), KINDS, 3)]) == 0
    assert most_value([Supply(split, KINDS, 3), Supply(replace(split, longest={"x": 2}), KINDS, 3)]) == 3


def test_two_nights_bring_no_more_than_each_can_alone() -> None:
    night = Supply(work(time=1), KINDS, 3, alone=9)
    assert most_value([night, replace(night, alone=6)]) == 15
    assert most_value([night, replace(night, alone=None)]) == 9 + 18


def test_what_is_left_of_the_night_after_a_long_run_is_too_short_for_others() -> None:
    takes = {"long": {"cpus": 7 * 4}, "short": {"cpus": 4 * 2}}
    spots = [JobOn(job, "a", 2) for job in takes]
    amounts = {(job, "a"): its for job, its in takes.items()}
    night = Work({"long": 7, "short": 3}, {"long": 1, "short": 2}, spots, amounts, {"a": {"cpus": 40, "time": 10}})
    assert most_value([Supply(night, KINDS, 1)]) == 7 + 3
    ticking = replace(night, lasting={"long": 7, "short": 4}, tick=1)
    assert most_value([Supply(ticking, KINDS, 1)]) == 7


def test_hosts_that_are_free_one_after_the_other_are_so_for_longer_than_each() -> None:
    night = replace(work(time=1), rooms={host: {"cpus": 40, "time": 10} for host in KINDS}, span=20)
    assert most_value([Supply(night, KINDS, 1)]) == 4 * 3
    assert most_value([Supply(replace(night, lasting={"x": 5}, tick=1), KINDS, 1)]) == 4 * 3
