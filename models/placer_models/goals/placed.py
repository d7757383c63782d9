"""Goal `placed`: most of the requested VMs are powered on, the highest priority first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from placer_models.goals.goal import Goal
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class Placed(Goal):
    """How many of the requested VMs are powered on: of one priority where it is given, else of all.

    In a decision `placed` stands for one goal for each priority among the requests, the highest first.
    """

    kind: Literal["placed"] = "placed"
    sense: ClassVar[Literal["most"]] = "most"
    unit: ClassVar[str] = "VMs"
    priority: int | None = None

    @property
    def label(self) -> str:
        return self.kind if self.priority is None else f"{self.kind} (priority {self.priority})"

    def _counts(self, asked: int) -> bool:
        return self.priority is None or asked == self.priority

    def encode(self, board: Board) -> tuple[list[Term], int]:
        wanted = {vm for vm, priority in board.asked.items() if self._counts(priority)}
        return [(1, count) for vms, _, count in board.where(wanted) if not vms.fixed], 0

    def limit(self, before: Scene) -> int:
        return sum(map(self._counts, before.cluster.asked.values()))

    def on_host(self, before: Scene, after: Scene, host: str) -> int:
        asked = after.cluster.asked
        return sum(stand.vm in asked and self._counts(asked[stand.vm]) for stand in after.on(host))

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        return sum(self._counts(priority) and bool(after.of(vm)) for vm, priority in after.cluster.asked.items())
