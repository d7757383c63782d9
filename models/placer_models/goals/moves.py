"""Goal `moves`: fewest running VMs are moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from placer_models.goals.goal import Goal
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class Moves(Goal):
    """How many VMs that run now stand on another host afterwards."""

    kind: Literal["moves"] = "moves"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "moves"

    def encode(self, board: Board) -> tuple[list[Term], int]:
        return [(1, count) for vms, _, count in board.where() if vms.moving], 0

    def on_host(self, before: Scene, after: Scene, host: str) -> int:
        was = ([stand.host for stand in before.of(stand.vm)] for stand in after.on(host))
        return sum(bool(hosts) and host not in hosts for hosts in was)

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        return sum({now.host for now in after.of(stand.vm)} != {stand.host} for stand in before.stands())
