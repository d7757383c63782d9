"""No host is empty sooner than its migrations allow, nor so many of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from placer.solve.soonest import Emptying, Leaver, together, within
from placer_models.night import Limits, LinkLimit
from tests.placer.solve.test_timing import scene

MOVES = Leaver(10, 10, None)
"""It migrates in ten seconds, and can do nothing else."""
SLEEPS = Leaver(4, None, 4)
EITHER = Leaver(4, 10, 4)


def emptying(spare: int = 0, limits: Limits | None = None, **leavers: list[Leaver]) -> Emptying:
    """Hosts a to d, each in a rack of its own."""
    cluster = scene(8, {}, {host: host for host in "abcd"}).cluster
    return Emptying(cluster, limits or Limits(), leavers, spare)


def test_migrations_of_a_host_come_one_after_the_other_and_sleepers_all_at_once() -> None:
    assert emptying(a=[MOVES, MOVES, MOVES]).soonest(1) == 30
    assert emptying(a=[SLEEPS, SLEEPS, SLEEPS]).soonest(1) == 4
    assert emptying(limits=Limits(moves_at_once_per_host=2), a=[MOVES, MOVES, MOVES]).soonest(1) == 15


def test_of_many_hosts_those_count_that_are_empty_first() -> None:
    asked = emptying(a=[MOVES], b=[], c=[MOVES, MOVES])
    assert [asked.soonest(many) for many in (0, 1, 2, 3, 4)] == [0, 0, 10, 20, 0]


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        (Limits(moves_at_once=1), 40),
        (Limits(moves_at_once_per_host=2, links=(LinkLimit(label="rack", moves_at_once=1),)), 20),
        (Limits(moves_at_once_per_host=2), 10),
    ],
)
def test_the_cluster_and_a_host_s_own_link_bear_no_more_than_they_may(limits: Limits, least: int) -> None:
    assert emptying(limits=limits, a=[MOVES, MOVES], b=[MOVES, MOVES]).soonest(2) == least


def test_every_migration_is_one_on_two_hosts() -> None:
    two = [MOVES, MOVES]
    assert emptying(a=two, b=two, c=two, d=two).soonest(4) == 40


@pytest.mark.parametrize(("spare", "least"), [(0, 20), (3, 20 - 7), (4, 10), (6, 10 - 5), (8, 4)])
def test_who_could_be_down_migrates_where_there_is_no_downtime_to_spare(spare: int, least: int) -> None:
    assert emptying(spare, a=[EITHER, EITHER]).soonest(1) == least


def test_hosts_that_are_empty_soon_do_not_count_where_too_many_vms_would_have_to_move() -> None:
    many, few = [Leaver(4, 4, None)] * 3, [Leaver(20, 20, None)]
    asked = emptying(a=many, b=many, c=few)
    assert [replace(asked, most_moves=most).soonest(2) for most in (None, 6, 5)] == [12, 12, 20]


def test_seconds_count_within_the_windows_only() -> None:
    nights = [(0, 100), (500, 600)]
    assert [within(nights, seconds) for seconds in (0, 100, 101, 250)] == [0, 100, 501, 600]


def test_so_many_hosts_are_empty_together_as_the_others_have_room_for_all_who_are_awake() -> None:
    now = scene(2, {"v1": "a", "v2": "b", "v3": "c"})  # four hosts of two CPUs
    assert together(now, "abcd", lambda vm: True) == 2
    assert together(now, "a", lambda vm: True) == 1
    assert together(now, "abcd", lambda vm: vm == "v1") == 3
    assert together(now, ["a", "elsewhere"], lambda vm: False) == 1


def test_who_stands_on_an_overfull_host_may_stay_there() -> None:
    now = scene(1, {"v1": "a", "v2": "a", "v3": "b"})
    assert together(now, "cd", lambda vm: True) == 2
    assert together(now, "bcd", lambda vm: True) == 2
