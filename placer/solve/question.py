"""What a search is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from placer.memory import affordable
from placer.progress import Progress
from placer.solve.board import CountBoard
from placer.spending import Spending
from placer_models.cluster import Cluster
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


@dataclass(frozen=True)
class Question:
    """The best stands are wanted before `deadline` (of `time.monotonic`) for the VMs asked for in a scene, and for the
    `movable` ones, of which at most `most_moves` may move; none of the `forbidden` sets of stands may come about.

    `progress` is told of better answers, `spending` where the time goes. `kept` says how many seconds before the
    deadline the search is to end if these VMs are started (the others want explaining).
    """

    scene: Scene
    rules: Sequence[Rule]
    goals: Sequence[Goal]
    search: Search
    deadline: float
    movable: Collection[str] = ()
    most_moves: int = 0
    forbidden: Sequence[Sequence[Stand]] = ()
    progress: Progress | None = None
    kept: Callable[[Collection[str]], float] | None = None
    spending: Spending = field(default_factory=Spending)

    @property
    def cluster(self) -> Cluster:
        """The cluster that it is about."""
        return self.scene.cluster

    def board(self, goals: Sequence[Goal], most: int, **more: Any) -> CountBoard:
        """The whole cluster as one board for some goals, of so many unknowns at most (and as many as fit into memory);
        `more` is said to the board. Raises TooLarge.
        """
        most = affordable(self.search.memory_limit_mib, most)
        board = CountBoard(self.scene, self.rules, goals, self.cluster.asked, self.movable, most=most, **more)
        if self.movable:
            board.at_most(Moves().encode(board)[0], self.most_moves, eased=False)
        for stands in self.forbidden:
            board.forbid(stands)
        return board
