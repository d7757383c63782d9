"""Neighbourhoods of hosts of one sort, small enough that several are solved side by side: which hosts are next, and the
board over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ortools.sat.python import cp_model

from placer.solve.board import CountBoard
from placer.solve.conditions import reading
from placer_models.cluster import Cluster, Host
from placer_models.goals.goal import Goal
from placer_models.scene import Stand

PATCH_SIZE, PATCH_WORK, PATCH_GAP = 16, 0.25, 5e-4
"""Of one neighbourhood: hosts at first, deterministic seconds at most, and the gap that is good enough."""

MOST_SIZE = 40
"""Hosts of the largest neighbourhood."""


@dataclass
class Patch:
    """A board over some hosts: the VMs that are decided about anew, and their stands in the best that was `found`."""

    board: CountBoard
    free: Sequence[str]
    found: list[Stand] | None = None

    @classmethod
    def of(cls, board: CountBoard, goals: Sequence[Goal], free: Sequence[str], now: Sequence[Stand]) -> Patch | None:
        """The board with the last goal to be bettered and those before it held; None where nothing can be said of them
        beforehand, or nothing can be decided.
        """
        known = board.hint(now)
        for goal, (terms, _) in zip(goals, board.aims, strict=True):
            factors, unknowns, _ = board.merged(terms)
            if any(unknown.index not in known for unknown in unknowns):
                return None
            aim = cp_model.LinearExpr.weighted_sum(unknowns, factors)
            score = sum(factor * known[unknown.index] for factor, unknown in zip(factors, unknowns, strict=True))
            if goal is not goals[-1]:
                board.model.add(aim >= score if goal.sense == "most" else aim <= score)
            elif not any(factors):
                return None
            elif goal.sense == "most":
                board.model.maximize(aim)
            else:
                board.model.minimize(aim)
        return cls(board, free)

    @staticmethod
    def solver(seed: int) -> cp_model.CpSolver:
        """A solver for it: on one thread, so that two can run side by side and each does the same again."""
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.random_seed, parameters.num_workers, parameters.max_deterministic_time = seed, 1, PATCH_WORK
        parameters.linearization_level, parameters.symmetry_level = 2, 0
        parameters.cp_model_probing_level, parameters.relative_gap_limit = 0, PATCH_GAP
        return solver

    def read(self, solver: cp_model.CpSolver, status: cp_model.CpSolverStatus | None) -> None:
        """Take what the solver found."""
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self.found = self.board.read(reading(list(solver.response_proto.solution)))


def sort_of(host: Host) -> frozenset[str]:
    """What sort of hosts it is: the models of its GPUs."""
    return frozenset(gpu.model for gpu in host.gpus)


class Turns:
    """Which hosts are next: those of one sort (with the same models of GPUs) in one neighbourhood, all in turn, by
    chance; how many, follows from how the last ones of their sort were solved.
    """

    def __init__(self, cluster: Cluster, hosts: Sequence[str], chance: Random) -> None:
        self._chance = chance
        self._sorts: dict[frozenset[str], list[str]] = {}
        for name in hosts:
            self._sorts.setdefault(sort_of(cluster.hosts[name]), []).append(name)
        self._sizes = dict.fromkeys(self._sorts, float(PATCH_SIZE))
        self._left: dict[frozenset[str], list[str]] = {}

    def next(self, count: int) -> list[tuple[frozenset[str], list[str]]]:
        """The next few neighbourhoods, which have no host in common: first of the sort of which most is left."""
        chosen: list[tuple[frozenset[str], list[str]]] = []
        while len(chosen) < count:
            if not any(self._left.values()):
                if chosen:
                    break
                self._left = {sort: self._chance.sample(names, len(names)) for sort, names in self._sorts.items()}
                if not any(self._left.values()):
                    break
            sort = max(self._sorts, key=lambda sort: len(self._left[sort]) / len(self._sorts[sort]))
            size = max(2, int(self._sizes[sort]))
            chosen.append((sort, self._left[sort][:size]))
            del self._left[sort][:size]
        return chosen

    def tell(self, sort: frozenset[str], *, easy: bool) -> None:
        """How the last neighbourhood of a sort went."""
        self._sizes[sort] = min(MOST_SIZE, self._sizes[sort] * 1.25) if easy else max(4.0, self._sizes[sort] * 0.9)
