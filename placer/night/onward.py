"""What no plan beats that goes on in the midst of a night: of those that do what is done and under way, do not try
again what has failed, and excuse the same VMs from coming back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from placer.judge.midway import Midway
from placer.night.bounds import AnyHours
from placer.night.midway import left_of
from placer.night.present import Present
from placer.night.runs import Runs
from placer.night.search import ask_of
from placer.night.soonest import emptying
from placer.night.turns import can_be_emptied
from placer.night.window import Night
from placer.night.work import work_of
from placer.rest import Rest
from placer.solve.budget import Budget
from placer.solve.errands import Errand
from placer.solve.night import most_empty
from placer.solve.soonest import within
from placer.solve.survey import Survey
from placer.solve.target import NightQuestion
from placer.solve.value import Supply, most_value
from placer_models.clock import Clock
from placer_models.decision import Decision
from placer_models.goals.night import HostsFreed
from placer_models.night import Asked, Consolidate
from placer_models.plan import Plan
from placer_models.rules.rule import Rule
from placer_models.snapshot import Snapshot


def night_onward(
    snapshot: Snapshot, rest: Rest, plan: Plan, decision: Decision, score: Mapping[str, int], budget: Budget
) -> dict[str, int | None]:
    """The bounds of a consolidation that goes on, by the kinds of goals, each given the scores of those before it."""
    onward = _Onward(snapshot, rest, plan, decision, budget)
    found: dict[str, int | None] = {}
    before: dict[str, int] = {}
    for kind in (goal.kind for goal in decision.night_goals()):
        bound = onward.bound(kind, before)
        found[kind] = 0 if bound is None and score[kind] == 0 else bound
        before[kind] = score[kind]
    return found


class _Onward:
    """A night in its midst as it is, whatever was still to come. Its clock begins at that instant."""

    def __init__(self, snapshot: Snapshot, rest: Rest, plan: Plan, decision: Decision, budget: Budget) -> None:
        asked = _asked(rest)
        assert isinstance(asked.request, Consolidate)
        self._rest, self._asked, self._request = rest, asked, asked.request
        self._search, self._budget = decision.search, budget
        self._now = Present(snapshot.content, rest, self._request)
        begun = _asked(plan).begun
        self._now.carried.excused = dict(begun.excused) if begun is not None else {}
        self._spans = left_of(self._request, rest.at)
        clock = Clock(rest.at)
        self._hours = [(clock.seconds(begin), clock.seconds(end)) for begin, end in self._spans]
        self._told = [freed for freed in rest.plan.freed if freed.from_ < rest.at]
        self._night = Night(
            clock,
            self._hours[0][1],
            self._now.scene,
            _as_strict(snapshot, rest, self._now, decision),
            self._request,
            (),
            carried=self._now.carried,
        )
        self._now.forbid(self._night)
        self._able = frozenset(host.name for host in can_be_emptied(self._night))

    def bound(self, kind: str, before: Mapping[str, int]) -> int | None:
        """What nobody beats in a goal who has these scores in those before it; None: it is not known."""
        match kind:
            case "job-value":
                return self._job_value()
            case "named-freed":
                named = self._request.free if isinstance(self._request.free, tuple) else ()
                return len(set(named) & {*self._able, *(freed.host for freed in self._told)})
            case "hosts-freed":
                return max(self._freed_before(), self._most_empty())
            case "stun" | "moves" if before.get("downtime") == 0:
                return self._migrations(before.get("hosts-freed", 0), stun=kind == "stun")
            case "soonest":
                return self._soonest(before)
            case _:
                return None

    def _freed_before(self) -> int:
        """How many hosts were free at once until now."""
        told = self._rest.plan.model_copy(update={"freed": tuple(self._told)})
        return HostsFreed().score(self._night.scene.cluster, self._request, (), told)

    def _most_empty(self) -> int:
        """How many hosts can be empty at once from now on."""
        free, limits = self._request.free, self._request.limits
        most = min([len(self._able), *([free] if isinstance(free, int) else [])])
        left = None
        if limits.most_moves is not None:
            left = max(0, limits.most_moves - sum(step.kind == "migrate" for step in self._now.done))
        night = replace(self._night, fixed={}, errands=())
        ask = replace(ask_of(night), most_moves=left, trips=1, least_gain=0)
        found = most_empty(NightQuestion(night.scene, night.rules, (), ask, self._search), self._budget)
        return most if found is None else min(most, found)

    def _job_value(self) -> int:
        jobs = self._asked.jobs
        if not jobs:
            return 0
        left = Runs(self._rest.plan, jobs, self._now.scene, self._now.begin, keep=False).left()
        survey = Survey(self._night.scene.cluster, self._night.rules, ())
        supplies: list[Supply] = []
        rest = 0
        for number, (begin, end) in enumerate(self._hours):
            clock = Clock(self._spans[number][0])
            kind = AnyHours if number else Night
            errands = [_at_best(errand) for errand in left.errands(clock)]
            night = kind(clock, end - begin, self._night.scene, self._night.rules, self._request, errands)
            if not number:
                night.carried = self._now.carried
                rest = sum(errand.value * errand.instances for errand in errands)
            work = work_of(night, self._able)
            most = len(self._able) if number else self._most_empty()
            supplies.append(Supply(work, {host: survey.host(host) for host in work.rooms}, most))
        return sum(job.value * job.instances for job in jobs) - rest + most_value(supplies)

    def _migrations(self, freed: int, *, stun: bool) -> int:
        """Migrations that were, or must be where nobody is down: those of the way back of who is away, and those off
        the hosts that are still to be empty. Their number, or their milliseconds of stun.
        """
        now, returns = self._now, self._request.way_back == "same-host"
        beside: list[int] = []
        for host in sorted(self._able):
            stands = list(self._night.scene.on(host))
            if stands:
                at_home = [one.vm for one in stands if one.vm not in now.carried.homes]
                trips = {vm: 2 if returns and vm not in now.carried.excused else 1 for vm in at_home}
                beside.append(sum(trips[vm] * now.weight(vm, stun=stun) for vm in at_home))
        more = freed - (len(self._able) - len(beside)) if freed > self._freed_before() else 0
        return now.migrations(now.carried.excused, returns=returns, stun=stun) + sum(sorted(beside)[: max(0, more)])

    def _soonest(self, before: Mapping[str, int]) -> int:
        origin = min(begin for window in self._request.windows for begin, _ in window.spans())
        clock, first = Clock(origin), dict[str, int]()
        for freed in self._told:
            since = clock.seconds(freed.from_)
            first[freed.host] = min(since, first.get(freed.host, since))
        last = max(first.values(), default=0)
        freed_in_all = before.get("hosts-freed", 0)
        if freed_in_all > self._freed_before():  # those that were free before need not be so for the first time
            found = emptying(self._night, before.get("downtime", 10**9), None)
            found = replace(found, leavers={host: its for host, its in found.leavers.items() if host not in first})
            seconds = found.soonest(freed_in_all - len(first))
            last = max(last, clock.seconds(self._rest.at) + within(self._hours, seconds) if seconds else 0)
        return last


def _as_strict(snapshot: Snapshot, rest: Rest, now: Present, decision: Decision) -> list[Rule]:
    """The rules without those that were broken as the night began, which may be so again."""
    rules = decision.rules_of(snapshot.rules)
    before = Midway(snapshot.content, rest.plan).broken_before(now.scene, rules)
    return [rule for rule, found in zip(rules, before, strict=True) if not found]


def _asked(one: Rest | Plan) -> Asked:
    asked = (one.plan if isinstance(one, Rest) else one).asked
    assert asked is not None, "a plan that goes on says what it was asked for"
    return asked


def _at_best(errand: Errand) -> Errand:
    """What is left of a job that has begun, if no more had to be loaded: it may run now, and go on."""
    begun = errand.least and errand.name != errand.vm.name
    return replace(errand, seconds=max(1, errand.seconds - errand.again), least=1, again=0) if begun else errand
