"""Goal `hosts-touched`: fewest hosts get anything new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from placer_models.goals.goal import Goal
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class HostsTouched(Goal):
    """How many hosts a VM is started on or moved to."""

    kind: Literal["hosts-touched"] = "hosts-touched"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "hosts"

    def encode(self, board: Board) -> tuple[list[Term], int]:
        terms: list[Term] = []
        for place in board.places:
            arriving = [
                (count, len(vms.names))
                for vms, count in board.here(place)
                if not vms.fixed and vms.host not in place.names
            ]
            if not arriving:
                continue
            touched = board.integer(place.m, "touched")
            terms.append((1, touched))
            for count, most in arriving:
                board.at_most([(1, count), (-most, touched)], 0, eased=False)
            board.gate(place, [count for count, _ in arriving], touched)
        return terms, 0

    def on_host(self, before: Scene, after: Scene, host: str) -> int:
        return int(any(all(was.host != host for was in before.of(stand.vm)) for stand in after.on(host)))

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        return len(
            {stand.host for stand in after.stands() if stand.host not in {was.host for was in before.of(stand.vm)}}
        )
