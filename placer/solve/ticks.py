"""Jobs begin at few instants: what that says of how many can be done on hosts of one kind.

Where all lengths have a common measure, a tick, and nobody has to wait for an hour of his own, runs can be moved
earlier until each begins so many ticks after its host's hours do. In each tick those that are under way take no more
than the hosts that are empty have. That sees what seconds added up do not: three hours that are left between runs of
whole hosts are too short for a job of four.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ortools.sat.python import cp_model

from placer.solve.target import Work


def post_ticks(
    model: cp_model.CpModel,
    work: Work,
    alike: Sequence[str],
    done: Mapping[str, cp_model.LinearExprT],
    empty: Sequence[cp_model.LinearExprT],
) -> None:
    """Say of hosts of one kind (`alike`) that so many instances of each job can be `done` on all of them together, if
    so many are `empty` in each tick. Each of these jobs can be done on one of them at least.
    """
    begin = {job: _begun(model, work, job, count, len(empty)) for job, count in done.items()}
    rooms = work.rooms[alike[0]]
    amounts = {job: next(work.amounts[job, host] for host in alike if (job, host) in work.amounts) for job in done}
    for tick, hosts in enumerate(empty):
        for what, room in rooms.items():
            takes = {
                job: amounts[job].get(what, 0) // (work.lasting[job] * work.tick)
                for job in done
                if tick < len(begin[job]) + work.lasting[job] - 1
            }
            unit = math.gcd(*takes.values())
            if unit:
                under_way = [
                    amount // unit * count
                    for job, amount in takes.items()
                    for count in begin[job][max(0, tick - work.lasting[job] + 1) : tick + 1]
                ]
                model.add(sum(under_way) <= room // rooms["time"] // unit * hosts)


def _begun(
    model: cp_model.CpModel, work: Work, job: str, done: cp_model.LinearExprT, ticks: int
) -> list[cp_model.IntVar]:
    """How many instances begin in each tick."""
    starts = range(max(0, ticks - work.lasting[job] + 1))
    begun = [model.new_int_var(0, work.instances[job], "") for _ in starts]
    model.add(sum(begun) == done)
    return begun
