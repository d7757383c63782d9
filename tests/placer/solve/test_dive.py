"""What the linear relaxation chooses, CP-SAT completes: never worse than what there was."""

from __future__ import annotations

import time

import pytest
from ortools.sat.python import cp_model

from placer.solve import dive
from placer.solve.budget import Budget
from placer_models.decision import Search

SEARCH = Search(time_limit_seconds=10, seed=0, workers=1)


def knapsack() -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """Two of four hosts are to be emptied, which costs 5, 1, 4 and 2 moves."""
    model = cp_model.CpModel()
    empty = [model.new_bool_var(f"empty {i}") for i in range(4)]
    moves = [model.new_int_var(0, 9, f"moves {i}") for i in range(4)]
    for one, moved, cost in zip(empty, moves, (5, 1, 4, 2), strict=True):
        model.add(moved >= cost * one)
    model.add(sum(empty) >= 2)
    model.minimize(sum(moves))
    return model, empty


def budget() -> Budget:
    return Budget(time.monotonic() + 60)


def test_the_relaxation_names_the_cheapest_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dive, "FEW_UNKNOWNS", 0)
    model, empty = knapsack()
    assert dive.better(model, empty, [1, 0, 1, 0, 5, 0, 4, 0], SEARCH, budget()) == [0, 1, 0, 1, 0, 1, 0, 2]


def test_what_is_best_already_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dive, "FEW_UNKNOWNS", 0)
    model, empty = knapsack()
    best = [0, 1, 0, 1, 0, 1, 0, 2]
    assert dive.better(model, empty, best, SEARCH, budget()) is best


def test_where_nothing_can_be_relaxed_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dive, "FEW_UNKNOWNS", 0)
    model, empty = knapsack()
    model.add(sum(empty) <= 1)
    some = [1, 0, 1, 0, 5, 0, 4, 0]
    assert dive.relaxed(model, budget()) is None
    assert dive.better(model, empty, some, SEARCH, budget()) is some
