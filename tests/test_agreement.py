"""What the solver allows and what the judge accepts is the same, in every arrangement of every tiny world."""

from __future__ import annotations

import pytest

from tests.agreement import World, disagreements
from tests.worlds import WORLDS

EVERY = [pytest.param(world, id=f"{about}: {world.name}") for about, worlds in WORLDS.items() for world in worlds]


@pytest.mark.parametrize("world", EVERY)
def test_solver_and_judge_say_the_same_of_every_arrangement(world: World) -> None:
    assert disagreements(world) == []
