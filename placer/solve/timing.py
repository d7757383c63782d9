"""The times of a night's steps, searched for: sooner than they come one after the other from a list.

Each step is an interval. Hosts, links and the cluster bear so many migrations at once, and a host where others must
leave first has so much room. That says a little less than the rules do; so the times are played once more, by the
rules, and what comes out is taken only where it is sooner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ortools.sat.python import cp_model

from placer.solve.budget import Budget
from placer.solve.least import PARTS, part_of, resources_of
from placer.solve.motion import Schedule, list_schedule
from placer.solve.traffic import Action, Key, Traffic
from placer_models.cluster import Host
from placer_models.gpus_use import model_of, use_of
from placer_models.night import Limits
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand

MOST_STEPS = 3_000
"""Steps up to which their times are searched for."""

WORK, WORK_EACH = 0.25, 0.0004
"""Deterministic seconds of the search at most: in all, or for each step where that is more."""


Spell = tuple[cp_model.LinearExprT, cp_model.LinearExprT, Stand]
"""From when until when somebody stands somewhere."""


def sooner(
    now: Scene,
    rules: Sequence[Rule],
    schedule: Schedule,
    limits: Limits,
    budget: Budget,
    hosts: Collection[str] | None = None,
    first: Scene | None = None,
    *,
    earliest: Mapping[tuple[str, int], int] | None = None,
    kept: Collection[tuple[str, int]] = (),
) -> Schedule:
    """A schedule of the same steps in which these hosts are empty sooner (None: all is done sooner); the same one where
    none is found. What was broken in a `first` scene may be so again. `earliest` says before when a step (by its key)
    does not start; those that are `kept` start as they do.
    """
    started = {one.action.key: one.start for one in schedule.timed if one.action.key in kept}
    given = {**(earliest or {}), **started}
    least = busiest(now, schedule.actions, limits, hosts)
    if len(schedule.timed) > MOST_STEPS or done_at(schedule, hosts) <= least:
        return schedule
    times = Times(now, schedule.actions, limits, schedule.seconds)
    times.begin(given, started)
    starts = times.soonest(schedule, hosts, least, budget)
    if starts is None:
        return schedule
    turns: dict[str, int] = {}
    for vm, _ in sorted(starts, key=lambda key: starts[key]):
        turns.setdefault(vm, len(turns))
    for begins in (starts, given):
        other = list_schedule(now, rules, schedule.actions, limits, {}, earliest=begins, turns=turns, first=first)
        if not other.stuck and done_at(other, hosts) < done_at(schedule, hosts):
            schedule = other
    return schedule


def done_at(schedule: Schedule, hosts: Collection[str] | None) -> int:
    """When all of these hosts are empty (None: when all is done)."""
    if hosts is None:
        return schedule.seconds
    lefts = schedule.lefts()
    return max((lefts.get(host, 0) for host in hosts), default=0)


def busiest(now: Scene, actions: Iterable[Action], limits: Limits, hosts: Collection[str] | None = None) -> int:
    """No schedule has these hosts empty sooner (None: has all of the steps done sooner): a host or link bears only so
    many migrations at once, and a VM's own steps come one after the other.
    """
    traffic, loads, ways = Traffic(now.cluster, limits), defaultdict[Key, int](int), defaultdict[str, int](int)
    bears: dict[Key, int] = {}
    for action in actions:
        if hosts is not None and (action.source is None or action.source.host not in hosts):
            continue
        ways[action.vm] += action.seconds
        for key, most in traffic.uses(action):
            loads[key] += action.seconds
            bears[key] = most
    return max([*ways.values(), *(-(-load // bears[key]) for key, load in loads.items())], default=0)


class Times:
    """The times that steps may have until `end`: each an interval, a VM's own one after the other."""

    def __init__(self, now: Scene, actions: Sequence[Action], limits: Limits, end: int) -> None:
        self._now, self._end = now, end
        self._model = cp_model.CpModel()
        self._starts: dict[tuple[str, int], cp_model.IntVar] = {}
        self._legs: dict[str, list[Action]] = defaultdict(list)
        loads: dict[Key, list[cp_model.IntervalVar]] = defaultdict(list)
        bears: dict[Key, int] = {}
        traffic = Traffic(now.cluster, limits)
        for action in actions:
            start = self._starts[action.key] = self._model.new_int_var(0, end - action.seconds, "")
            self._legs[action.vm].append(action)
            for key, most in traffic.uses(action):
                loads[key].append(self._model.new_fixed_size_interval_var(start, action.seconds, ""))
                bears[key] = most
        for key, intervals in loads.items():
            if len(intervals) > bears[key]:
                self._model.add_cumulative(intervals, [1] * len(intervals), bears[key])
        self._rooms()

    def begin(self, earliest: Mapping[tuple[str, int], int], kept: Collection[tuple[str, int]]) -> None:
        """No step starts before it may; those that are `kept` start just then."""
        for key, start in earliest.items():
            self._model.add(self._starts[key] >= start)
            if key in kept:
                self._model.add(self._starts[key] == start)

    def allow(self, starts: Mapping[tuple[str, int], int]) -> bool:
        """Whether the steps may start so."""
        model = self._model.clone()
        for key, start in starts.items():
            model.add(model.get_int_var_from_proto_index(self._starts[key].index) == start)
        return cp_model.CpSolver().solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)

    def soonest(
        self, known: Schedule, hosts: Collection[str] | None, least: int, budget: Budget
    ) -> dict[tuple[str, int], int] | None:
        """When each step starts, by its key, so that these hosts are empty soonest (None: all is done), sooner than in
        a schedule that is known; None: no such times are found.
        """
        last = self._model.new_int_var(least, done_at(known, hosts) - 1, "last")
        for one in known.timed:
            start, source = self._starts[one.action.key], one.action.source
            self._model.add_hint(start, one.start)
            if hosts is None or (source is not None and source.host in hosts):
                self._model.add(start + one.action.seconds <= last)
        self._model.minimize(last)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.max_deterministic_time = max(WORK, WORK_EACH * len(known.timed))
        solver.parameters.linearization_level = 0  # its cuts for intervals take most of the time, and bring nothing
        if budget.solve(solver, self._model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return {key: solver.value(start) for key, start in self._starts.items()}

    def _rooms(self) -> None:
        """Who stands on a host or GPU, from when until when, takes at most what it has."""
        by_host: dict[str, list[Spell]] = defaultdict(list)
        for spell in self._spells():
            by_host[spell[2].host].append(spell)
        cluster, resources = self._now.cluster, resources_of(self._now.cluster)
        for name, spells in by_host.items():
            host = cluster.hosts[name]
            staying = [stand for stand in self._now.on(name) if stand.vm not in self._legs]
            for resource in resources:
                room = resource.room(host) - sum(resource.amount(cluster.vms[stand.vm]) for stand in staying)
                self._within([(spell, resource.amount(cluster.vms[spell[2].vm])) for spell in spells], room)
            for gpu in host.gpus:
                mine = [
                    (spell, sum(self._part(host, hold) for hold in spell[2].holds if hold.gpu == gpu.id))
                    for spell in spells
                ]
                held = sum(self._part(host, hold) for stand in staying for hold in stand.holds if hold.gpu == gpu.id)
                self._within(mine, PARTS - held)

    def _part(self, host: Host, hold: Hold) -> int:
        use = use_of(self._now.cluster, host.gpu[hold.gpu], hold)
        model = model_of(self._now.cluster, host.gpu[hold.gpu])
        return 0 if use is None else part_of(model, use, hold.sharing)

    def _spells(self) -> Iterator[Spell]:
        """Where each VM that does something stands, and from when until when."""
        for legs in self._legs.values():
            if legs[0].source is not None:
                yield 0, self._ends(legs[0]), legs[0].source
            for action, following in zip(legs, [*legs[1:], None], strict=True):
                if following is not None:
                    self._model.add(self._starts[following.key] >= self._ends(action))
                if action.to is not None:
                    until = self._end if following is None else self._ends(following)
                    yield self._starts[action.key], until, action.to

    def _within(self, takes: Iterable[tuple[Spell, int]], room: int) -> None:
        some = [(spell, amount) for spell, amount in takes if amount]
        if sum(amount for _, amount in some) > room:
            intervals = [
                self._model.new_interval_var(start, self._model.new_int_var(0, self._end, ""), end, "")
                for (start, end, _), _ in some
            ]
            self._model.add_cumulative(intervals, [amount for _, amount in some], room)

    def _ends(self, action: Action) -> cp_model.LinearExprT:
        return self._starts[action.key] + action.seconds
