"""Moves chosen all over a cluster at once: what is carried out keeps to the moves, and nobody beats the bound."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import numpy as np
import pytest

from placer.power_on import _movable
from placer.solve import moving_columns
from placer.solve.budget import Budget
from placer.solve.inventory import Inventory
from placer.solve.moving import rearranged
from placer.solve.moving_columns import MovingColumns
from placer.solve.moving_master import Master
from placer.solve.question import Question
from placer.solve.run import solve_board
from placer.solve.survey import Survey
from placer_models.goals.gpu_milli import GpuMilli
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import deciding, gpu_hosts, shares, snapshot
from tests.placer.solve.test_exchange import crowded, on

SIZES = (120, 250, 330, 400, 500, 650, 810)


def asked(made: Snapshot, moves: int) -> Question:
    """What `place` asks the search, with ten seconds' time."""
    decision = deciding()
    rules, scene = decision.rules_of(made.rules), Scene.now(made.content)
    goals = decision.goals_of(made.content)
    movable = _movable(scene, rules)
    return Question(scene, rules, goals, decision.search, time.monotonic() + 10, movable, moves)


def found(question: Question) -> tuple[int | None, int, int]:
    """The bound, what is given to those who start, and the moves that it takes; checked step by step."""
    survey = Survey(question.cluster, question.rules, question.goals)
    with Budget(question.deadline) as budget:
        made = rearranged(question, survey, 0, budget)
        bound, carried = made.bound, made.carried
    scene = question.scene.copy()
    for stand in carried.moves:
        assert all(not list(rule.check(scene)) for rule in question.rules)
        scene.put(stand)
        assert all(not list(rule.check(scene)) for rule in question.rules)
        (was,) = (other for other in scene.of(stand.vm) if other != stand)
        scene.remove(was)
    for stand in carried.starts:
        scene.put(stand)
    assert all(not list(rule.check(scene)) for rule in question.rules)
    return bound, question.goals[0].score(question.scene, scene, question.rules), len(carried.moves)


def best(question: Question) -> int:
    """The best that the whole cluster as one board allows."""
    board = question.board(question.goals[:1], 10**6)
    return solve_board(board, question.goals[:1], question.search, time.monotonic() + 20).tiers[0].score


def some(chance: Random) -> Snapshot:
    """A few hosts, some VMs on them, and some that wait."""
    hosts = gpu_hosts(chance.randint(2, 4), chance.randint(1, 2))
    free = {(host["name"], gpu["id"]): 1000 for host in hosts for gpu in host["gpus"]}
    cpus = {host["name"]: 16 for host in hosts}
    running: list[dict[str, Any]] = []
    for number in range(chance.randint(2, 7)):
        (name, gpu), milli, needs = chance.choice(list(free)), chance.choice(SIZES), chance.randint(1, 6)
        if free[name, gpu] >= milli and cpus[name] >= needs:
            free[name, gpu] -= milli
            cpus[name] -= needs
            vm = on(f"r{number}", name, needs, milli)
            vm["gpus"][0]["at"] = [{"gpu": gpu}]
            running.append(vm if chance.random() < 0.8 else {**vm, "may": {"live_migrate": False}})
    waiting = [chance.choice((*SIZES, 1000)) for _ in range(chance.randint(1, 5))]
    return snapshot(hosts, [*running, *shares(*waiting, cpus=chance.randint(1, 5))])


@pytest.mark.parametrize("seed", range(25))
def test_nobody_beats_the_bound_and_every_move_is_carried_out(seed: int) -> None:
    chance = Random(seed)
    question = asked(some(chance), chance.randint(0, 4))
    bound, given, moves = found(question)
    most = best(question)
    assert moves <= question.most_moves
    assert given <= most
    assert bound is None or bound >= most


