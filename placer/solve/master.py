"""The master problem of columns: how many hosts of each group take which content, so that the VMs count for most.

    most  sum of value x VMs placed
    where VMs placed of a class <= what the columns taken hold of it, and <= the VMs that there are
          (places may be lent to VMs that take no more: `placer.solve.instead`),
          columns taken in a group <= its hosts,
          further totals are at least so much (the goals before this one).

A column may hold more of a class than is wanted: who is too many is left out, as what stands without him is legal too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.linear_solver.python import model_builder

from placer.solve.instead import Pairs

Values = Mapping[int, int]
"""What one VM of each class counts for; nothing where it is not named."""


@dataclass(frozen=True)
class Column:
    """The VMs that come to one host of a group: (class, how many), ascending."""

    group: int
    counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Room:
    """What is to be shared out: the hosts of each group, and the VMs of each class; and whose places would do for whom
    `instead`.
    """

    hosts: tuple[int, ...]
    vms: tuple[int, ...]
    instead: Pairs = ()


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
    def __init__(self, room: Room, columns: Sequence[Column], values: Values, floors: Sequence[Floor]) -> None:
        expr = model_builder.LinearExpr
        self.model = model_builder.Model()  # type: ignore[no-untyped-call]
        self.taken = [self.model.new_num_var(0, room.hosts[column.group], "") for column in columns]
        self.placed = [self.model.new_num_var(0, most, "") for most in room.vms]
        held: list[list[tuple[object, int]]] = [[] for _ in room.vms]
        used: list[list[object]] = [[] for _ in room.hosts]
        for column, taken in zip(columns, self.taken, strict=True):
            used[column.group].append(taken)
            for number, amount in column.counts:
                held[number].append((taken, -amount))
        for first, second in room.instead:
            lent = self.model.new_num_var(0, room.vms[second], "")
            held[first].append((lent, 1))
            held[second].append((lent, -1))
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
    made = _Model(room, columns, values, floors)
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
