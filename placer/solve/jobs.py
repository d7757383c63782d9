"""Which job runs when on which freed host: the target's counts given their hours, then whatever else still fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from placer.judge.check import broken, worse
from placer.solve.hours import MOST_INTERVALS, Begun, Choice, best_hours
from placer.solve.least import resources_of
from placer_models.cluster import Cluster, Vm
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import stand_on


@dataclass(frozen=True)
class Errand:
    """A job in whole seconds from the window's start: what one instance is, how many are left to do (numbered from
    `first`), how long each runs, and when it may.
    """

    name: str
    vm: Vm
    instances: int
    first: int
    seconds: int
    value: int
    earliest: int
    latest: int
    whole_host: bool


@dataclass(frozen=True)
class Run:
    """One instance on a freed host from `start` to `end`, with the GPUs that it holds."""

    errand: Errand
    instance: int
    host: str
    start: int
    end: int
    holds: tuple[Hold, ...] = ()

    @property
    def job(self) -> str:
        """The job's name."""
        return self.errand.name

    @property
    def name(self) -> str:
        """The instance's name, as it stands on the host."""
        return f"job/{self.errand.name}/{self.instance}"

    @property
    def whole_host(self) -> bool:
        """Whether it has the host to itself."""
        return self.errand.whole_host