@pytest.mark.parametrize("seed", range(12))
def test_nobody_beats_the_bound_at_any_prices(seed: int) -> None:
    chance = Random(300 + seed)
    question = asked(some(chance), chance.randint(1, 4))
    survey = Survey(question.cluster, question.rules, question.goals)
    inventory = Inventory(question.scene, survey, question.rules, GpuMilli(), question.movable)
    columns = MovingColumns(inventory, question.most_moves, Budget(question.deadline))
    columns.bounded_at(np.array([chance.randint(0, 1200) for _ in inventory.kinds], dtype=np.float64))
    assert columns.bound >= best(question)


def test_chain_of_moves_is_found_and_carried_out_in_order() -> None:
    assert found(asked(crowded(), 9))[:2] == (1500, 1500)


@pytest.mark.parametrize("seed", range(8))
def test_without_time_to_choose_whole_changes_they_are_rounded(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Master, "chosen", lambda *_: ([], False))
    question = asked(some(Random(400 + seed)), 3)
    _, given, moves = found(question)
    assert moves <= 3
    assert given <= best(question)


def test_a_whole_change_is_found_by_rounding_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Master, "chosen", lambda *_: ([], False))
    made = snapshot(gpu_hosts(2, 1), [on("a", "h0", 1, 400), on("b", "h1", 1, 400), *shares(1000)])
    assert found(asked(made, 1))[1:] == (1000, 1)


def test_fewer_moves_have_a_lower_bound() -> None:
    running = [on(f"r{i}", f"h{i}", 1, 400) for i in range(4)]
    made = snapshot(gpu_hosts(4, 1), [*running, *shares(1000, 1000, 1000)])
    assert [found(asked(made, moves))[:2] for moves in (1, 2, 3)] == [(1000, 1000), (2000, 2000), (2000, 2000)]


def test_vms_that_would_only_change_places_stay_where_they_are() -> None:
    running = [on("a", "h0", 1, 1000), on("b", "h1", 1, 1000)]
    assert found(asked(snapshot(gpu_hosts(2, 1), [*running, *shares(500)]), 5))[1:] == (0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_prices_of_a_part_of_the_hosts_lead_to_a_bound_for_all(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving_columns, "MANY_GROUPS", 2)
    monkeypatch.setattr(moving_columns, "SAMPLE", 2)
    question = asked(some(Random(100 + seed)), 2)
    bound, given, moves = found(question)
    assert moves <= 2
    assert given <= best(question) <= (bound or 0)


@pytest.mark.parametrize("by", ["host", "rack"])
def test_rules_that_tie_vms_are_kept_by_what_is_carried_out(by: str) -> None:
    hosts = [{**host, "labels": {"rack": f"r{i % 2}"}} for i, host in enumerate(gpu_hosts(4, 1))]
    running = [on("a", "h0", 1, 400), on("b", "h1", 1, 400), on("c", "h2", 1, 300)]
    rules = [{"kind": "apart", "vms": ["a", "b", "vm0-1000"], "by": by}, {"kind": "together", "vms": ["c", "vm2-500"]}]
    vms = [*running, *shares(1000, 1000, 500)]
    bound, given, _ = found(asked(snapshot(hosts, vms, rules), 2))
    assert given <= (bound or 0)


def test_vm_with_several_asks_is_left_alone_and_nothing_is_claimed() -> None:
    several = {"name": "two", "gpus": [{"milli": 500}, {"milli": 300}]}
    bound, given, _ = found(asked(snapshot(gpu_hosts(2, 1), [on("a", "h0", 1, 400), *shares(900), several]), 2))
    assert (bound, given) == (None, 900)


def test_vm_with_two_whole_gpus_makes_room_for_one_that_wants_four() -> None:
    hosts = gpu_hosts(2, 4)
    pair = {**on("pair", "h0", 1, 0), "gpus": [{"count": 2, "at": [{"gpu": "0"}, {"gpu": "1"}]}]}
    other = on("other", "h1", 1, 500)
    wide = {"name": "wide", "gpus": [{"count": 4}]}
    made = snapshot(hosts, [pair, other, wide])
    assert found(asked(made, 0))[1] == 0
    assert found(asked(made, 1)) == (4000, 4000, 1)
