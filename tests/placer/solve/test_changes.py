"""What a host's content should become at given prices: nothing is worth more than is said, and what is found fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from random import Random

import numpy as np
import pytest

from placer.solve.changes import Change, Changes
from placer.solve.inventory import Inventory
from placer.solve.survey import Survey
from placer_models.goals.gpu_milli import GpuMilli
from placer_models.scene import Stand
from placer_models.seating import stand_on
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import gpu_hosts, shares, snapshot
from tests.placer.solve.test_exchange import on
from tests.placer.solve.test_moving import asked, some


def inventory(made: Snapshot) -> Inventory:
    question = asked(made, 9)
    survey = Survey(question.cluster, question.rules, question.goals)
    return Inventory(question.scene, survey, question.rules, GpuMilli(), question.movable)


def worth(change: Change, prices: np.ndarray, move: float) -> float:
    come = sum(many * float(prices[kind]) for kind, many in change.comes)
    return come - sum(many * (float(prices[kind]) + move) for kind, many in change.leaves)


def contents(stock: Inventory, host: str) -> Iterator[tuple[list[str], list[str]]]:
    """Sets of VMs that may leave a host, and up to two that then find room there one after the other."""
    scene, cluster = stock.scene, stock.scene.cluster
    here = [stand for stand in scene.on(host) if stand.vm in stock.number]
    others = [name for name in stock.number if name not in {stand.vm for stand in here}]
    for size in range(len(here) + 1):
        for gone in combinations(here, size):
            with scene.lifted(*gone):
                for many in range(3):
                    for coming in combinations(others, many):
                        put: list[Stand] = []
                        for name in coming:
                            vm = cluster.vms[name]
                            use = scene.use(host)
                            stand = stand_on(scene, vm, cluster.hosts[host])
                            if stand is None or use.cpu_milli + vm.cpu_milli > cluster.hosts[host].cpu_room_milli:
                                break
                            scene.put(stand)
                            put.append(stand)
                        fits = len(put) == many
                        for stand in reversed(put):
                            scene.remove(stand)
                        if fits:
                            yield [stand.vm for stand in gone], list(coming)


@pytest.mark.parametrize("seed", range(10))
def test_no_content_of_a_host_is_worth_more_than_is_said(seed: int) -> None:
    chance = Random(seed)
    stock = inventory(some(chance))
    prices = np.array([float(chance.randint(0, 900)) for _ in stock.kinds])
    changes = Changes(stock, prices, 50.0)
    for number, group in enumerate(stock.groups):
        most, found = changes.of(number, 0.0)
        for gone, coming in contents(stock, group.hosts[0]):
            value = sum(float(prices[stock.number[name]]) for name in coming)
            assert value - sum(float(prices[stock.number[name]]) + 50 for name in gone) <= most + 1e-6
        assert all(0 < worth(change, prices, 50.0) <= most + 1e-6 for change in found)


def test_whole_gpu_comes_for_a_small_share_where_that_pays_for_the_move() -> None:
    stock = inventory(snapshot(gpu_hosts(1, 1), [on("small", "h0", 1, 100), *shares(1000)]))
    small, whole = stock.number["small"], stock.number["vm0-1000"]
    prices = np.zeros(2)
    prices[small], prices[whole] = 10, 1000
    most, found = Changes(stock, prices, 50.0).of(0, 0.0)
    assert most == 940
    assert found == [Change(0, ((whole, 1),), ((small, 1),))]
    assert Changes(stock, prices, 950.0).of(0, 0.0)[0] == 90  # nine more of the small ones


def test_vm_without_gpu_leaves_for_the_cpus_that_a_gpu_needs() -> None:
    stock = inventory(snapshot(gpu_hosts(1, 1), [on("cpus", "h0", 14, 0), *shares(800, cpus=8)]))
    prices = np.array([10.0 if kind.gpus == 0 else 800.0 for kind in stock.kinds])
    most, found = Changes(stock, prices, 50.0).of(0, 0.0)
    assert most == 740
    assert [Counter(dict(change.leaves)) for change in found] == [Counter({stock.number["cpus"]: 1})]


def test_memory_is_kept_to_though_it_only_has_a_price() -> None:
    hosts = gpu_hosts(1, 2, memory_mib=10_000)
    vms = [{**vm, "memory_mib": 6_000} for vm in shares(1000, 1000)]
    stock = inventory(snapshot(hosts, vms))
    most, found = Changes(stock, np.array([1000.0]), 50.0).of(0, 0.0)
    assert found == [Change(0, ((0, 1),), ())]
    assert 1000 <= most <= 2000
