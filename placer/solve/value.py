"""What jobs can bring at most in one night or several, whatever turns the hosts take at being empty.

At each instant at most so many hosts are empty, so all of them together are empty for at most so many times the night.
What the runs on hosts of one kind take, times their seconds, is at most what such a host has, times the seconds for
which they are empty. Nothing is said of when each run is: so it holds for every plan. Of a job that is done in parts
the seconds are counted, of all nights together; an instance has no more of a night than that is long.

Where runs may begin at any tick more is known (`ticks.py`), whatever turns there are: intervals of which no more than
so many overlap can be put on so many strings, one after the other; what is between them taken out and all runs moved
earlier, each string is a host that is empty from the first tick on, now of this kind and now of that.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from placer.solve.budget import Budget
from placer.solve.target import Work
from placer.solve.ticks import post_ticks

WORK = 0.5
"""Deterministic seconds for the bound at most, for each night."""


@dataclass(frozen=True)
class Supply:
    """What a night has for jobs: what they could do on each host, the kind of each host (alike where no job tells them
    apart), how many are ever empty at once, and what can be had of this night alone, where that is known.
    """

    work: Work
    kinds: Mapping[str, int]
    most_empty: int
    alone: int | None = None


def most_value(nights: Sequence[Supply], budget: Budget | None = None) -> int:
    """No plan's jobs bring more, if no more hosts are ever empty at once than is said of each night. A job has the same
    name, value, instances and parts in all of them.
    """
    model = cp_model.CpModel()
    ran: dict[str, list[cp_model.IntVar]] = defaultdict(list)
    value, instances, parts = dict[str, int](), dict[str, int](), dict[str, int]()
    for night in nights:
        value |= night.work.value
        instances |= night.work.instances
        parts |= night.work.parts
    done = {job: model.new_int_var(0, many, job) for job, many in instances.items()}
    for night in nights:
        counts = _night(model, night)
        for job, every in counts.items():
            ran[job] += every
            if job in parts:
                model.add(sum(every) <= night.work.longest[job] * done[job])
        if night.alone is not None and not parts.keys() & counts.keys():
            model.add(sum(value[job] * count for job, every in counts.items() for count in every) <= night.alone)
    for job, count in done.items():
        model.add(parts.get(job, 1) * count <= sum(ran[job]))
    model.maximize(sum(value[job] * count for job, count in done.items()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_deterministic_time = 1, WORK * len(nights)
    solver.parameters.linearization_level = 2
    every_job = sum(value[job] * instances[job] for job in done)
    if (budget or Budget(math.inf)).solve(solver, model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return every_job
    return min(every_job, math.floor(solver.best_objective_bound + 1e-6))


def _night(model: cp_model.CpModel, night: Supply) -> dict[str, list[cp_model.IntVar]]:
    """How many instances of each job (done in parts: seconds) run this night on hosts of each kind."""
    work = night.work
    longest = max([work.span, *(room["time"] for room in work.rooms.values())])
    hosts: dict[int, list[str]] = defaultdict(list)
    most: dict[tuple[int, str], int] = defaultdict(int)
    for host in work.rooms:
        hosts[night.kinds[host]].append(host)
    for spot in work.spots:
        most[night.kinds[spot.host], spot.job] += spot.most
    counts: dict[str, list[cp_model.IntVar]] = defaultdict(list)
    empty: list[cp_model.IntVar] = []
    ticks: list[list[cp_model.IntVar]] = []
    for kind, names in hosts.items():
        amounts = {job: amounts for (job, host), amounts in work.amounts.items() if host in names}
        seconds = model.new_int_var(0, sum(work.rooms[host]["time"] for host in names), "seconds")
        empty.append(seconds)
        mine = {job: model.new_int_var(0, most[kind, job], job) for job in amounts}
        for job, count in mine.items():
            counts[job].append(count)
        room = work.rooms[names[0]]
        for what in room:
            factors = [amounts[job].get(what, 0) for job in mine]
            has = room[what] // room["time"]
            unit = math.gcd(has, *factors) or 1
            taken = cp_model.LinearExpr.weighted_sum(list(mine.values()), [factor // unit for factor in factors])
            model.add(taken <= has // unit * seconds)
        if work.lasting:
            its = [model.new_int_var(0, len(names), "") for _ in range(longest // work.tick)]
            model.add(sum(its) * work.tick <= seconds)
            post_ticks(model, work, names, mine, its)
            ticks.append(its)
    for hosts_empty in zip(*ticks, strict=True):
        model.add(sum(hosts_empty) <= night.most_empty)
    model.add(sum(empty) <= night.most_empty * longest)
    return counts
