"""Whole numbers of columns, from what the linear master likes."""

from __future__ import annotations

from collections import Counter

from placer import place
from placer.solve.master import Floor
from placer.solve.rounding import rounded
from placer_models.goals.gpu_milli import milli_of
from placer_models.scene import Stand
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, shares, snapshot
from tests.placer.solve.test_columns import columns_of


def stands_of(made: Snapshot, least: int | None = None) -> list[Stand]:
    columns = columns_of(made)
    values, other = columns.values(0), columns.values(1)
    assert values is not None
    assert other is not None
    floors = [] if least is None else [Floor(other, least)]
    columns.generate(other)
    prices, _ = columns.generate(values, floors)
    assert prices is not None
    return rounded(columns, values, floors, prices)


def test_chosen_columns_are_carried_to_every_host_of_their_group() -> None:
    made = snapshot(gpu_hosts(3, 1), shares(600, 600, 600, 400, 400, 400))
    stands = stands_of(made)
    assert sorted(stand.vm for stand in stands) == sorted(vm.name for vm in made.vms)
    assert Counter(stand.host for stand in stands) == {"h0": 2, "h1": 2, "h2": 2}


def test_halves_of_columns_become_whole_ones_without_loss() -> None:
    made = snapshot(gpu_hosts(3, 1), shares(700, 600, 500, 500, 400, 300))
    cluster = made.content
    found = sum(milli_of(cluster, cluster.vms[stand.vm]) for stand in stands_of(made))
    assert found == place(made, deciding()).score["gpu-milli"] == 3000


def test_each_vm_stands_once_and_no_host_takes_two_columns() -> None:
    made = snapshot(gpu_hosts(2, 1), shares(*[300] * 10))
    stands = stands_of(made)
    assert Counter(stand.host for stand in stands) == {"h0": 3, "h1": 3}
    assert len({stand.vm for stand in stands}) == len(stands)


def test_total_of_a_goal_before_is_kept_where_it_can_be() -> None:
    made = snapshot(gpu_hosts(1, 1), shares(950, 400, 300, 200))
    assert [stand.vm for stand in stands_of(made)] == ["vm0-950"]
    assert len(stands_of(made, least=3)) == 3
