"""Several nights one after the other: what one has begun the next goes on with, and jobs run in whichever suits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from placer.night.bounds import most_of
from placer.night.dealing import Dealing, Nights
from placer.night.left import Ahead, Left
from placer.night.search import plan_night
from placer.night.window import Night
from placer.progress import Progress
from placer.solve.budget import Budget
from placer_models.clock import Clock
from placer_models.decision import Search
from placer_models.goals.night import NightGoal
from placer_models.motion import state_mib
from placer_models.night import Consolidate, Job
from placer_models.rules.rule import Rule
from placer_models.scene import Scene

Span = tuple[datetime, datetime]


def plan_nights(
    scene: Scene,
    spans: Sequence[Span],
    request: Consolidate,
    rules: Sequence[Rule],
    goals: Sequence[NightGoal],
    jobs: Sequence[Job],
    search: Search,
    budget: Budget,
    progress: Progress | None,
) -> tuple[Nights, Mapping[str, int]]:
    """A night for each window, from what the one before leaves; and what no plan of several nights has more of, by kind
    of goal.

    Each night's target knows of the jobs what can be done of them that night. When all hosts that are freed are known,
    the jobs are dealt out once more, to all nights together.
    """
    for in_parts in (True, False):
        nights: Nights = []
        left = Left(jobs)
        for number, (begin, end) in enumerate(spans, 1):
            clock = Clock(begin)
            night = Night(clock, clock.seconds(end), scene, rules, what_is_left(request, nights), ())
            night.errands = left.errands(clock, ahead(night, spans[number:] if in_parts else ()))
            result = plan_night(night, goals, search, budget, progress)
            nights.append((night, result))
            for run in result.runs:
                left.ran(run.job, run.instance, clock.instant(run.start), clock.instant(run.end))
            scene = result.back.dawn
        if len(nights) == 1:
            return nights, {}
        most = most_of(nights, request, goals, jobs)
        dealing = Dealing(nights, jobs)
        dealing.again(most["job-value"])
        if dealing.pays():
            break
        scene = nights[0][0].scene
    return nights, most


def ahead(night: Night, spans: Sequence[Span]) -> Ahead | None:
    """The hours of a night in which jobs can run, and of the windows to come; None: there are none to come."""
    if not spans:
        return None
    hosts = (name for name, host in night.scene.cluster.hosts.items() if night.in_scope(name) and host.state == "up")
    hours = [night.free_at_most(name) for name in hosts] or [(0, 0)]
    tonight = min(begin for begin, _ in hours), max(end for _, end in hours)
    return Ahead(tonight, [(night.clock.seconds(begin), night.clock.seconds(end)) for begin, end in spans])


def what_is_left(request: Consolidate, nights: Nights) -> Consolidate:
    """The request with limits from which is taken off what nights before have used up for good."""
    limits, less = request.limits, dict[str, int]()
    if limits.most_moves is not None:
        timed = (one for _, result in nights for one in (*result.schedule.timed, *result.back.timed))
        less["most_moves"] = max(0, limits.most_moves - sum(one.action.kind == "migrate" for one in timed))
    if limits.store_mib is not None and nights:
        cluster, dawn = nights[-1][0].scene.cluster, nights[-1][1].back.dawn
        asleep = {vm for _, result in nights for vm, way in result.target.away.items() if way == "suspend"}
        held = sum(state_mib(cluster, cluster.vms[vm]) for vm in asleep if not dawn.of(vm))
        less["store_mib"] = max(0, limits.store_mib - held)
    return request.model_copy(update={"limits": limits.model_copy(update=less)}) if less else request
