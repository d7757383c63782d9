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


def test_it_is_known_whether_the_clock_ended_a_part_of_the_search() -> None:
    budget = later()
    assert not budget.over()
    assert not budget.short(10)
    assert not budget.past(time.monotonic() + 60)
    assert not budget.spending.cut
    with budget.share(0.5):
        assert budget.short(31)
    assert budget.spending.cut


def test_ctrl_c_and_an_instant_that_is_past_end_a_part_too() -> None:
    interrupted, late = later(), later()
    interrupted.interrupted = True
    assert interrupted.over()
    assert late.past(time.monotonic() - 1)
    assert interrupted.spending.cut
    assert late.spending.cut


@pytest.mark.parametrize(("seconds", "cut"), [(60, False), (0, True)])
def test_a_solver_that_the_clock_ends_is_noticed_and_one_that_has_worked_enough_is_not(
    seconds: float, cut: bool
) -> None:
    budget, model, solver = later(seconds), cp_model.CpModel(), cp_model.CpSolver()
    holes = [[model.new_bool_var("") for _ in range(14)] for _ in range(15)]
    for pigeon in holes:
        model.add(sum(pigeon) == 1)
    for hole in zip(*holes, strict=True):
        model.add(sum(hole) <= 1)
    model.maximize(sum(holes[0]))
    solver.parameters.max_deterministic_time = 1e-9
    solver.parameters.num_workers = 1
    solver.parameters.cp_model_presolve = False
    assert budget.solve(solver, model) == cp_model.UNKNOWN
    assert budget.spending.cut == cut


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
