"""What is said of a night in its midst, and what every timed plan of it has that goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from placer.consolidate import consolidate
from placer.go_on import go_on
from placer.judge.timed import TimedReplay
from placer_models.goals.night import NIGHT_GOALS
from placer_models.plan import Plan
from tests.agreement_in_time import GOALS, TICK, Agreement, World
from tests.midway_nights import seen
from tests.nights import EVENING
from tests.test_agreement_in_time import WORLDS

SHORT = [world for world in WORLDS if world.ticks <= 5]
"""Nights of few ticks: each is gone on with at every one of them."""


def instant(tick: int) -> datetime:
    return EVENING + timedelta(seconds=tick * TICK)


def onward(agreement: Agreement, plan: Plan, tick: int) -> Iterator[Plan]:
    """Every plan of a night that has done by a tick what another has, and says no more of hosts freed until then."""
    at = instant(tick)
    told = {(step.vm, step.kind, step.start, step.reaches) for step in plan.steps if step.vm and step.start < at}
    runs = {(run.job, run.host, run.start) for run in plan.jobs if run.start < at}
    freed_before = {freed.host for freed in plan.freed if freed.from_ < at}
    for _, chains, freed, its in agreement.plans():
        deeds = {
            (chain.vm, deed.kind, instant(deed.start), deed.to)
            for chain in chains
            for deed in chain.deeds
            if deed.start < tick
        }
        if deeds != told or {(run.job, run.host, run.start) for run in its if run.start < at} != runs:
            continue
        bits = [(host, agreement._empty(chains, host)) for host in freed]
        later = [(host, some if host in freed_before else some >> tick << tick) for host, some in bits]
        yield agreement._plan(chains, later, its)


def beaten(world: World) -> Iterator[str]:
    """A sentence for each bound of a plan that goes on that some plan beats."""
    agreement = Agreement(world)
    plan = consolidate(world.night.snapshot, agreement.request, world.night.work, agreement.decision)
    for tick in range(1, world.ticks):
        found = go_on(seen(world.night.snapshot, plan, instant(tick)), plan, jobs=world.night.work)
        for other in onward(agreement, plan, tick):
            replay = TimedReplay(agreement.cluster, agreement.rules, agreement.request, world.night.work, other)
            if replay.faults:
                continue
            for goal in GOALS:
                bound, score = found.bound[goal], replay.score[goal]
                most = NIGHT_GOALS[goal].sense == "most"
                if bound is not None and (score > bound if most else score < bound):
                    yield f"{world.name}, tick {tick}: {goal} is bounded by {bound}, and a plan has {score}"
                if score != found.score[goal]:
                    break  # a bound holds given the scores of the goals before it


@pytest.mark.parametrize("world", SHORT, ids=lambda world: world.name)
def test_no_plan_that_goes_on_beats_what_is_said_in_the_midst_of_the_night(world: World) -> None:
    assert list(beaten(world)) == []


def test_a_bound_that_plans_beat_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.night.onward.most_empty", lambda *_: 0)
    world = next(world for world in SHORT if world.name == "either host can be freed")
    assert any("hosts-freed is bounded by 0" in said for said in beaten(world))
