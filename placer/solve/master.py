"""The master problem of columns: how many hosts of each group take which content, so that the VMs count for most.

    most  sum of value x VMs placed
    where VMs placed of a class <= what the columns taken hold of it, and <= the VMs that there are,
          columns taken in a group <= its hosts,
          further totals are at least so much (the goals before this one).

A column may hold more of a class than is wanted: who is too many is left out, as what stands without him is legal too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ortools.linear_solver.python import model_builder

from placer.solve.budget import Budget

Values = Mapping[int, int]
"""What one VM of each class counts for; nothing where it is not named."""


@dataclass(frozen=True)
class Column:
    """The VMs that come to one host of a group: (class, how many), ascending."""

    group: int
    counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Room:
    """What is to be shared out: the hosts of each group, and the VMs of each class."""

    hosts: tuple[int, ...]
    vms: tuple[int, ...]


@dataclass(frozen=True)
class Floor:
    """A total that an answer must reach: that of a goal before this one."""

    values: Values
    least: int


@dataclass(frozen=True)
class Prices:
    """The linear master's best: its total, what a VM of each class is worth there, what a host of each group, each
    floor, and how often each column is taken.
    """

    total: float
    vms: tuple[float, ...]
    hosts: tuple[float, ...]
    floors: tuple[float, ...]
    taken: tuple[float, ...]


class _Model:
    def __init__(
        self, room: Room, columns: Sequence[Column], values: Values, floors: Sequence[Floor], *, whole: bool
    ) -> None:
        expr = model_builder.LinearExpr
        self.model = model_builder.Model()  # type: ignore[no-untyped-call]
        count = self.model.new_int_var if whole else self.model.new_num_var
        self.taken = [count(0, room.hosts[column.group], "") for column in columns]
        self.placed = [self.model.new_num_var(0, most, "") for most in room.vms]
        held: list[list[tuple[object, int]]] = [[] for _ in room.vms]
        used: list[list[object]] = [[] for _ in room.hosts]
        for column, taken in zip(columns, self.taken, strict=True):
            used[column.group].append(taken)
            for number, amount in column.counts:
                held[number].append((taken, -amount))
        self.classes = [
            self.model.add(expr.weighted_sum([placed, *(v for v, _ in on)], [1, *(c for _, c in on)]) <= 0)
            for placed, on in zip(self.placed, held, strict=True)
        ]
        self.groups = [
            self.model.add(expr.sum(on) <= hosts) if on else None for on, hosts in zip(used, room.hosts, strict=True)
        ]
        self.floors = [self.model.add(self._total(floor.values) >= floor.least) for floor in floors]
        self.model.maximize(self._total(values))

    def _total(self, values: Values) -> model_builder.LinearExpr:
        return model_builder.LinearExpr.weighted_sum([self.placed[number] for number in values], list(values.values()))


def linear(room: Room, columns: Sequence[Column], values: Values, floors: Sequence[Floor] = ()) -> Prices | None:
    """The linear relaxation over these columns; None where the floors cannot be reached."""
    made = _Model(room, columns, values, floors, whole=False)
    solver = model_builder.Solver("glop")
    if solver.solve(made.model) != model_builder.SolveStatus.OPTIMAL:
        return None

    def dual(row: model_builder.LinearConstraint | None) -> float:
        return 0.0 if row is None else max(0.0, solver.dual_value(row))

    return Prices(
        solver.objective_value,
        tuple(map(dual, made.classes)),
        tuple(map(dual, made.groups)),
        tuple(max(0.0, -solver.dual_value(row)) for row in made.floors),
        tuple(solver.value(taken) for taken in made.taken),
    )


def whole(
    room: Room,
    columns: Sequence[Column],
    values: Values,
    floors: Sequence[Floor],
    budget: Budget,
    *,
    nodes: int,
    gap: float,
) -> list[int] | None:
    """How often each column is taken in the best answer that HiGHS finds within so many nodes; None: it finds none.

    The solution is read from the file in which HiGHS keeps its improving ones: at a node limit OR-Tools passes none on.
    """
    made = _Model(room, columns, values, floors, whole=True)
    solver = model_builder.Solver("highs")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found"
        solver.set_solver_specific_parameters(
            f"mip_rel_gap={gap}\nmip_max_nodes={nodes}\nthreads=1\nlog_to_console=false\n"
            f"mip_improving_solution_report_sparse=true\nmip_improving_solution_file={file}\n"
        )
        solver.set_time_limit_in_seconds(max(0.1, budget.left / 2))  # what is found is then made better
        status = budget.run(lambda: solver.solve(made.model), solver.stop_search)
        if status == model_builder.SolveStatus.OPTIMAL:
            return [round(solver.value(taken)) for taken in made.taken]
        if not file.exists():
            return None
        return _last(file.read_text(), len(columns))


def _last(text: str, width: int) -> list[int] | None:
    """The last solution of a file of improving ones: "Objective ...", "# Columns ...", lines of "name value index"."""
    found: list[int] | None = None
    for line in text[: text.rfind("\n") + 1].splitlines():  # it may have been stopped in the middle of a line
        if line.startswith("Objective"):
            found = [0] * width
        elif not line.startswith("#") and found is not None:
            value, index = line.split()[-2:]
            if int(index) < width:
                found[int(index)] = round(float(value))
    return found
