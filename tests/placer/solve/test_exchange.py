"""Room made by moves, some hosts at a time, where one board would be too large."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from placer import place, verify
from placer_models.document import dump
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, never_whole, shares, snapshot


def answered(made: Snapshot, moves: int, patch: pytest.MonkeyPatch) -> Placements:
    never_whole(patch)
    answer = place(made, deciding(seconds=20), moves=moves)
    assert verify(made, answer, deciding()) == []
    assert len(answer.moves) <= moves
    return answer


def on(name: str, host: str, cpus: int, milli: int) -> dict[str, Any]:
    gpus = [{"milli": milli, "at": [{"gpu": "0"}]}] if milli else []
    return {"name": name, "power": "on", "host": host, "cpus": cpus, "gpus": gpus}


def crowded() -> Snapshot:
    """h0 has a GPU for one more but no CPUs, h1 the reverse; h2 is empty, and one VM stays."""
    running = [on("heavy", "h0", 15, 500), on("light", "h1", 2, 500), {**on("other", "h1", 1, 500), "may": {}}]
    return snapshot(gpu_hosts(3, 1), [*running, *shares(500, 500, 500, 500, cpus=7)])


def test_one_move_lets_one_more_in(monkeypatch: pytest.MonkeyPatch) -> None:
    made = snapshot(gpu_hosts(2, 1), [on("a", "h0", 1, 400), on("b", "h1", 1, 400), *shares(1000)])
    assert answered(made, 0, monkeypatch).score["gpu-milli"] == 0
    assert answered(made, 1, monkeypatch).score["gpu-milli"] == 1000


def test_vm_that_lacks_cpus_changes_places_with_one_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made = crowded()
    assert answered(made, 0, monkeypatch).score["gpu-milli"] == 1000
    answer = answered(made, 9, monkeypatch)
    assert answer.score["gpu-milli"] == 1500
    assert {move.vm for move in answer.moves} == {"heavy", "light"}


def test_nothing_is_moved_that_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [{**on(name, host, 1, 400), "may": {"live_migrate": False}} for name, host in (("a", "h0"), ("b", "h1"))]
    answer = answered(snapshot(gpu_hosts(2, 1), [*running, *shares(1000)]), 5, monkeypatch)
    assert not answer.moves
    assert answer.score["placed"] == 0


def test_bound_holds_however_many_moves_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [on(f"r{i}", f"h{i}", 1, 400) for i in range(4)]
    answer = answered(snapshot(gpu_hosts(4, 1), [*running, *shares(1000, 1000, 1000)]), 2, monkeypatch)
    assert answer.score["gpu-milli"] <= (answer.bound["gpu-milli"] or 0) == 2000


@pytest.mark.parametrize("seed", range(3))
def test_moves_that_end_by_themselves_are_the_same_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(seed)
    hosts = gpu_hosts(8, 2)
    running = [
        {**on(f"r{h}{g}{i}", f"h{h}", 1, 0), "gpus": [{"milli": milli, "at": [{"gpu": str(g)}]}]}
        for h in range(8)
        for g in range(2)
        for i, milli in enumerate(chance.choice([(300, 400), (550,), (250, 250), (700,)]))
    ]
    made = snapshot(hosts, [*running, *shares(*(chance.choice([450, 600, 1000]) for _ in range(8)))])
    one, other = answered(made, 6, monkeypatch), answered(made, 6, monkeypatch)
    assert one.stopped in ("proven", "no neighbourhood of hosts could be improved")
    assert dump(one) == dump(other)
    assert one.score["gpu-milli"] <= (one.bound["gpu-milli"] or 0)
