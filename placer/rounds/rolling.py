"""An evacuation, round by round and window by window: which hosts are next, and what is to be said of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from placer.judge.timed import TimedReplay
from placer.rounds.options import in_maintenance, nowhere_to_go, options_of
from placer.rounds.play import NotPlayed, Round, care_seconds, play
from placer.solve.budget import Budget
from placer.solve.leaving import LeavingAsk, Left, Options, solve_leaving
from placer.solve.run import Progress
from placer.steps import Steps
from placer_models.decision import Decision
from placer_models.night import Asked, Evacuate
from placer_models.plan import LeftOut, Plan, Step, Unmoved
from placer_models.rules.host_state import HostState
from placer_models.scene import Scene
from placer_models.seating import stand_on
from placer_models.snapshot import Snapshot

NO_WAY = "no arrangement of the other VMs keeps every rule while it is in maintenance"
NOT_TRIED = "the search ended before its turn came"
TOO_LONG = "does not fit into what is left of the windows"


@dataclass
class Rolling:
    """What is planned so far: `scene` after it, the hosts that are `done`, those that cannot be (`never`, with why),
    and those that could not be in this window (`later`, with why).
    """

    snapshot: Snapshot
    request: Evacuate
    decision: Decision
    steps: Steps
    budget: Budget
    progress: Progress | None = None
    done: list[str] = field(default_factory=list)
    never: dict[str, tuple[str, ...]] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)
    unmoved: list[Unmoved] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scene = Scene.now(self.snapshot.content)
        self.rules = self.decision.rules_of(self.snapshot.rules)
        self.goals = self.decision.night_goals()
        self._deadline = self.budget.deadline
        self._rounds, self._moves = 0, 0
        self._always = list(self.rules)
        if not any(isinstance(rule, HostState) for rule in self.rules):
            self._always.append(HostState())
        cluster = self.snapshot.content
        care = care_seconds(self.request)
        self.options = {
            stand.vm: options_of(cluster, self.rules, self.request.limits, stand, care) for stand in self.scene.stands()
        }
        for name in dict.fromkeys(self.request.hosts):
            host = cluster.hosts[name]
            if host.state != "up":
                self.never[name] = (f"is {host.state} already",)
                continue
            stuck = [stand.vm for stand in self.scene.on(name) if isinstance(self.options[stand.vm], str)]
            if stuck:
                self._keep(name)
        self.possible = len(dict.fromkeys(self.request.hosts)) - len(self.never)

    @property
    def over(self) -> bool:
        """Whether the search has to end now."""
        return self.budget.interrupted or time.monotonic() >= self._deadline

    @property
    def left_out(self) -> list[LeftOut]:
        """The hosts that are not done, with why."""
        return [
            LeftOut(host=host, reasons=self.never.get(host) or (self.later.get(host, NOT_TRIED),))
            for host in dict.fromkeys(self.request.hosts)
            if host not in self.done
        ]

    def window(self, begin: int, end: int) -> None:
        """Plan what fits into one window."""
        clock, self.later = begin, {}
        while self._pending() and not self.over:
            found = self._next(clock, end)
            if found is not None:
                clock += found.seconds
            elif self.request.in_order and self.later:
                if clock > begin:  # nobody goes before it
                    self.later |= dict.fromkeys(self._pending(), TOO_LONG)
                else:
                    self.never |= {host: (why,) for host, why in self.later.items()}

    def _pending(self) -> list[str]:
        known = {*self.done, *self.never, *self.later}
        return [host for host in dict.fromkeys(self.request.hosts) if host not in known]

    def _next(self, clock: int, end: int) -> Round | None:
        """The next round: as many hosts as may be at once, else half as many, and so on. One that cannot even be done
        alone is left out (None).
        """
        pending = self._pending()
        size = min(self.request.at_once or len(pending), len(pending))
        while True:
            chosen = self._chosen(pending, size)
            why = self._round(chosen, clock, end)
            if isinstance(why, Round) or self.over:
                return why if isinstance(why, Round) else None
            if size == 1:
                (host,) = chosen
                if why == TOO_LONG:
                    self.later[host] = why
                elif not self._keep(host):
                    self.never[host] = (why,)
                return None
            size //= 2

    def _keep(self, host: str) -> bool:
        """Leave a host out for its VMs that can go nowhere, if there are any."""
        kept = list(nowhere_to_go(self.scene, self.rules, host, self.options))
        self.unmoved += [Unmoved(vm=vm, host=host, reasons=reasons) for vm, reasons in kept]
        if kept:
            self.never[host] = tuple(f"{vm}: {'; '.join(reasons)}" for vm, reasons in kept)
        return bool(kept)

    def _chosen(self, pending: Sequence[str], size: int) -> list[str]:
        """Which hosts are next, as many as `size`: those that can be left best now, where the order is free."""
        if self.request.in_order or size == len(pending):
            return list(pending[:size])
        left = self._solve(self.scene, pending, size, frozenset(pending), self._options(pending))
        return left.hosts or list(pending[:size])

    def _options(self, hosts: Sequence[str] | None) -> dict[str, Options]:
        """The options of the VMs on some hosts (None: on all)."""
        stands = self.scene.stands() if hosts is None else (stand for host in hosts for stand in self.scene.on(host))
        return {stand.vm: may for stand in stands if isinstance(may := self.options[stand.vm], Options)}

    def _solve(
        self, scene: Scene, hosts: Sequence[str], most: int, later: frozenset[str], options: dict[str, Options]
    ) -> Left:
        limits = self.request.limits
        ask = LeavingAsk(
            leavers={host: frozenset(stand.vm for stand in scene.on(host)) for host in hosts},
            options=options,
            most=most,
            later=later,
            trips=2 if self.request.way_back == "same-host" else 1,
            most_moves=None if limits.most_moves is None else limits.most_moves - self._moves,
            store_mib=limits.store_mib,
        )
        now, rounds = time.monotonic(), -(-len(self._pending()) // (self.request.at_once or len(self.request.hosts)))
        self.budget.deadline = now + (self._deadline - now) / max(1, rounds)
        return solve_leaving(scene, self._always, self.goals, ask, self.decision.search, self.budget)

    def _round(self, chosen: Sequence[str], clock: int, end: int) -> Round | str:
        """One round with these hosts, planned and judged, or why there is none."""
        scene = in_maintenance(self.scene, chosen)
        pending = frozenset(self._pending()) - set(chosen)
        left = self._solve(scene, chosen, len(chosen), pending, self._options(chosen))
        if len(left.hosts) < len(chosen):  # others may make room; they do not wait, their hosts stay
            others = {
                vm: may if self.scene.of(vm)[0].host in chosen else Options(may.live, stun_ms=may.stun_ms)
                for vm, may in self._options(None).items()
            }
            left = self._solve(scene, chosen, len(chosen), pending, others)
        if not left.hosts or (self.request.in_order and len(left.hosts) < len(chosen)):
            return NO_WAY
        try:
            found = play(self.scene, self._always, self.request, left)
        except NotPlayed as why:
            return str(why)
        if clock + found.seconds > end:
            return TOO_LONG
        trial = Steps(self.steps.cluster, self.steps.clock, [*self.steps.steps], [*self.steps.freed])
        self._write(trial, found, clock)
        faults = self._judged(trial)
        if faults:
            return faults[0]
        self.steps, self.scene = trial, found.after
        self._rounds += 1
        self._moves += sum(one.action.kind == "migrate" for one in (*found.outward, *found.back))
        self.done += left.hosts
        if self.progress is not None:
            self.progress("named-freed", len(self.done), self.possible)
        return found

    def _judged(self, steps: Steps) -> list[str]:
        """What the judge says of these steps: a round that breaks a rule while nothing is under way is none."""
        plan = Plan(
            status="feasible",
            request="evacuate",
            asked=Asked(request=self.request),
            steps=tuple(sorted(steps.steps, key=lambda step: step.start)),
            freed=tuple(steps.freed),
        )
        return TimedReplay(self.snapshot.content, self.rules, self.request, (), plan).faults

    def _write(self, steps: Steps, found: Round, clock: int) -> None:
        """A round's steps: hosts enter when all have left, and are come back to when they have left maintenance."""
        mark = f"r{self._rounds + 1}"
        first = len(steps.steps)
        steps.evening(found.outward, clock, f"{mark}e", found.hours.keys())
        before = tuple(step.id for step in self.steps.steps if step.kind == "leave-maintenance")[-1:]
        for i in range(first, len(steps.steps)):
            step = steps.steps[i]
            steps.steps[i] = step.model_copy(update={"waits_for": (*step.waits_for, *before)})
        leaving = steps.steps[first:]
        leave: dict[str, str] = {}
        for i, (host, (enter, until)) in enumerate(found.hours.items(), 1):
            gone = tuple(step.id for step in leaving if step.leaves == host)
            leave[host] = f"{mark}h{i}-leave"
            steps.steps += [
                self._of_host(steps, f"{mark}h{i}-enter", "enter-maintenance", host, clock + enter, gone or before),
                self._of_host(steps, leave[host], "leave-maintenance", host, clock + until, (f"{mark}h{i}-enter",)),
            ]
            steps.free(host, clock + enter, clock + until)
        first = len(steps.steps)
        steps.morning(found.back, clock, f"{mark}m")
        for i in range(first, len(steps.steps)):
            step = steps.steps[i]
            if step.reaches in leave:
                steps.steps[i] = step.model_copy(update={"waits_for": (*step.waits_for, leave[step.reaches])})

    def _of_host(self, steps: Steps, name: str, kind: str, host: str, at: int, waits_for: tuple[str, ...]) -> Step:
        instant = steps.clock.instant(at)
        why = f"{self.request.minutes} minutes of maintenance" if kind == "enter-maintenance" else "is done"
        values = {"id": name, "kind": kind, "host": host, "start": instant, "end": instant}
        return Step.model_validate({**values, "waits_for": waits_for, "why": why})

    def least_downtime(self) -> Iterator[int]:
        """Of each VM that cannot be live-migrated on the hosts that are done: how long it is down at least. It starts
        on no host that has no seat for it beside those VMs that nothing may be done to.
        """
        cluster = self.snapshot.content
        now = Scene.now(cluster)
        kept = Scene(cluster, (stand for stand in now.stands() if isinstance(self.options[stand.vm], str)))
        for stand in now.stands():
            may = self.options[stand.vm]
            if stand.host in self.done and isinstance(may, Options) and not may.live:
                vm, others = cluster.vms[stand.vm], (host for host in cluster.hosts.values() if host.name != stand.host)
                seated = any(stand_on(kept, vm, host) is not None for host in others)
                yield min(seconds for _, seconds in (*may.wait, *(may.elsewhere if seated else ())))
