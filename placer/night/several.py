"""Several nights one after the other: what one has begun the next goes on with, and jobs run in whichever suits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Nights:
    """The windows to plan, and all that is asked for them."""

    scene: Scene
    spans: Sequence[Span]
    request: Consolidate
    rules: Sequence[Rule]
    goals: Sequence[NightGoal]
    jobs: Sequence[Job]
    search: Search
    budget: Budget
    progress: Progress | None

    def planned(self, weights: Sequence[int], *, in_parts: bool) -> Nights:
        """A plan for each window, from what the one before leaves, with its part of the moves that are left."""
        nights: Nights = []
        left, scene = Left(self.jobs), self.scene
        for number, (begin, end) in enumerate(self.spans):
            clock, request = Clock(begin), what_is_left(self.request, nights, weights[number:])
            night = Night(clock, clock.seconds(end), scene, self.rules, request, ())
            night.errands = left.errands(clock, ahead(night, self.spans[number + 1 :] if in_parts else ()))
            result = plan_night(night, self.goals, self.search, self.budget, self.progress)
            nights.append((night, result))
            for run in result.runs:
                left.ran(run.job, run.instance, clock.instant(run.start), clock.instant(run.end))
            scene = result.back.dawn
        return nights

    def dealt(self, weights: Sequence[int]) -> tuple[Nights, Dealing, Mapping[str, int]]:
        """The same, with all jobs dealt out to all nights together; and what no plan has more of."""
        for in_parts in (True, False):
            nights = self.planned(weights, in_parts=in_parts)
            most = most_of(nights, self.request, self.goals, self.jobs)
            dealing = Dealing(nights, self.jobs)
            dealing.again(most["job-value"])
            if dealing.pays():
                break
        return nights, dealing, most

    def ways(self) -> Iterator[Sequence[int]]:
        """In what parts the moves that there may be are spent: by the first nights; if there is a limit, also the same
        in each, or by the last ones alone.
        """
        many = len(self.spans)
        yield _only(0, many)
        if self.request.limits.most_moves is not None:
            yield [1] * many
            yield from (_only(number, many) for number in range(1, many))


def _only(number: int, many: int) -> list[int]:
    return [int(other == number) for other in range(many)]


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
    the jobs are dealt out once more, to all nights together. Where that brings less than it might, and only so many
    moves may be made in all, they are spent in other nights.
    """
    asked = _Nights(scene, spans, request, rules, goals, jobs, search, budget, progress)
    if len(spans) == 1:
        return asked.planned((1,), in_parts=True), {}
    first, *others = asked.ways()
    nights, best, most = asked.dealt(first)
    for weights in others:
        if budget.over() or best.worth >= most["job-value"]:
            break
        other, dealing, _ = asked.dealt(weights)
        if dealing.pays() and dealing.worth > best.worth:
            nights, best = other, dealing
    return nights, most


def ahead(night: Night, spans: Sequence[Span]) -> Ahead | None:
    """The hours of a night in which jobs can run, and of the windows to come; None: there are none to come."""
    if not spans:
        return None
    hosts = (name for name, host in night.scene.cluster.hosts.items() if night.in_scope(name) and host.state == "up")
    hours = [night.free_at_most(name) for name in hosts] or [(0, 0)]
    tonight = min(begin for begin, _ in hours), max(end for _, end in hours)
    return Ahead(tonight, [(night.clock.seconds(begin), night.clock.seconds(end)) for begin, end in spans])


def what_is_left(request: Consolidate, nights: Nights, weights: Sequence[int] = (1,)) -> Consolidate:
    """The request with limits from which is taken off what nights before have used up for good, and (by `weights` of
    this night and those to come) what is kept for later.
    """
    limits, less = request.limits, dict[str, int]()
    if limits.most_moves is not None:
        timed = (one for _, result in nights for one in (*result.schedule.timed, *result.back.timed))
        moves = max(0, limits.most_moves - sum(one.action.kind == "migrate" for one in timed))
        less["most_moves"] = moves * weights[0] // sum(weights) if any(weights[1:]) else moves
    if limits.store_mib is not None and nights:
        cluster, dawn = nights[-1][0].scene.cluster, nights[-1][1].back.dawn
        asleep = {vm for _, result in nights for vm, way in result.target.away.items() if way == "suspend"}
        held = sum(state_mib(cluster, cluster.vms[vm]) for vm in asleep if not dawn.of(vm))
        less["store_mib"] = max(0, limits.store_mib - held)
    return request.model_copy(update={"limits": limits.model_copy(update=less)}) if less else request
