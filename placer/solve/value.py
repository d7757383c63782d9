"""What jobs can bring at most, whatever turns the hosts take at being empty.

At each instant at most so many hosts are empty, so all of them together are empty for at most so many times the night.
What the runs on hosts of one kind take, times their seconds, is at most what such a host has, times the seconds for
which they are empty. Nothing is said of when each run is: so it holds for every plan.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from ortools.sat.python import cp_model

from placer.solve.target import Work

WORK = 1.0
"""Deterministic seconds for the bound at most."""


def most_value(work: Work, kinds: Mapping[str, int], most_empty: int) -> int:
    """No plan's jobs bring more, if no more than `most_empty` hosts are ever empty at once; `kinds` numbers the hosts,
    alike where no job tells them apart.
    """
    longest = max((room["time"] for room in work.rooms.values()), default=0)
    hosts: dict[int, list[str]] = defaultdict(list)
    for host in work.rooms:
        hosts[kinds[host]].append(host)
    model = cp_model.CpModel()
    done: dict[str, list[cp_model.IntVar]] = defaultdict(list)
    empty: list[cp_model.IntVar] = []
    for names in hosts.values():
        amounts = {job: amounts for (job, host), amounts in work.amounts.items() if host in names}
        seconds = model.new_int_var(0, sum(work.rooms[host]["time"] for host in names), "seconds")
        empty.append(seconds)
        counts = {job: model.new_int_var(0, work.instances[job], job) for job in amounts}
        for job, count in counts.items():
            done[job].append(count)
        room = work.rooms[names[0]]
        for what in room:
            factors = [amounts[job].get(what, 0) for job in counts]
            has = room[what] // room["time"]
            unit = math.gcd(has, *factors) or 1
            taken = cp_model.LinearExpr.weighted_sum(list(counts.values()), [factor // unit for factor in factors])
            model.add(taken <= has // unit * seconds)
    model.add(sum(empty) <= most_empty * longest)
    for job, every in done.items():
        model.add(sum(every) <= work.instances[job])
    model.maximize(sum(work.value[job] * count for job, every in done.items() for count in every))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_deterministic_time = 1, WORK
    every_job = sum(work.value[job] * work.instances[job] for job in done)
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return every_job
    return min(every_job, math.floor(solver.best_objective_bound + 1e-6))
