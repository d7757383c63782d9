"""A place that would do for another VM."""

from __future__ import annotations

from typing import Any

from placer.solve.instead import instead
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from tests.placer.solve.small import gpu_hosts, shares, snapshot


def pairs(cpus: list[int], milli: list[int], rules: list[dict[str, Any]] | None = None) -> set[tuple[int, int]]:
    """Which of some VMs, which differ by these CPUs and shares of a GPU, might stand instead of which."""
    asked = [{**vm, "cpus": count} for vm, count in zip(shares(*milli), cpus, strict=True)]
    made = snapshot(gpu_hosts(2, 1), asked, rules)
    cluster, kept = made.content, shipped_decision("gpu_allocation").rules_of(made.rules)
    return set(instead([cluster.vms[name] for name in cluster.asked], kept, Scene.now(cluster)))


def test_smaller_vm_takes_the_place_of_the_next_larger_one_only() -> None:
    assert pairs([3, 2, 1], [500, 500, 500]) == {(0, 1), (1, 2)}


def test_vm_that_asks_for_another_share_takes_nobodys_place() -> None:
    assert pairs([3, 2], [500, 400]) == set()


def test_of_two_that_take_the_same_one_goes_before_the_other_and_not_both_ways() -> None:
    assert len(pairs([2, 2], [500, 500])) == 1


def test_vm_that_is_tied_to_a_host_takes_no_place_of_one_that_is_not() -> None:
    tied = [{"kind": "affinity", "vms": ["vm1-500"], "hosts": ["h0"], "strength": "must"}]
    assert pairs([3, 2], [500, 500], tied) == set()
