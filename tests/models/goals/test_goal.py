"""What hosts add to a goal's score is the score."""

from __future__ import annotations

import pytest

from placer_models.decision import shipped_decision
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import GpuMilli
from placer_models.goals.hosts_touched import HostsTouched
from placer_models.goals.moves import Moves
from placer_models.goals.placed import Placed
from placer_models.scene import Hold, Scene, Stand
from tests.placer.solve.small import gpu_hosts, shares, snapshot


@pytest.mark.parametrize(
    ("goal", "score"), [(Placed(), 2), (GpuMilli(), 1100), (HostsTouched(), 2), (Moves(), 1)], ids=str
)
def test_what_the_hosts_add_is_the_score(goal: Goal, score: int) -> None:
    running = {"name": "old", "host": "h0", "gpus": []}
    made = snapshot(gpu_hosts(3), [running, *shares(600, 500, 400)])
    rules = shipped_decision("power_on").rules_of(made.rules)
    before = Scene.now(made.content)
    after = before.copy()
    after.remove(before.of("old")[0])
    names = list(made.content.asked)
    for stand in (
        Stand("old", "h1"),
        Stand(names[0], "h1", (Hold("0", "fraction", milli=600),)),
        Stand(names[1], "h2", (Hold("0", "fraction", milli=500),)),
    ):
        after.put(stand)
    assert goal.score(before, after, rules) == score
    assert sum(goal.on_host(before, after, name) or 0 for name in made.content.hosts) == score
    assert [stand.host for stand in before.of("old")] == ["h0"]  # the copy is a scene of its own
