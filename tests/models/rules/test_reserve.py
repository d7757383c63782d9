"""Rule `reserve`: after the loss of any one host, its VMs start again on the others."""

from __future__ import annotations

from typing import Any

import pytest

from placer import place
from placer.solve.board import CountBoard
from placer_models.decision import shipped_decision
from placer_models.rules import reserve, restarts
from placer_models.snapshot import Snapshot
from tests.asked import Asked
from tests.build import Json, gpu, host, off, on, profile, values, whole

AGAIN = {"restart": True}
STANDING = shipped_decision("power_on").rules_of([])
FOUR = [host(name, *[gpu()] * 4) for name in ("h1", "h2")]


def held(name: str, where: str, number: int, **more: Any) -> Json:
    return on(name, where, whole("Tesla M60", f"g{number}"), may=AGAIN, **more)


def asked(machines: list[Json], *vms: Json, **rule: object) -> Asked:
    return Asked(values(machines, list(vms), rules=[{"kind": "reserve", **rule}]), "reserve")


def running(each: int) -> list[Json]:
    return [held(f"{where}-{i}", where, i) for where in ("h1", "h2") for i in range(each)]


def test_two_of_four_gpus_on_each_of_two_hosts_can_be_lost() -> None:
    assert asked(FOUR, *running(2)).breaches == {}


def test_three_of_four_cannot() -> None:
    assert set(asked(FOUR, *running(3)).breaches.values()) == {2}


def test_the_operator_reads_whose_loss_would_leave_vms_off() -> None:
    one = asked(FOUR, *running(2), off("new", whole(), may=AGAIN))
    assert one.why_not("new", "h1") == "no failover: if h1 or h2 were lost, 1 VM would not start again"


def test_a_vm_that_need_not_restart_takes_room_from_those_that_must() -> None:
    one = asked(FOUR, *running(2), off("new", whole()))
    assert one.why_not("new", "h1") == "no failover: if h2 were lost, 1 VM would not start again"


def test_only_the_named_hosts_may_be_lost() -> None:
    (said,) = asked(FOUR, *running(3), hosts=["h1"]).breaches
    assert said.startswith("h1: if it were lost, ")


def test_only_the_named_vms_start_again() -> None:
    assert asked(FOUR, *running(3), vms=["h1-0"]).breaches == {}


def test_an_empty_gpu_is_put_in_another_sharing_for_a_restart() -> None:
    hosts = [host("h1", gpu("T4", "same-size")), host("h2", gpu("T4", "passthrough", may_share=["same-size"]))]
    vm = on("desk", "h1", profile("T4-8Q", "g0", 0), may=AGAIN)
    assert asked(hosts, vm).breaches == {}
    hosts[1]["gpus"][0].pop("may_share")
    assert len(asked(hosts, vm).breaches) == 1


def test_the_first_place_found_is_not_the_last_word() -> None:
    """The pair goes where both its GPUs are on one board, so the single one must keep off it."""
    hosts = [
        host("h1", gpu(board="1"), gpu(board="1"), gpu(board="2")),
        host("h2", gpu(board="1"), gpu(board="2"), gpu(board="2")),
    ]
    pair = on(
        "pair", "h1", whole("Tesla M60", "g0", "g1", count=2), may=AGAIN, needs={"same_board": True}, memory_gib=1
    )
    single = on("single", "h1", whole("Tesla M60", "g2"), may=AGAIN, memory_gib=64)
    assert asked(hosts, pair, single).breaches == {}


THREE_AND_TWO_AND_TWO = [
    [host("h1", cpus=7), host("h2", cpus=4), host("h3", cpus=3)],
    [on(name, "h1", cpus=cpus, may=AGAIN) for name, cpus in (("three", 3), ("two", 2), ("two-more", 2))],
]


def test_what_fits_only_in_another_order_starts_again() -> None:
    hosts, vms = THREE_AND_TWO_AND_TWO
    assert asked(hosts, *vms).breaches == {}


def test_what_is_not_shown_within_the_budget_is_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "MOST_TRIES", 0)
    hosts, vms = THREE_AND_TWO_AND_TWO
    (said,) = asked(hosts, *vms).breaches
    assert said.endswith("would not start again (not shown within the budget)")


def test_a_large_board_is_careful_and_proves_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "MOST_UNKNOWNS", 0)
    monkeypatch.setattr(reserve, "ROOMIEST", 1)
    hosts = [host(name, *[gpu()] * 2) for name in ("h1", "h2", "h3")]
    vms = [held("old", "h1", 0), off("a", whole(), may=AGAIN), off("b", whole(), may=AGAIN)]
    one = asked(hosts, *vms)
    assert CountBoard(one.scene, [*STANDING, one.rule], [], one.cluster.asked).narrow
    assert place(Snapshot.of(values(hosts, vms, rules=[{"kind": "reserve"}]))).score["placed"] == 2


def test_what_would_let_a_vm_in_is_looked_for_where_it_is_tied_to_others_after_a_loss() -> None:
    hosts = [host("h1"), host("h2", gpu("A100", sharing="mig"), memory_gib=128)]
    vms = [off(name, whole("A100", count=8), memory_gib=128, may=AGAIN) for name in ("v0", "v1")]
    rules: list[Json] = [{"kind": "reserve"}, {"kind": "limit", "most_hosts": 1}, {"kind": "together", "vms": ["v1"]}]
    answer = place(Snapshot.of(values(hosts, vms, rules=rules)))
    assert [(one.vm, one.change) for one in answer.unplaced] == [("v0", None), ("v1", None)]
