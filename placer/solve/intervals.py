"""Hours of jobs some of which are done in parts: instances as optional intervals, for the most value.

An instance that is done in parts has up to two runs in each slot, as long as the search likes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ortools.sat.python import cp_model

from placer.solve.budget import Budget
from placer.solve.choices import Begun, Choice

MOST_INTERVALS = 1_500
"""Intervals up to which it is worth a search."""

WORK, WORK_EACH = 0.1, 0.02
"""Deterministic seconds of the search at most, in all and for each interval: runs of any length take the solver ten
times as long a second.
"""


class _Piece(NamedTuple):
    """A run that may be there: of how many seconds then (of one that is not there: 0)."""

    choice: Choice
    start: cp_model.IntVar
    seconds: cp_model.IntVar | int
    runs: cp_model.BoolVarT


def best_intervals(
    choices: Sequence[Choice],
    rooms: Sequence[Sequence[int]],
    instances: Mapping[str, int],
    value: Mapping[str, int],
    known: Sequence[Begun],
    budget: Budget,
) -> list[Begun] | None:
    """The most valuable runs, in order of time; None where there is nothing better than what is `known`, or it is too
    much to search.
    """
    hours = _Hours(value, known)
    many = 0
    for choice in (one for one in choices if not one.least):
        many += choice.most
    in_parts: dict[str, list[Choice]] = defaultdict(list)
    for choice in (one for one in choices if one.least):
        in_parts[choice.job].append(choice)
    parts = {job: min(instances[job], _most(its)) for job, its in in_parts.items()}
    many += sum(parts[job] * choice.pieces for job, its in in_parts.items() for choice in its)
    if many > MOST_INTERVALS:
        return None
    for choice in (one for one in choices if not one.least):
        hours.unbroken(choice)
    for job, its in in_parts.items():
        hours.in_parts(its, parts[job])
    return hours.best(rooms, instances, min(WORK, many * WORK_EACH), budget)


def _most(choices: Sequence[Choice]) -> int:
    """How many instances of a job that is done in parts could be done at most in all of its slots."""
    return sum(choice.most * (choice.latest - choice.earliest) for choice in choices) // choices[0].seconds


@dataclass
class _Hours:
    """The model. `done` says of each job which of its instances are done."""

    value: Mapping[str, int]
    known: Sequence[Begun]
    model: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    pieces: list[tuple[_Piece, int]] = field(default_factory=list)
    intervals: dict[int, list[tuple[Choice, cp_model.IntervalVar]]] = field(default_factory=lambda: defaultdict(list))
    done: dict[str, list[cp_model.BoolVarT]] = field(default_factory=lambda: defaultdict(list))

    def unbroken(self, choice: Choice) -> None:
        """Instances that have one run each."""
        its = sorted(one.start for one in self.known if (one.job, one.slot) == (choice.job, choice.slot))
        before: _Piece | None = None
        for number in range(choice.most):
            runs = self.model.new_bool_var("")
            start = self.model.new_int_var(choice.earliest, choice.latest - choice.seconds, "")
            interval = self.model.new_optional_fixed_size_interval_var(start, choice.seconds, runs, "")
            piece = _Piece(choice, start, choice.seconds, runs)
            self.pieces.append((piece, len(self.done[choice.job])))
            self.intervals[choice.slot].append((choice, interval))
            self.done[choice.job].append(runs)
            self.model.add_hint(runs, number < len(its))
            if number < len(its):
                self.model.add_hint(start, its[number])
            if before is not None:  # instances of a job are alike
                self.model.add_implication(runs, before.runs)
                self.model.add(before.start <= start)
            before = piece

    def in_parts(self, choices: Sequence[Choice], many: int) -> None:
        """So many instances that may have several runs each, in all of these slots."""
        model, job, seconds, again = self.model, choices[0].job, choices[0].seconds, choices[0].again
        for number in range(many):
            done, mine = model.new_bool_var(""), list[tuple[_Piece, cp_model.IntervalVar]]()
            its = [one for one in self.known if (one.job, one.instance) == (job, number)]
            model.add_hint(done, bool(its))
            for choice in choices:
                here = sorted(one for one in its if one.slot == choice.slot)
                mine += [self._piece(choice, here[n : n + 1]) for n in range(choice.pieces)]
            for piece, interval in mine:
                model.add_implication(piece.runs, done)
                self.pieces.append((piece, number))
                self.intervals[piece.choice.slot].append((piece.choice, interval))
            model.add_no_overlap([interval for _, interval in mine])
            spent = sum(piece.seconds for piece, _ in mine) - again * (sum(piece.runs for piece, _ in mine) - 1)
            model.add(spent >= seconds).only_enforce_if(done)
            if self.done[job]:  # instances are alike
                model.add_implication(done, self.done[job][-1])
            self.done[job].append(done)

    def _piece(self, choice: Choice, known: Sequence[Begun]) -> tuple[_Piece, cp_model.IntervalVar]:
        model = self.model
        most = min(choice.seconds + choice.again, choice.latest - choice.earliest)
        runs = model.new_bool_var("")
        start = model.new_int_var(choice.earliest, choice.latest, "")
        end = model.new_int_var(choice.earliest, choice.latest, "")
        seconds = model.new_int_var_from_domain(cp_model.Domain.from_intervals([[0, 0], [choice.least, most]]), "")
        model.add(seconds >= choice.least).only_enforce_if(runs)
        model.add(seconds == 0).only_enforce_if(~runs)
        model.add_hint(runs, bool(known))
        model.add_hint(seconds, known[0].end - known[0].start if known else 0)
        if known:
            model.add_hint(start, known[0].start)
        return _Piece(choice, start, seconds, runs), model.new_optional_interval_var(start, seconds, end, runs, "")

    def best(
        self, rooms: Sequence[Sequence[int]], instances: Mapping[str, int], work: float, budget: Budget
    ) -> list[Begun] | None:
        """The most valuable runs; None: none are better than those that are known."""
        for slot, intervals in self.intervals.items():
            for what, room in enumerate(rooms[slot]):
                takes = [(interval, choice.takes[what]) for choice, interval in intervals if choice.takes[what]]
                if takes:
                    self.model.add_cumulative(
                        [interval for interval, _ in takes], [amount for _, amount in takes], room
                    )
        for job, done in self.done.items():
            self.model.add(sum(done) <= instances[job])
        aim = sum(self.value[job] * one for job, done in self.done.items() for one in done)
        self.model.add(aim > sum(self.value[job] for job, _ in {(one.job, one.instance) for one in self.known}))
        self.model.maximize(aim)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers, solver.parameters.max_deterministic_time = 1, work
        if budget.solve(solver, self.model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        found = []
        for (choice, start, length, runs), number in self.pieces:
            if solver.value(runs):
                begin = solver.value(start)
                found.append(Begun(begin, choice.job, choice.slot, begin + solver.value(length), number))
        return sorted(found)
