"""Hosts that are decided about together: some with much left over, and others by chance."""

from __future__ import annotations

from random import Random

from placer.solve.neighbours import NOISE, neighbourhood

HOSTS = [f"esx{number}" for number in range(8)]


def test_the_hosts_with_most_left_over_are_among_them_and_nobody_is_twice() -> None:
    left = [0.0] * 6 + [1.0 + NOISE, 2.0 + 2 * NOISE]
    for seed in range(20):
        chosen = neighbourhood(Random(seed), HOSTS, left, 4.9)
        assert len(set(chosen)) == len(chosen) == 4
        assert chosen[:2] == ["esx7", "esx6"]


def test_the_others_are_there_by_chance_and_the_same_for_the_same_seed() -> None:
    left = [0.0] * 8
    some = [tuple(neighbourhood(Random(seed), HOSTS, left, 4)) for seed in range(20)]
    assert len(set(some)) > 10
    assert some == [tuple(neighbourhood(Random(seed), HOSTS, left, 4)) for seed in range(20)]


def test_of_few_hosts_all_are_taken() -> None:
    assert sorted(neighbourhood(Random(1), HOSTS[:2], [0.5, 0.0], 4)) == HOSTS[:2]
    assert neighbourhood(Random(1), [], [], 4) == []
