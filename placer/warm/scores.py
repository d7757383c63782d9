"""What each goal counts where a VM comes to a host, and where it stays off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from placer.warm.columns import Columns
from placer.warm.openings import Open
from placer.warm.order import Key
from placer.warm.rows import Rows
from placer.warm.wishes import Seated, Wishes
from placer_models.cluster import Cluster, Vm
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import milli_of


class Scores:
    """The goals' scores in one scene, by its figures."""

    def __init__(self, cluster: Cluster, goals: Sequence[Goal], wishes: Wishes, columns: Columns, rows: Rows) -> None:
        self._cluster, self._goals, self._wishes, self._columns, self._rows = cluster, goals, wishes, columns, rows
        self._labels = [(goal.kind, goal.label) for goal in goals]
        kinds = {goal.kind for goal in goals}
        self._strands, self._counts_milli = "stranded" in kinds, "gpu-milli" in kinds
        self._balances = "balance" in kinds

    def keys(self, vm: Vm, openings: Open, seated: Seated) -> list[tuple[str, Key]]:
        """What tells hosts apart: the scores of those goals that do, in their order."""
        wishes, columns, weight = self._wishes, self._columns, max(1, self._rows.weight)
        found = openings.hosts
        lost = columns.lost() if self._strands else 0
        keys: dict[str, Key] = {
            "stranded": lambda some: (lost + openings.lost(found[some], columns.up)) // weight,
            "balance": lambda some: columns.fullest(found[some], vm),
        }
        if wishes.concern(vm):
            keys["should"] = lambda some: wishes.added(vm, found[some], seated) + wishes.broken
        return [(kind, keys[kind]) for kind, _ in self._labels if kind in keys]

    def off(self) -> dict[str, int]:
        """Where the VM stays off."""
        counts = {"should": self._wishes.broken}
        if self._strands:
            counts["stranded"] = self._columns.lost() // max(1, self._rows.weight)
        if self._balances:
            counts["balance"] = self._columns.fullest_now
        return self._all(counts)

    def on(self, vm: Vm, counts: Mapping[str, int]) -> dict[str, int]:
        """Where it comes to a host, on which the goals that tell hosts apart count so much."""
        milli = milli_of(self._cluster, vm) if self._counts_milli else 0
        return self._all({"placed": 1, "gpu-milli": milli, "hosts-touched": 1, "should": self._wishes.broken, **counts})

    def moved(self, vm: Vm, wishes: int, stranded: int, fullest: int) -> dict[str, int]:
        """Where it starts in the room of one that moves; so much more is stranded then (times weights)."""
        lost = self._columns.lost() + stranded if self._strands else 0
        now = {"should": wishes, "stranded": lost // max(1, self._rows.weight), "balance": fullest}
        return self.on(vm, {**now, "moves": 1, "hosts-touched": 2})

    def better(self, one: Mapping[str, int], other: Mapping[str, int]) -> bool:
        """Whether one score is better than another."""

        def key(score: Mapping[str, int]) -> list[int]:
            return [-score[goal.label] if goal.sense == "most" else score[goal.label] for goal in self._goals]

        return key(one) < key(other)

    def _all(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {label: counts.get(kind, 0) for kind, label in self._labels}
