"""The master problem shares hosts and VMs out, and prices them."""

from __future__ import annotations

import pytest

from placer.solve.master import Column, Floor, Room, linear

ROOM = Room(hosts=(2,), vms=(3, 2))
COLUMNS = [Column(0, ((0, 2),)), Column(0, ((0, 1), (1, 1))), Column(0, ((1, 2),))]


def test_best_total() -> None:
    prices = linear(ROOM, COLUMNS, {0: 3, 1: 5})
    assert prices is not None
    assert prices.total == pytest.approx(3 * 2 + 5 * 2)
    assert sum(prices.taken) == pytest.approx(2)


def test_vms_that_a_column_holds_too_many_of_count_once() -> None:
    few = Room(hosts=(2,), vms=(1, 2))
    prices = linear(few, COLUMNS, {0: 3})
    assert prices is not None
    assert prices.total == pytest.approx(3)


def test_floor_holds_back_what_would_be_better() -> None:
    free, held = linear(ROOM, COLUMNS, {0: 1}), linear(ROOM, COLUMNS, {0: 1}, [Floor({1: 1}, 2)])
    assert free is not None
    assert held is not None
    assert free.total == pytest.approx(3)
    assert held.total == pytest.approx(2)


def test_floor_out_of_reach_is_said() -> None:
    assert linear(ROOM, COLUMNS, {0: 1}, [Floor({1: 1}, 3)]) is None
