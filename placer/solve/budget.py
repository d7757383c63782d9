"""Until when a search may go on: its deadline, and Ctrl-C.

Solvers run in a thread of their own, so that the main thread stays awake for both: CP-SAT does not look at the clock
inside presolve, and a signal must reach it at any moment.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from ortools.sat.python import cp_model

from placer.interrupt import Interruptible
from placer.spending import Spending

T = TypeVar("T")

ALMOST = 0.9
"""The part of its time after which a solver that has not ended by itself has ended for want of it."""

GRACE_SECONDS = 2.0
"""How long a solver that was told to stop is waited for before it is left alone."""


class Budget(Interruptible):
    """A search's time until `deadline` (of `time.monotonic`). As a context, Ctrl-C inside it (in the main thread) sets
    `interrupted` and stops the solver that runs, instead of raising KeyboardInterrupt. `work` adds up the deterministic
    time of every solve; `spending` is told whether the clock has ended some part of the search.
    """

    def __init__(self, deadline: float, spending: Spending | None = None) -> None:
        super().__init__()
        self.deadline = deadline
        self.spending = spending or Spending()
        self._work = 0.0
        self._stops: list[Callable[[], None]] = []

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        super()._interrupt(_signal, _frame)
        if callable(self._before) and self._before is not signal.default_int_handler:
            self._before(_signal, _frame)  # whoever else wants to know
        for stop in tuple(self._stops):
            stop()

    @property
    def work(self) -> float:
        """Deterministic seconds that were spent; what is added belongs to the present part of `spending`."""
        return self._work

    @work.setter
    def work(self, work: float) -> None:
        self.spending.add(work - self._work)
        self._work = work

    @property
    def left(self) -> float:
        """Seconds that are left: none after Ctrl-C."""
        left = 0.0 if self.interrupted else max(0.0, self.deadline - time.monotonic())
        self.spending.cut |= left <= 0
        return left

    def short(self, kept: float) -> bool:
        """Whether no more than so many seconds are left, which are kept for what comes later."""
        short = self.left <= kept
        self.spending.cut |= short
        return short

    def past(self, instant: float) -> bool:
        """Whether this instant (of `time.monotonic`) is past, until which a part of the search has its turn."""
        past = time.monotonic() > instant
        self.spending.cut |= past
        return past

    @contextmanager
    def share(self, share: float) -> Iterator[None]:
        """In the `with` block, no more than this share of the time that is left is there."""
        end = self.deadline
        self.deadline -= (1 - share) * self.left
        try:
            yield
        finally:
            self.deadline = end

    def over(self) -> bool:
        """Whether the search has to end now."""
        return self.left <= 0

    @property
    def why(self) -> str:
        """Why it ended, where it ended early."""
        return "interrupted" if self.interrupted else "time limit"

    def run(self, work: Callable[[], T], stop: Callable[[], None]) -> T | None:
        """What `work` returns, run in a thread; None where it does not end in time although it was told to `stop`."""
        found: list[T] = []
        raised: list[BaseException] = []

        def body() -> None:
            try:
                found.append(work())
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=body, daemon=True)
        self._stops.append(stop)
        try:
            thread.start()
            patience = GRACE_SECONDS
            while thread.is_alive() and patience > 0:
                if not self.over():
                    thread.join(min(self.left, 0.25))
                    continue
                stop()
                thread.join(0.25)
                patience -= 0.25
        finally:
            self._stops.remove(stop)
        if raised:
            raise raised[0]
        return found[0] if found else None

    def solve(
        self, solver: cp_model.CpSolver, model: cp_model.CpModel, watch: cp_model.CpSolverSolutionCallback | None = None
    ) -> cp_model.CpSolverStatus:
        """CP-SAT's status for a model; UNKNOWN where it did not end in time."""
        solver.parameters.max_time_in_seconds = max(0.01, self.left)
        solver.parameters.catch_sigint_signal = False
        status = self.run(lambda: solver.solve(model, watch), solver.stop_search)
        if status is None:
            return cp_model.UNKNOWN
        self._ended([(solver, status)])
        return status

    def solve_all(self, jobs: Sequence[tuple[cp_model.CpSolver, cp_model.CpModel]]) -> list[cp_model.CpSolverStatus]:
        """CP-SAT's status for each of several models, solved at the same time; UNKNOWN where they did not end in time.

        A solver must not take more than one thread, and its deterministic time should be bounded: then each finds the
        same whatever the others do.
        """
        if not jobs:
            return []
        for solver, _ in jobs:
            solver.parameters.max_time_in_seconds = max(0.01, self.left)
            solver.parameters.catch_sigint_signal = False

        def work() -> list[cp_model.CpSolverStatus]:
            with ThreadPoolExecutor(len(jobs)) as pool:
                return list(pool.map(lambda job: job[0].solve(job[1]), jobs))

        def stop() -> None:
            for solver, _ in jobs:
                solver.stop_search()

        found = self.run(work, stop)
        if found is None:
            return [cp_model.UNKNOWN] * len(jobs)
        self._ended([(solver, status) for (solver, _), status in zip(jobs, found, strict=True)])
        return found

    def _ended(self, solved: Sequence[tuple[cp_model.CpSolver, cp_model.CpSolverStatus]]) -> None:
        """Count what solvers have worked, and see whether the clock has ended one of them: they stop a little early."""
        self.work += sum(solver.response_proto.deterministic_time for solver, _ in solved)
        for solver, status in solved:
            if status in (cp_model.FEASIBLE, cp_model.UNKNOWN):
                self.spending.cut |= solver.wall_time >= ALMOST * solver.parameters.max_time_in_seconds
