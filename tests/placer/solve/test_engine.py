"""Whichever way is searched: what is found keeps every rule, and no bound is below what can be reached."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from placer import place
from placer.solve import engine, improve
from placer_models.document import dump
from placer_models.plan import Placements
from placer_models.platform import Platform
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, never_whole, shares, snapshot

SHARES = (810, 470, 470, 320, 650, 230, 1000, 550, 460, 160, 590, 370, 220, 50)

ALIKE = snapshot(gpu_hosts(4, 1, cpus=4), shares(*SHARES))
UNLIKE = snapshot([{**host, "cpus": 2 + i} for i, host in enumerate(gpu_hosts(4, 1))], shares(*SHARES))
RACKS = snapshot(
    [{**host, "labels": {"rack": f"r{i % 2}"}} for i, host in enumerate(gpu_hosts(4, 1))],
    shares(*SHARES[:8]),
    [{"kind": "apart", "vms": ["vm0-810", "vm1-470"], "by": "rack"}],
)
LICENSED = snapshot(
    gpu_hosts(6, 1), shares(*SHARES), [{"kind": "limit", "most_hosts": 2, "vms": ["vm0-810", "vm4-650", "vm7-550"]}]
)


def search_as_if_large(made: Snapshot, patch: pytest.MonkeyPatch, decision: str = "gpu_allocation") -> Placements:
    never_whole(patch)
    return place(made, deciding(decision))


@pytest.mark.parametrize("made", [ALIKE, UNLIKE, RACKS, LICENSED], ids=["alike", "unlike", "racks", "licensed"])
@pytest.mark.parametrize("decision", ["gpu_allocation", "power_on"])
def test_large_search_comes_as_far_as_the_whole_board(
    made: Snapshot, decision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = place(made, deciding(decision))
    large = search_as_if_large(made, monkeypatch, decision)
    first = next(iter(whole.score))
    assert whole.status == "optimal"
    assert large.score[first] == whole.score[first]
    bound = large.bound[first]
    assert bound is None or bound >= whole.score[first]


def test_columns_bound_both_goals_of_hosts_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, large = place(ALIKE, deciding()), search_as_if_large(ALIKE, monkeypatch)
    assert None not in large.bound.values()
    assert large.bound["gpu-milli"] == whole.score["gpu-milli"]


def test_relaxation_bounds_hosts_that_are_not_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    large = search_as_if_large(UNLIKE, monkeypatch)
    bound = large.bound["gpu-milli"]
    assert bound is not None
    assert large.score["gpu-milli"] <= bound <= sum(SHARES)


@pytest.mark.parametrize("made", [ALIKE, UNLIKE], ids=["columns", "neighbourhoods"])
def test_same_seed_twice_gives_the_same_answer(made: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dump(search_as_if_large(made, monkeypatch)) == dump(place(made, deciding()))


@pytest.mark.parametrize("slots", ["chosen", "first-legal", "worst-case"])
def test_whole_columns_keep_the_managers_slots(slots: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [{"name": f"h{i}", "gpus": [{"id": "0", "model": "A100DX", "sharing": "mig"}]} for i in range(4)]
    profiles = ["1g.10gb"] * 9 + ["2g.20gb"] * 5 + ["3g.40gb"] * 4
    vms = [{"name": f"v{i}", "gpus": [{"profile": profile}]} for i, profile in enumerate(profiles)]
    made = snapshot(hosts, vms, platform={"kind": "kvm", "slots": slots})
    whole = place(made, deciding())
    assert search_as_if_large(made, monkeypatch).score["gpu-milli"] == whole.score["gpu-milli"]


@pytest.mark.parametrize(
    "made",
    [snapshot([], []), snapshot([], shares(500)), snapshot(gpu_hosts(2), [])],
    ids=["nothing", "no host", "no request"],
)
@pytest.mark.parametrize("large", [False, True])
def test_empty_cluster_is_answered_and_proven(made: Snapshot, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        never_whole(monkeypatch)
    assert place(made).status == "optimal"
    assert place(made).placed == ()


@pytest.mark.parametrize("large", [False, True])
def test_what_finds_room_at_once_is_started_when_there_is_no_time(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        never_whole(monkeypatch)
    answer = place(ALIKE, deciding(seconds=1e-6))
    assert (answer.status, answer.stopped) == ("feasible", "time limit")
    assert answer.placed


@pytest.mark.parametrize("large", [False, True])
def test_interrupt_ends_the_search_with_the_best_so_far(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        never_whole(monkeypatch)
    before = signal.getsignal(signal.SIGINT)

    def interrupt(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(engine, "PATIENCE", 10**6)
    answer = place(UNLIKE if large else ALIKE, deciding("power_on"), progress=interrupt)
    assert (answer.stopped, answer.status) == ("interrupted", "feasible")
    assert answer.placed
    assert signal.getsignal(signal.SIGINT) is before


def test_room_is_made_in_a_large_cluster_too(monkeypatch: pytest.MonkeyPatch) -> None:
    never_whole(monkeypatch)
    hosts = [{"name": f"h{i}", "cpus": 8} for i in range(3)]
    running = [{"name": f"small{i}", "cpus": 4, "host": f"h{i}"} for i in range(3)]
    answer = place(snapshot(hosts, [*running, {"name": "big", "cpus": 8}]), moves=1)
    assert answer.score["placed"] == 1
    assert len(answer.moves) == 1


def test_every_arrival_needs_its_departures_and_the_bound_knows() -> None:
    """Ten hosts with six of eight CPUs in use, by twos: a VM of four CPUs needs one to leave; half of it needs none."""
    hosts = [{"name": f"h{i}", "cpus": 8} for i in range(10)]
    running = [{"name": f"r{i}-{j}", "cpus": 2, "host": f"h{i}"} for i in range(10) for j in range(3)]
    asked = [{"name": f"new{i}", "cpus": 4} for i in range(3)]
    answer = place(snapshot(hosts, running + asked), moves=3)
    assert (answer.score["placed"], answer.score["moves"], answer.score["hosts-touched"]) == (3, 3, 6)
    assert (answer.bound["moves"], answer.bound["hosts-touched"]) == (3, 6)


def test_neighbourhood_that_is_too_large_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(improve, "MOST_UNKNOWNS", 1)
    answer = search_as_if_large(UNLIKE, monkeypatch)
    assert answer.placed  # the first answer stands


def two_vgpus(name: str, *profiles: str) -> dict[str, Any]:
    return {"name": name, "cpus": 1, "gpus": [{"profile": profile} for profile in profiles]}


def test_vm_with_two_vgpus_starts_where_the_manager_picks_slots_and_that_is_proven() -> None:
    """A board offers such VMs only what fits in any order; room that is there is used all the same."""
    hosts = [{"name": "h0", "cpus": 8, "gpus": [{"id": "g0", "model": "H100XM", "sharing": "mig"}]}]
    made = snapshot(hosts, [two_vgpus(name, "H100XM-1-10C", "H100XM-2-20C") for name in ("a", "b", "c")])
    managed = made.with_parts(platform=Platform(kind="vsphere", version="8.0.3"))
    answer = place(managed)
    assert (answer.score["placed"], answer.bound["placed"]) == (2, 2)