class FreedHosts:
    """The freed hosts with their hours, and the runs that are on them so far.

    `night` says who stands where in the meantime: runs must leave what rules at rest keep for those VMs (a reserve).
    """

    def __init__(
        self,
        cluster: Cluster,
        rules: Sequence[Rule],
        hours: Mapping[str, tuple[int, int]],
        night: Scene | None = None,
    ) -> None:
        self._cluster = cluster
        self._always = [rule for rule in rules if rule.always]
        self._hours = hours
        self._resources = resources_of(cluster)
        self._runs: dict[str, list[Run]] = defaultdict(list)
        self._night = night
        self._resting = [] if night is None else [rule for rule in rules if not rule.always]
        self._broken_now = [] if night is None else broken(night, self._resting)

    def fit(self, errand: Errand, host: str, instance: int) -> Run | None:
        """The earliest run of an instance on a host, added to it; None: there is none."""
        opens, closes = self._hours[host]
        latest = min(closes, errand.latest) - errand.seconds
        starts = sorted({max(opens, errand.earliest), *(run.end for run in self._runs[host])})
        for start in starts:
            if max(opens, errand.earliest) <= start <= latest:
                run = self._at(errand, host, instance, start)
                if run is not None:
                    self._runs[host].append(run)
                    return run
        return None

    def _at(self, errand: Errand, host: str, instance: int, start: int) -> Run | None:
        end = start + errand.seconds
        beside = [run for run in self._runs[host] if run.start < end and start < run.end]
        if beside and (errand.whole_host or any(run.whole_host for run in beside)):
            return None
        holds = self._seat(errand, host, beside)
        run = None if holds is None else Run(errand, instance, host, start, end, holds)
        return run if run is not None and self._leaves_enough(run) else None

    def _leaves_enough(self, run: Run) -> bool:
        """Whether rules at rest hold beside all runs that are under way during this one."""
        if self._night is None or not self._resting:
            return True
        others = [other for runs in self._runs.values() for other in runs]
        runs = [run, *(other for other in others if other.start < run.end and run.start < other.end)]
        vms = {one.name: one.errand.vm.model_copy(update={"name": one.name}) for one in runs}
        cluster = replace(self._cluster, vms={**self._cluster.vms, **vms})
        stands = [*self._night.stands(), *(Stand(one.name, one.host, one.holds) for one in runs)]
        return not worse(self._resting, self._broken_now, broken(Scene(cluster, stands), self._resting))

    def _seat(self, errand: Errand, host: str, beside: Sequence[Run]) -> tuple[Hold, ...] | None:
        """The GPUs that one more instance could have beside these runs; None: there is no room."""
        new, one = errand.vm.name, self._cluster
        vms = {run.name: run.errand.vm.model_copy(update={"name": run.name}) for run in beside} | {new: errand.vm}
        alone = Cluster(one.name, one.platform, {host: one.hosts[host]}, vms, {}, one.catalogue)
        scene = Scene(alone, [Stand(run.name, host, run.holds) for run in beside])
        stand = stand_on(scene, errand.vm, alone.hosts[host])
        if stand is None:
            return None
        scene.put(stand)
        wrong = worse(self._always, [[] for _ in self._always], broken(scene, self._always))
        return None if wrong else stand.holds

    def at_once(self, errand: Errand, host: str) -> int:
        """How many instances of a job could run at the same time on an empty host."""
        most = 1 if errand.whole_host else errand.instances
        runs: list[Run] = []
        while len(runs) < most:
            holds = self._seat(errand, host, runs)
            if holds is None:
                break
            runs.append(Run(errand, len(runs), host, 0, errand.seconds, holds))
        return len(runs)

    def take(self, errands: Sequence[Errand], wanted: Mapping[tuple[str, str], int]) -> list[Run]:
        """Run what the target wants on each host, then whatever is left on any host, the most valuable first; where
        that is worth less than what the target wants, the hours are searched for.
        """
        runs = self._in_turn(errands, wanted)
        value = {errand.name: errand.value for errand in errands}
        promised = sum(value.get(job, 0) * count for (job, _), count in wanted.items())
        if _value(runs) < promised and len(self._hours) * len(errands) <= MOST_INTERVALS:
            begun = best_hours(
                list(self._choices(errands)),
                {
                    host: [resource.room(self._cluster.hosts[host]) for resource in self._resources]
                    for host in self._hours
                },
                {errand.name: errand.instances for errand in errands},
                value,
                [Begun(run.start, run.job, run.host) for run in runs],
            )
            better = [] if begun is None else self._as_begun(errands, begun)
            runs = max(runs, better, key=_value)
        return sorted(runs, key=lambda run: (run.start, run.job, run.instance))

    def _choices(self, errands: Sequence[Errand]) -> Iterator[Choice]:
        """Each job on each host that could run it."""
        for host, (opens, closes) in self._hours.items():
            every = [resource.room(self._cluster.hosts[host]) for resource in self._resources]
            for errand in errands:
                earliest, latest = max(opens, errand.earliest), min(closes, errand.latest)
                turns = max(0, latest - earliest) // errand.seconds
                most = min(errand.instances, self.at_once(errand, host) * turns) if turns else 0
                takes = every if errand.whole_host else [resource.amount(errand.vm) for resource in self._resources]
                if most > 0:
                    yield Choice(errand.name, host, most, errand.seconds, earliest, latest, takes)

    def _as_begun(self, errands: Sequence[Errand], begun: Sequence[Begun]) -> list[Run]:
        """The runs with their GPUs; then whatever else fits."""
        self._runs.clear()
        by_name, done = {errand.name: errand for errand in errands}, dict[str, int]()
        runs: list[Run] = []
        for one in begun:
            errand, number = by_name[one.job], done.get(one.job, 0)
            run = self._at(errand, one.host, errand.first + number, one.start)
            if run is not None:
                self._runs[one.host].append(run)
                runs.append(run)
                done[one.job] = number + 1
        return runs + list(self._fill(errands, done))

    def _in_turn(self, errands: Sequence[Errand], wanted: Mapping[tuple[str, str], int]) -> list[Run]:
        done: dict[str, int] = defaultdict(int)
        runs: list[Run] = []
        order = sorted(errands, key=lambda errand: (errand.latest, -errand.value / errand.seconds, errand.name))
        for host in self._hours:
            for errand in order:
                for _ in range(wanted.get((errand.name, host), 0)):
                    run = self.fit(errand, host, errand.first + done[errand.name])
                    if run is None:
                        break
                    runs.append(run)
                    done[errand.name] += 1
        return runs + list(self._fill(errands, done))

    def _fill(self, errands: Sequence[Errand], done: Mapping[str, int]) -> Iterator[Run]:
        """Whatever is left to do and still fits, the most valuable first."""
        for errand in sorted(errands, key=lambda errand: (-errand.value / errand.seconds, errand.latest, errand.name)):
            number = done.get(errand.name, 0)
            for host in self._hours:
                while number < errand.instances and (run := self.fit(errand, host, errand.first + number)) is not None:
                    yield run
                    number += 1


def _value(runs: Sequence[Run]) -> int:
    return sum(run.errand.value for run in runs)
