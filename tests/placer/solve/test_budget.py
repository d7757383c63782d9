"""A search ends when its time is up, whatever its solvers do."""

from __future__ import annotations

import threading
import time

import pytest
from ortools.sat.python import cp_model

from placer.solve import budget as room
from placer.solve.budget import Budget


def later(seconds: float = 60) -> Budget:
    return Budget(time.monotonic() + seconds)


def test_work_that_ends_is_returned() -> None:
    assert later().run(lambda: 7, lambda: None) == 7


def test_work_is_told_to_stop_when_time_is_up() -> None:
    told = threading.Event()
    assert Budget(0.0).run(lambda: told.wait(30), told.set) is True


def test_work_that_does_not_stop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "GRACE_SECONDS", 0.01)
    end = threading.Event()
    assert Budget(0.0).run(lambda: end.wait(30), lambda: None) is None
    end.set()


def test_fault_inside_the_work_comes_out() -> None:
    def broken() -> int:
        raise ValueError("no such host")

    with pytest.raises(ValueError, match="no such host"):
        later().run(broken, lambda: None)


def test_interrupted_budget_has_no_time_left() -> None:
    budget = later()
    assert not budget.over()
    budget.interrupted = True
    assert (budget.over(), budget.left, budget.why) == (True, 0.0, "interrupted")


def test_deterministic_work_adds_up() -> None:
    budget, model = later(), cp_model.CpModel()
    x = [model.new_int_var(0, 9, "") for _ in range(12)]
    model.add(cp_model.LinearExpr.weighted_sum(x, list(range(3, 15))) <= 71)
    model.maximize(cp_model.LinearExpr.weighted_sum(x, [7, 5, 9, 8, 11, 6, 12, 13, 10, 15, 17, 14]))
    assert budget.solve(cp_model.CpSolver(), model) == cp_model.OPTIMAL
    once = budget.work
    assert budget.solve(cp_model.CpSolver(), model) == cp_model.OPTIMAL
    assert budget.work == pytest.approx(2 * once)


def test_no_handler_is_set_outside_the_main_thread() -> None:
    raised: list[BaseException] = []

    def body() -> None:
        try:
            with later():
                pass
        except ValueError as error:
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert raised == []
