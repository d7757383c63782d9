"""The search for one window: targets, each carried out as far as it goes. What cannot be carried out is forbidden, and
the search goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from placer.night.carrying import carried_out
from placer.night.result import Result
from placer.night.trouble import lessened, troubled
from placer.night.window import Night
from placer.night.work import work_of
from placer.progress import Progress
from placer.solve.budget import Budget
from placer.solve.night import NightOutcome, solve_target
from placer.solve.target import NightAsk, NightQuestion, Target
from placer_models.decision import Search
from placer_models.goals.night import NightGoal

MOST_ROUNDS = 6
"""How often a target is chosen anew because its schedule did not fit the window or could not be carried out."""

TARGET = 0.7
"""The part of the time that is left which a target takes at most where there are jobs: their hours are searched for
after it.
"""


def plan_night(
    night: Night, goals: Sequence[NightGoal], search: Search, budget: Budget, progress: Progress | None
) -> Result:
    """A target, its schedule and its jobs; a target that cannot be carried out in time is forbidden, and another
    chosen. When that has happened often enough, or no time is left, what can be carried out of the last one is kept.

    Where a target in which VMs make room for others cannot be carried out, or not with all of its jobs, one that only
    drains hosts is tried in its place: what it needs of the night is sure to be had.

    The bounds are those of the first target, which knows of no such trouble: they hold for every plan.
    """
    first: NightOutcome | None = None
    result: Result | None = None
    night.budget = budget
    for _ in range(MOST_ROUNDS):
        if result is not None and budget.over():
            break
        ask = ask_of(night)
        outcome, target = _target(night, goals, ask, search, budget, progress)
        first = first or outcome
        result = carried_out(night, goals, ask, target, first, budget)
        noted = troubled(night, result)
        kept = noted.notes == night.notes and result.value >= target.score("job-value", ask)
        if not kept and not _drains(night, target) and not budget.over():
            sure = replace(ask, drain=True)
            _, other = _target(night, goals, sure, search, budget, progress)
            drained = carried_out(night, goals, sure, other, first, budget)
            if _better(night, goals, ask, drained, result):
                result, noted = drained, troubled(night, drained)
        if noted.notes == night.notes:
            return result
        _note(night, noted)
    assert first is not None
    assert result is not None
    while True:
        result = carried_out(night, goals, ask, lessened(night, result.target), first, budget)
        noted = troubled(night, result)
        if noted.notes == night.notes:
            return result
        _note(night, noted)


def _target(
    night: Night, goals: Sequence[NightGoal], ask: NightAsk, search: Search, budget: Budget, progress: Progress | None
) -> tuple[NightOutcome, Target]:
    with budget.spending.part("target"), budget.share(TARGET if night.errands else 1.0):
        return solve_target(NightQuestion(night.scene, night.rules, goals, ask, search), budget, progress)


def _drains(night: Night, target: Target) -> bool:
    """Whether VMs leave only hosts that are emptied."""
    moved = (*(stand.vm for stand in target.stands), *target.away)
    return {night.scene.of(vm)[0].host for vm in moved} <= set(target.emptied)


def _better(night: Night, goals: Sequence[NightGoal], ask: NightAsk, drained: Result, result: Result) -> bool:
    """Whether what is carried out without trouble takes the place of another: of one with trouble only where it
    promises as much.
    """
    if troubled(night, drained).notes > night.notes:
        return False
    if troubled(night, result).notes > night.notes:
        return all(drained.target.score(goal.kind, ask) == result.target.score(goal.kind, ask) for goal in goals)
    return drained.value > result.value


def _note(night: Night, noted: Night) -> None:
    night.fixed, night.closed, night.not_to = noted.fixed, noted.closed, noted.not_to


def ask_of(night: Night) -> NightAsk:
    """What a night's target must keep."""
    request, limits = night.request, night.request.limits
    named = frozenset(request.free or ()) if not isinstance(request.free, int) else frozenset[str]()
    may_free = frozenset(
        name
        for name, host in night.scene.cluster.hosts.items()
        if request.names_host(host) and host.state == "up" and name not in night.closed and (not named or name in named)
    )
    return NightAsk(
        ways=night.ways(),
        may_free=may_free,
        most_freed=request.free if isinstance(request.free, int) else None,
        most_moves=limits.most_moves,
        store_mib=limits.store_mib,
        named=named,
        least_gain=limits.least_gain,
        trips=2 if night.returns else 1,
        work=work_of(night, may_free),
    )
