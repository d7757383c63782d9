"""The base of a goal: what is wished for, counted on a scene by the judge and on a board by a solver."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, Literal

from placer_models.cluster import Vm
from placer_models.document import Document
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class Wish(Document):
    """What is wished for, counted as an integer in its `unit`; `sense` says whether most or least of it is best."""

    kind: str
    sense: ClassVar[Literal["most", "least"]]
    unit: ClassVar[str]
    exact: ClassVar[bool] = False
    """Whether it looks at what is left of GPUs, so that boards must count layouts exactly."""

    @property
    def label(self) -> str:
        """How answers name it."""
        return self.kind


class Goal(Wish):
    """What is wished for of the scene at the end."""

    def vm_key(self, vm: Vm) -> Hashable:
        """What the goal sees of a VM, beyond what rules see."""
        return ()

    def encode(self, board: Board) -> tuple[list[Term], int]:
        """The score on a board, as terms and a constant; further unknowns may be posted for it."""
        raise TypeError(f"{type(self).__name__} does not say how it is counted")

    def limit(self, before: Scene) -> int | None:
        """What nobody beats, known without any search, of a goal that wants most; None where nothing is."""
        return None

    def on_host(self, before: Scene, after: Scene, host: str) -> int | None:
        """What a host adds to the score of a scene at rest, where that is the sum over all hosts; None: it is not. Lets
        a search count again only what it has changed.
        """
        return None

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        """The score of an end scene, counted afresh."""
        raise TypeError(f"{type(self).__name__} does not say how it is counted")
