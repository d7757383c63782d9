"""Hosts that are left for a while: who goes where, who waits, and whom it costs twice."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from placer.solve.budget import Budget
from placer.solve.leaving import LeavingAsk, Left, Options, Spot, solve_leaving
from placer_models.decision import shipped_decision
from placer_models.night import Limits, LinkLimit
from placer_models.scene import Scene
from tests.good_nights import quick
from tests.nights import Night, Values
from tests.worlds import gpu, host, want

LIVE = Options(live=True)
OFF = Options(live=False, elsewhere=(("power-off", 13),), wait=(("power-off", 73),))
STUCK = Options(live=False)


def leave(hosts: list[Values], vms: list[Values], options: dict[str, Options], *left: str, **more: Any) -> Left:
    """How these hosts, or GPUs (`h1/g0`), are left by all who stand there."""
    night = Night(hosts, vms)
    scene, decision = Scene.now(night.cluster), shipped_decision("evacuate")
    leavers: dict[Spot, frozenset[str]] = {}
    for name, _, gpu_id in (text.partition("/") for text in left):
        its = [stand for stand, _ in scene.holders(name, gpu_id)] if gpu_id else scene.on(name)
        leavers[Spot(name, gpu_id or None)] = frozenset(stand.vm for stand in its)
    ask = LeavingAsk(leavers, options, **{"most": len(left), **more})
    budget = Budget(time.monotonic() + 60)
    return solve_leaving(scene, night.holding, decision.night_goals(), ask, decision.search, budget)


def goes(left: Left) -> Collection[tuple[str, str, str | None]]:
    """Each VM's way, and where it ends (None: it waits)."""
    return {(going.vm, going.way, None if going.to is None else going.to.host) for going in left.goings}


def test_who_may_migrate_does_so_and_not_to_a_host_that_is_emptied_later() -> None:
    hosts = [host("h1"), host("h2"), host("h3")]
    left = leave(hosts, [quick("a", on="h1")], {"a": LIVE}, "h1", later=frozenset({"h2"}))
    assert left.spots == [Spot("h1")]
    assert goes(left) == {("a", "migrate", "h3")}


def test_a_pass_through_vm_starts_where_a_gpu_is_free_and_waits_where_none_is() -> None:
    vms = [quick("p", want(at="g0"), on="h1", may="power_cycle")]
    spare = leave([host("h1", gpu("A40")), host("h2", gpu("A40"))], vms, {"p": OFF}, "h1")
    assert goes(spare) == {("p", "power-off", "h2")}
    none = leave([host("h1", gpu("A40")), host("h2")], vms, {"p": OFF}, "h1")
    assert goes(none) == {("p", "power-off", None)}


def test_a_host_is_not_left_where_one_vm_may_do_nothing_and_the_other_host_is() -> None:
    vms = [quick("a", on="h1", may=""), quick("b", on="h2")]
    left = leave([host("h1"), host("h2"), host("h3")], vms, {"a": STUCK, "b": LIVE}, "h1", "h2")
    assert left.spots == [Spot("h2")]
    assert goes(left) == {("b", "migrate", "h3")}


def test_of_two_hosts_that_is_left_first_which_moves_fewer() -> None:
    vms = [quick("a", on="h1"), quick("b", on="h1"), quick("c", on="h2")]
    left = leave([host("h1"), host("h2"), host("h3")], vms, dict.fromkeys("abc", LIVE), "h1", "h2", most=1)
    assert left.spots == [Spot("h2")]


def test_a_store_that_is_too_small_lets_nobody_sleep() -> None:
    asleep = Options(live=False, wait=(("suspend", 76),), state_mib=1024)
    for store, spots in ((1024, [Spot("h1")]), (1023, [])):
        left = leave(
            [host("h1"), host("h2")], [quick("a", on="h1")], {"a": asleep}, "h1", limits=Limits(store_mib=store)
        )
        assert left.spots == spots


def test_one_gpu_is_left_by_its_holder_and_the_other_keeps_the_one_that_may_do_nothing() -> None:
    vms = [
        quick("a", want("M60-1Q", "g0/0"), on="h1"),
        quick("b", want("M60-1Q", "g1/0"), on="h1", may=""),
        quick("c", on="h1"),
    ]
    hosts = [host("h1", gpu("M60", "same-size"), gpu("M60", "same-size")), host("h2", gpu("M60", "same-size"))]
    left = leave(hosts, vms, {"a": LIVE, "b": STUCK}, "h1/g0", "h1/g1", barred=frozenset({"h1"}))
    assert left.spots == [Spot("h1", "g0")]
    assert goes(left) == {("a", "migrate", "h2")}


def test_who_holds_two_gpus_waits_for_either() -> None:
    vms = [quick("p", want(at="g0 g1", count=2), on="h1", may="power_cycle")]
    left = leave([host("h1", gpu("A40"), gpu("A40"))], vms, {"p": OFF}, "h1/g0", "h1/g1", barred=frozenset({"h1"}))
    assert left.spots == [Spot("h1", "g0"), Spot("h1", "g1")]
    assert goes(left) == {("p", "power-off", None)}


def test_who_leaves_stays_within_its_rack_where_the_uplink_bears_one_at_a_time() -> None:
    hosts = [host(name, labels={"rack": name[0]}) for name in ("a1", "b1", "b2", "a2")]
    vms = [quick(name, on="a1") for name in "xyz"]
    slow = Limits(moves_at_once_per_host=4, links=(LinkLimit(label="rack", moves_at_once=1),))
    left = leave(hosts, vms, dict.fromkeys("xyz", LIVE), "a1", limits=slow)
    assert goes(left) == {(name, "migrate", "a2") for name in "xyz"}


def test_those_who_leave_two_hosts_are_spread_over_two_others() -> None:
    hosts = [host(name) for name in ("h1", "h2", "h3", "h4")]
    vms = [quick(name, on=f"h{1 + number // 2}") for number, name in enumerate("wxyz")]
    left = leave(hosts, vms, dict.fromkeys("wxyz", LIVE), "h1", "h2")
    assert sorted(going.to.host for going in left.goings if going.to) == ["h3", "h3", "h4", "h4"]
