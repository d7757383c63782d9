"""Which way to search: the whole board where it is small enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from placer.solve.board import CountBoard
from placer.solve.run import Outcome, Progress, solve_board
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


def solve(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[Goal],
    search: Search,
    deadline: float,
    *,
    movable: Collection[str] = (),
    most_moves: int = 0,
    forbidden: Sequence[Sequence[Stand]] = (),
    progress: Progress | None = None,
) -> Outcome:
    """The best stands that are found before `deadline` (of `time.monotonic`) for the VMs asked for, and for those
    that may move.
    """
    board = CountBoard(scene, rules, goals, scene.cluster.asked, movable)
    if movable:
        board.at_most(Moves().encode(board)[0], most_moves, eased=False)
    for stands in forbidden:
        board.forbid(stands)
    return solve_board(board, goals, search, deadline, progress)
