"""When each job runs on which freed host: instances as optional intervals, for the most value.

A run takes of its host's CPUs, memory and GPUs what it takes at least of any (`least.py`), a whole-host run all of
them. Which GPUs it has is found afterwards; so what comes out is tried in order of time, and who finds none is left
out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ortools.sat.python import cp_model

MOST_INTERVALS = 1_500
"""Intervals up to which it is worth a search."""

WORK, WORK_EACH = 1.0, 0.005
"""Deterministic seconds of the search at most, in all and for each interval."""


@dataclass(frozen=True)
class Choice:
    """A job on a host: at most `most` instances, each of `seconds`, from `earliest` on and over by `latest`. `takes` is
    what one takes of each of the host's resources.
    """

    job: str
    host: str
    most: int
    seconds: int
    earliest: int
    latest: int
    takes: Sequence[int]


class Begun(NamedTuple):
    """An instance of a job that runs on a host from `start` on."""

    start: int
    job: str
    host: str


def best_hours(
    choices: Sequence[Choice],
    rooms: Mapping[str, Sequence[int]],
    instances: Mapping[str, int],
    value: Mapping[str, int],
    known: Sequence[Begun],
) -> list[Begun] | None:
    """The most valuable runs, in order of time; None where there is nothing better than what is `known`, or it is too
    much to search.
    """
    many = sum(choice.most for choice in choices)
    if many > MOST_INTERVALS:
        return None
    model = cp_model.CpModel()
    runs: list[tuple[Choice, cp_model.IntVar, cp_model.BoolVarT]] = []
    on_host: dict[str, list[tuple[Choice, cp_model.IntervalVar]]] = defaultdict(list)
    hints: dict[tuple[str, str], list[int]] = defaultdict(list)
    for begun in sorted(known):
        hints[begun.job, begun.host].append(begun.start)
    for choice in choices:
        before: tuple[cp_model.IntVar, cp_model.BoolVarT] | None = None
        starts = hints[choice.job, choice.host]
        for number in range(choice.most):
            runs_at_all = model.new_bool_var("")
            start = model.new_int_var(choice.earliest, choice.latest - choice.seconds, "")
            interval = model.new_optional_fixed_size_interval_var(start, choice.seconds, runs_at_all, "")
            on_host[choice.host].append((choice, interval))
            runs.append((choice, start, runs_at_all))
            model.add_hint(runs_at_all, number < len(starts))
            if number < len(starts):
                model.add_hint(start, starts[number])
            if before is not None:  # instances of a job are alike
                model.add_implication(runs_at_all, before[1])
                model.add(before[0] <= start)
            before = start, runs_at_all
    for host, intervals in on_host.items():
        for what, room in enumerate(rooms[host]):
            takes = [(interval, choice.takes[what]) for choice, interval in intervals if choice.takes[what]]
            if takes:
                model.add_cumulative([interval for interval, _ in takes], [amount for _, amount in takes], room)
    for job, most in instances.items():
        model.add(sum(runs_at_all for choice, _, runs_at_all in runs if choice.job == job) <= most)
    aim = sum(value[choice.job] * runs_at_all for choice, _, runs_at_all in runs)
    model.add(aim > sum(value[begun.job] for begun in known))
    model.maximize(aim)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_deterministic_time = 1, min(WORK, many * WORK_EACH)
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return sorted(
        Begun(solver.value(start), choice.job, choice.host)
        for choice, start, runs_at_all in runs
        if solver.value(runs_at_all)
    )
