"""One round: hosts (or GPUs of one) are left, are cared for, and are come back to; when each step of it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from placer.rounds.actions import homeward, outward
from placer.rounds.care import Care
from placer.rounds.flow import Flow, Key, pass_by, shifted
from placer.rounds.homes import NoSeat, NotPlayed, homes_of, near
from placer.solve.budget import Budget
from placer.solve.leaving import Going, Left
from placer.solve.motion import Detour, Schedule, Timed, list_schedule, turns_of
from placer.solve.timing import sooner
from placer.solve.traffic import Action, Traffic
from placer_models.night import Evacuate, SetMode
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


@dataclass(frozen=True)
class Round:
    """A round's steps, in seconds from its beginning (`at`, of its flow): `hours` says from when until when each host
    is cared for, `again` how the steps of earlier rounds run that are still to come. `after` is who stands where when
    all is done, in the cluster as it then is, and `flow` what is under way when all of its hosts are cared for.
    """

    care: Care
    at: int
    outward: Sequence[Timed]
    hours: Mapping[str, tuple[int, int]]
    back: Sequence[Timed]
    again: Sequence[Timed]
    after: Scene
    flow: Flow
    overlaps: bool

    @property
    def ends(self) -> int:
        """When all of it is over, and all before it."""
        ends = (one.end for one in (*self.outward, *self.back, *self.again))
        return self.at + max((*ends, *(leave for _, leave in self.hours.values())), default=0)

    def told_anew(self, others: Mapping[Key, Timed]) -> Round:
        """The same with the times (of the window's clock) that steps of the way back have by now."""
        back = [shifted(others[key], -self.at) if (key := one.action.key) in others else one for one in self.back]
        return replace(self, back=back)


@dataclass(frozen=True)
class Means:
    """By what a round is played: the rules that hold at every instant, the request with its limits, the scene before
    the plan (what was broken there may be so again), the time that there is to look for better times, and how VMs step
    aside that would wait for each other.
    """

    rules: Sequence[Rule]
    request: Evacuate | SetMode
    first: Scene
    budget: Budget
    detour: Detour | None = None


def play(scene: Scene, flow: Flow, means: Means, care: Care, left: Left) -> Round:
    """When each step of a round runs; `scene` is who stands where when all is done that is under way. Raises NotPlayed.

    Who waits for its host leaves as late as it can: when the last of those who move has left. Where the host stays up
    nobody waits that finds a place among its other GPUs.
    """
    beside = near(scene, care, left)
    if beside is not None:
        try:
            return _Playing(scene, flow, means, care, beside).round()
        except NotPlayed:
            pass  # there is no room yet for who would start at once
    return _Playing(scene, flow, means, care, left).round()


class _Playing:
    """One round as it is played: those who move, then those who wait for their host, then those who come back.

    What is still to come of earlier rounds is played with them. Its migrations may run at other times than they did,
    but none of those by which a host is left that is to be cared for.
    """

    def __init__(self, scene: Scene, flow: Flow, means: Means, care: Care, left: Left) -> None:
        self._scene, self._flow, self._means, self._care = scene, flow, means, care
        self._goings = {going.vm: going for going in left.goings}
        self._here = {going.vm: scene.of(going.vm)[0] for going in left.goings}
        self._still = {one.action.key: one for one in flow.timed}
        self._due: dict[Key, int] = {}
        """When steps start that stop VMs or let them run again, if nobody is to be down for longer than it must."""

    def round(self) -> Round:
        care, flow = self._care, self._flow
        movers, waiting = self._movers()
        empty = self._empty(movers, waiting)
        earliest = {one.action.key: one.start for one in movers.timed}
        hours = flow.hours(care, empty)
        for vm, action in waiting.items():
            earliest[action.key] = self._due[action.key] = hours[self._here[vm].host][0] - action.seconds
        outward = self._scheduled(flow.scene, [*movers.actions, *waiting.values()], earliest)
        self._punctual(outward.timed)
        hours = flow.hours(care, outward.lefts())
        mine = [one for one in outward.timed if one.action.key not in self._still]
        played, homeward = self._back(outward, mine, hours)
        last = max((enter for enter, _ in hours.values()), default=0)
        last = max([last, *(one.end for one in mine if one.action.to is not None)])
        legs = Counter(flow.legs) + Counter(one.action.vm for one in (*mine, *homeward))
        shut = {**flow.shut, **{host: leave for host, (_, leave) in hours.items()}}
        after = flow.scene.copy()
        for one in played:
            pass_by(after, one)
        return Round(
            care,
            flow.at,
            mine,
            hours,
            homeward,
            [one for one in played if one.action.key in self._still and one.action.key not in flow.begun],
            care.after(after),
            flow.from_then(last, played, shut, legs),
            flow.overlaps,
        )

    def _movers(self) -> tuple[Schedule, dict[str, Action]]:
        """When those move who go elsewhere; and what is done to those who wait."""
        flow, means, request = self._flow, self._means, self._means.request
        waiting, moving = dict[str, Action](), list[Action]()
        earliest = {key: one.start for key, one in self._still.items()}
        for vm, going in self._goings.items():
            actions = list(outward(self._scene, request, going, flow.legs.get(vm, 0)))
            if going.to is None:
                (waiting[vm],) = actions
                continue
            moving += actions
            before = sum(action.seconds for action in actions[:-1])
            earliest[actions[0].key] = max(0, flow.shut.get(going.to.host, 0) - before)
        still = [one.action for one in flow.timed]
        movers = self._scheduled(flow.scene, [*still, *moving], earliest)
        if all(one.kind == "migrate" or one.key in self._still for one in movers.actions):
            limits, first = request.limits, means.first
            earliest = {action.key: earliest.get(action.key, 0) for action in movers.actions}
            movers = sooner(
                flow.scene,
                means.rules,
                movers,
                limits,
                means.budget,
                self._care.hosts,
                first,
                earliest=earliest,
                kept=self._still,
            )
        for key, one in self._still.items():
            if one.action.kind != "migrate":
                self._due[key] = one.start
        ends = {one.action.key: one.end for one in movers.timed}
        for action in movers.actions:
            if action.source is None and (action.vm, action.leg - 1) in ends:
                self._due[action.key] = ends[action.vm, action.leg - 1]
        return movers, waiting

    def _empty(self, movers: Schedule, waiting: Mapping[str, Action]) -> dict[str, int]:
        """When each host can be empty."""
        empty = dict(movers.lefts())
        for vm, action in waiting.items():
            host = self._here[vm].host
            empty[host] = max(empty.get(host, 0), action.seconds)
        return empty

    def _back(
        self, outward: Schedule, mine: Sequence[Timed], hours: Mapping[str, tuple[int, int]]
    ) -> tuple[list[Timed], list[Timed]]:
        """All steps from the round's beginning on, and those by which VMs come back. Raises NoSeat.

        Who is down runs again when its host can be had; the others come back when all have left, and so do all where
        GPUs have been changed.
        """
        flow, care, request = self._flow, self._care, self._means.request
        then = flow.from_then(outward.seconds, outward.timed, {}, {}).scene
        gone = max((one.end for one in mine), default=0)
        last = max([gone, *(leave for _, leave in hours.values())])
        legs = Counter(flow.legs) + Counter(one.action.vm for one in mine)
        then = care.after(then)
        returning = [self._here[vm] for vm, one in self._goings.items() if _returns(one, self._here[vm], request)]
        coming, begins = list[Action](), dict[Key, int]()
        for home in homes_of(then, care, returning):
            leave = hours[home.host][1] if home.host in hours else last
            for action in homeward(then, request, self._goings[home.vm], home, legs[home.vm]):
                down = action.source is None and action.leg == legs[home.vm]
                begins[action.key] = leave if down and not care.changed else max(leave, gone)
                coming.append(action)
                if down:
                    self._due[action.key] = begins[action.key]
        if not coming:
            return list(outward.timed), []
        at = min(begins.values())
        rest = flow.from_then(at, outward.timed, {}, {})
        earliest = {one.action.key: one.start for one in rest.timed}
        earliest |= {key: begin - at for key, begin in begins.items()}
        actions = [*(one.action for one in rest.timed), *coming]
        back = self._come_back(care.after(rest.scene), actions, earliest, begins.keys())
        timed = [shifted(one, at) for one in back.timed if one.action.key not in rest.begun]
        again = {one.action.key for one in timed}
        before = {one.action.key: one for one in outward.timed}
        for one in timed:
            key = one.action.key
            free = key in self._still and one.action.source is not None and one.action.source.host not in care.hosts
            if key in before and before[key].start != one.start and not free:
                raise NotPlayed(one.action.vm, "would leave later")
        self._punctual(timed)
        homewards = [one for one in timed if one.action.key not in before]
        return [*(one for one in outward.timed if one.action.key not in again), *timed], homewards

    def _come_back(
        self, then: Scene, actions: Sequence[Action], earliest: Mapping[Key, int], coming: Collection[Key]
    ) -> Schedule:
        """When each returns: all at once, or one by one where that is too much for slots that the manager picks. Raises
        NoSeat.
        """
        try:
            return self._scheduled(then, actions, earliest)
        except NotPlayed:
            turn = {key: i for i, key in enumerate(coming)}
            in_turn = {key: begin + turn.get(key, 0) for key, begin in earliest.items()}
        try:
            return self._scheduled(then, actions, in_turn)
        except NotPlayed as why:
            raise NoSeat(why.vm) from None

    def _punctual(self, timed: Iterable[Timed]) -> None:
        """Rounds that overlap let nobody be down for longer than it must."""
        for one in timed if self._flow.overlaps else ():
            if one.start > self._due.get(one.action.key, one.start):
                raise NotPlayed(one.action.vm, "would be down for longer")

    def _scheduled(self, scene: Scene, actions: Sequence[Action], earliest: Mapping[Key, int]) -> Schedule:
        """All of these, what is under way first."""
        means, limits = self._means, self._means.request.limits
        under_way = dict.fromkeys(vm for vm, _ in self._still)
        order = turns_of(Traffic(scene.cluster, limits), actions, {})
        turns = {vm: n for n, vm in enumerate([*under_way, *(vm for vm in order if vm not in under_way)])}
        schedule = list_schedule(
            scene,
            means.rules,
            actions,
            limits,
            {},
            earliest=earliest,
            detour=means.detour,
            first=means.first,
            turns=turns,
        )
        if schedule.stuck:
            action = schedule.stuck[0]
            where = "" if action.to is None else f" on {action.to.host}"
            raise NotPlayed(action.vm, f"waits for room{where} that is not left before it goes itself")
        return schedule


def _returns(going: Going, home: Stand, request: Evacuate | SetMode) -> bool:
    """Whether a VM that went so comes back to its host."""
    return going.to is None or (request.way_back == "same-host" and going.to.host != home.host)
