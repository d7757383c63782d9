"""Hosts that are left, cared for, and come back to, round by round: what evacuations and changes of GPU modes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from placer.judge.timed import TimedReplay
from placer.progress import Progress
from placer.rounds.care import Care
from placer.rounds.flow import Flow, shifted
from placer.rounds.homes import NoSeat, NotPlayed
from placer.rounds.options import able_of, in_maintenance, options_of, without
from placer.rounds.play import Means, Round, play
from placer.rounds.write import write
from placer.solve.board import TooLarge
from placer.solve.budget import Budget
from placer.solve.detours import Detours
from placer.solve.leaving import LeavingAsk, Left, Options, Spot, solve_leaving
from placer.solve.night import TOO_LARGE
from placer.solve.soonest import Emptying
from placer.solve.target import Ways
from placer.steps import Steps
from placer_models.decision import Decision
from placer_models.night import Asked, Evacuate, SetMode
from placer_models.plan import LeftOut, Plan, Unmoved
from placer_models.rules.host_state import HostState
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot

NO_WAY = "no arrangement of the VMs keeps every rule and limit meanwhile"
NOT_TRIED = "the search ended before its turn came"
TOO_LONG = "does not fit into what is left of the windows"


@dataclass
class Rounds:
    """What is planned so far: the `steps`, and the `scene` after them. `asked` is what the plan says it was asked for,
    and `start` the scene in which the rounds begin, where that is not the snapshot's. `failed` are the kinds of steps
    that are not tried again with a VM, `later` is what could not be done in this window, with why.
    """

    snapshot: Snapshot
    request: Evacuate | SetMode
    decision: Decision
    steps: Steps
    budget: Budget
    progress: Progress | None = None
    unmoved: list[Unmoved] = field(default_factory=list)
    asked: Asked | None = None
    start: Scene | None = None
    failed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scene = self.first = self.start or Scene.now(self.snapshot.content)
        self.rules = self.decision.rules_of(self.snapshot.rules)
        self.goals = self.decision.night_goals()
        self.always = list(self.rules)
        if not any(isinstance(rule, HostState) for rule in self.rules):  # the judge adds it likewise
            self.always.append(HostState())
        self._rounds, self._moves = 0, 0
        self._before, self._found = self.steps, list[tuple[str, Round]]()
        self.flow, self._ends = Flow(0, self.scene), 0
        self.too_large = False
        self._options: dict[int, dict[str, Options | str]] = {}

    def begin_after(self, rounds: int, moves: int) -> None:
        """So many rounds and migrations there were before these."""
        self._rounds, self._moves = rounds, moves

    def window(self, begin: int, end: int) -> None:
        """Plan what fits into one window: in each round as much as may be at once, else half as much, and so on. What
        cannot even be done alone is left out.
        """
        self._before, self._found = self.steps, []
        self.flow, self._ends = Flow(begin, self.scene), begin
        self.later.clear()
        while self.pending and not self.over:
            many = self.many()
            while isinstance(why := self.round(many, end), str) and many > 1 and not self.over:
                many //= 2
            if isinstance(why, str) and not self.over:
                self.leave_out(why)

    @property
    def begun(self) -> bool:
        """Whether there was a round in this window."""
        return bool(self._found)

    # what each kind of request says

    overlap: ClassVar[bool] = False
    """Whether a round may begin while the hosts of the one before are still cared for."""

    @property
    def pending(self) -> Sequence[str]:
        """What is asked for and may still be done."""
        raise TypeError(f"{type(self).__name__} does not say what may still be done")

    def many(self) -> int:
        """How much of it the next round is to do at once."""
        raise TypeError(f"{type(self).__name__} does not say how much is next")

    def round(self, many: int, end: int) -> Round | str:
        """The next round, over by `end`, in which so much is done; or why there is none."""
        raise TypeError(f"{type(self).__name__} has no rounds")

    def leave_out(self, why: str) -> None:
        """Leave out what was last tried alone."""
        raise TypeError(f"{type(self).__name__} does not say what is left out")

    @property
    def cut_short(self) -> bool:
        """Whether the search had to end with something not tried."""
        raise TypeError(f"{type(self).__name__} does not say what was not tried")

    @property
    def left_out(self) -> list[LeftOut]:
        """What is not done, with why."""
        raise TypeError(f"{type(self).__name__} does not say what is not done")

    @property
    def so_already(self) -> Sequence[str]:
        """What was asked and stands so without any step, in sentences."""
        return ()

    @property
    def most(self) -> Mapping[str, int]:
        """The score of the request's own goal that nobody can beat, by its kind."""
        raise TypeError(f"{type(self).__name__} has no bound")

    @property
    def ways(self) -> Mapping[str, Options | str]:
        """What may be done to each VM, or why nothing may."""
        raise TypeError(f"{type(self).__name__} does not say what may be done to VMs")

    def leaving(self) -> Mapping[str, int]:
        """The VMs that have to leave, given what is done, each with how long it is down at least."""
        raise TypeError(f"{type(self).__name__} has no bound")

    def leavers(self) -> Mapping[str, Sequence[Stand]]:
        """Who is to leave each of the hosts that could be done."""
        raise TypeError(f"{type(self).__name__} has no bound")

    def soonest(self, emptying: Emptying, spans: Sequence[tuple[int, int]], *, known: bool) -> int | None:
        """No sooner is as much done as is, given what it takes to empty the hosts, in windows of so many seconds.
        `known`: all is done that could be.
        """
        raise TypeError(f"{type(self).__name__} has no bound")

    # what they share

    @property
    def over(self) -> bool:
        """Whether the search has to end now."""
        return self.budget.over()

    @property
    def trips(self) -> int:
        """How often a VM migrates that does so for a host that is left."""
        return 2 if self.request.way_back == "same-host" else 1

    def options_now(self, care_seconds: int) -> dict[str, Options | str]:
        """What may be done to each VM of the snapshot while its host is cared for so long."""
        if care_seconds not in self._options:
            cluster, limits = self.first.cluster, self.request.limits
            self._options[care_seconds] = {
                stand.vm: without(
                    options_of(cluster, self.rules, limits, stand, care_seconds),
                    self.failed.get(stand.vm, frozenset()),
                )
                for stand in self.first.stands()
            }
        return dict(self._options[care_seconds])

    def attempt(
        self,
        leavers: Mapping[Spot, Sequence[Stand]],
        options: Mapping[str, Options | str],
        care: Callable[[Sequence[Spot]], Care],
        end: int,
        later: frozenset[str] = frozenset(),
        *,
        wholly: bool = False,
        rounds_left: int = 1,
        left: Left | None = None,
    ) -> tuple[Left, Round] | str:
        """One round in which these spots are left (`wholly`: all, or none), planned, judged and kept; or why there is
        none. Raises NoSeat. `care` says what is done to the hosts of the spots that are left, `end` until when there is
        time; who comes to hosts in `later` has to go on another time. Who goes how may be known (`left`).
        """
        scene = in_maintenance(self.scene, [spot.host for spot in leavers if spot.gpu is None])
        able = able_of(leavers, options)
        left = left or self.solve(scene, leavers, able, len(leavers), later, rounds_left)
        if len(left.spots) < len(leavers):  # others may make room; they do not wait, their hosts stay
            others = {
                stand.vm: Options(may.live, stun_ms=may.stun_ms)
                for stand in self.scene.stands()
                if isinstance(may := options[stand.vm], Options)
            }
            left = self.solve(scene, leavers, {**others, **able}, len(leavers), later, rounds_left)
        if not left.spots or (wholly and len(left.spots) < len(leavers)):
            return TOO_LARGE if self.too_large else NO_WAY
        if self.overlap and self.flow.overlaps:
            try:
                if isinstance(found := self._kept(self.flow, options, care(left.spots), left, end), Round):
                    return left, found
            except NoSeat:
                pass
        flow = Flow(self._ends, self.scene, legs=self.flow.legs)
        found = self._kept(flow, options, care(left.spots), left, end)
        return found if isinstance(found, str) else (left, found)

    def _kept(self, flow: Flow, options: Mapping[str, Options | str], care: Care, left: Left, end: int) -> Round | str:
        """A round that begins in this flow, played, judged and kept; or why there is none. Raises NoSeat."""
        try:
            means = Means(self.always, self.request, self.first, self.budget, self._detours(left, options, flow))
            found = play(self.scene, flow, means, care, left)
        except NoSeat:
            raise
        except NotPlayed as why:
            return str(why)
        if found.ends > end:
            return TOO_LONG
        again = {one.action.key: shifted(one, flow.at) for one in found.again}
        rounds = [(mark, one.told_anew(again)) for mark, one in self._found]
        rounds.append((f"r{self._rounds + 1}", found))
        before = self._before
        trial = Steps(before.cluster, before.clock, [*before.steps], [*before.freed])
        for mark, one in rounds:
            write(trial, one, mark)
        faults = self._judged(trial)
        if faults:
            return faults[0]
        self.steps, self.scene, self._found = trial, found.after, rounds
        self.flow, self._ends = found.flow, max(self._ends, found.ends)
        self._rounds += 1
        self._moves += sum(one.action.kind == "migrate" for one in (*found.outward, *found.back))
        return found

    def solve(
        self,
        scene: Scene,
        leavers: Mapping[Spot, Sequence[Stand]],
        options: Mapping[str, Options],
        most: int,
        later: frozenset[str],
        rounds_left: int,
    ) -> Left:
        """The best way to leave `most` of these spots, found in the part of the time that a round has."""
        limits = self.request.limits
        ask = LeavingAsk(
            leavers={spot: frozenset(stand.vm for stand in stands) for spot, stands in leavers.items()},
            options=options,
            most=most,
            barred=frozenset(spot.host for spot in leavers if spot.gpu is not None),
            later=later,
            shut=frozenset(host for host, until in self.flow.shut.items() if until > 0),
            trips=self.trips,
            most_moves=None if limits.most_moves is None else limits.most_moves - self._moves,
            limits=limits,
        )
        with self.budget.share(1 / max(1, rounds_left)):
            try:
                return solve_leaving(scene, self.always, self.goals, ask, self.decision.search, self.budget)
            except TooLarge:
                self.too_large = True
                return Left()

    def _detours(self, left: Left, options: Mapping[str, Options | str], flow: Flow) -> Detours:
        """Ways round knots of moves: over hosts that are not left or shut, or taken down meanwhile."""
        limits, cluster = self.request.limits, self.scene.cluster
        ways = {vm: Ways(may.live, may.elsewhere) for vm, may in options.items() if isinstance(may, Options)}
        shut = {host for host, until in flow.shut.items() if until > 0}
        hosts = sorted(cluster.hosts.keys() - shut - {spot.host for spot in left.spots})
        moves_left = None
        if limits.most_moves is not None:
            migrating = sum(one.way == "migrate" for one in left.goings)
            moves_left = limits.most_moves - self._moves - self.trips * migrating
        return Detours(cluster, self.always, limits, ways, [goal.kind for goal in self.goals], hosts, moves_left)

    def _judged(self, steps: Steps) -> list[str]:
        """What the judge says of these steps: a round that breaks a rule while nothing is under way is none."""
        plan = Plan(
            status="feasible",
            request=self.request.kind,
            asked=self.asked or Asked(request=self.request),
            steps=tuple(sorted(steps.steps, key=lambda step: step.start)),
            freed=tuple(steps.freed),
        )
        return TimedReplay(self.snapshot.content, self.rules, self.request, (), plan).faults

    def note_unmoved(self, host: str, kept: Mapping[str, tuple[str, ...]]) -> None:
        """Say of VMs that they keep a host, each once, with the reasons."""
        known = {one.vm for one in self.unmoved}
        self.unmoved += [Unmoved(vm=vm, host=host, reasons=why) for vm, why in kept.items() if vm not in known]
