"""One round: hosts are left, are in maintenance, and are come back to; when each step of it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from placer.solve.leaving import Down, Going, Left
from placer.solve.motion import Schedule, Timed, list_schedule
from placer.solve.traffic import UNDONE, Action, Kind
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.night import Evacuate
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


class NotPlayed(Exception):
    """A round that cannot be carried out; why, in words."""


@dataclass(frozen=True)
class Round:
    """A round's steps, in seconds from its beginning: `hours` says when each host enters and leaves maintenance,
    `after` who stands where when all is done.
    """

    outward: Sequence[Timed]
    hours: Mapping[str, tuple[int, int]]
    back: Sequence[Timed]
    after: Scene

    @property
    def seconds(self) -> int:
        """How long it takes."""
        ends = (one.end for one in (*self.outward, *self.back))
        return max((*ends, *(leave for _, leave in self.hours.values())), default=0)


def care_seconds(request: Evacuate) -> int:
    """How long a host is in maintenance: never for no time at all."""
    return max(1, request.minutes * 60)


def play(scene: Scene, rules: Sequence[Rule], request: Evacuate, left: Left) -> Round:
    """When each step of a round runs. Raises NotPlayed.

    Who waits for its host leaves as late as it can: when the last of those who move has left.
    """
    here = {going.vm: scene.of(going.vm)[0] for going in left.goings}
    ways = [(going, action) for going in left.goings for action in _outward(scene, request, going)]
    waiting = {going.vm: action for going, action in ways if going.to is None}
    moving = [action for going, action in ways if going.to is not None]
    movers = _scheduled(scene, rules, request, moving)
    empty: dict[str, int] = dict(movers.lefts())
    for vm, action in waiting.items():
        empty[here[vm].host] = max(empty.get(here[vm].host, 0), action.seconds)
    earliest = {action.key: empty[here[vm].host] - action.seconds for vm, action in waiting.items()}
    outward = _scheduled(scene, rules, request, [*moving, *waiting.values()], earliest)
    hours: dict[str, tuple[int, int]] = {}
    enter = 0
    for host in (host for host in request.hosts if host in left.hosts):
        own = outward.lefts().get(host, 0)
        enter = max(enter, own) if request.in_order else own
        hours[host] = (enter, enter + care_seconds(request))
    away = _after(scene, outward.timed)
    last = max(outward.seconds, *(leave for _, leave in hours.values()))
    homeward: list[Action] = []
    begins: dict[tuple[str, int], int] = {}
    for going in left.goings:
        if going.to is None or request.way_back == "same-host":
            home = here[going.vm]
            ready = max(hours[home.host][1], outward.seconds) if home.host in hours else last
            for action in _homeward(away, request, going, home):
                homeward.append(action)
                begins[action.key] = ready
    back = _scheduled(away, rules, request, homeward, begins)
    return Round(outward.timed, hours, back.timed, _after(away, back.timed))


def _scheduled(
    scene: Scene,
    rules: Sequence[Rule],
    request: Evacuate,
    actions: Sequence[Action],
    earliest: Mapping[tuple[str, int], int] | None = None,
) -> Schedule:
    schedule = list_schedule(scene, rules, actions, request.limits, {}, earliest=earliest)
    if schedule.stuck:
        action = schedule.stuck[0]
        where = "" if action.to is None else f" on {action.to.host}"
        raise NotPlayed(f"{action.vm} waits for room{where} that is not left before it goes itself")
    return schedule


def _after(scene: Scene, timed: Iterable[Timed]) -> Scene:
    scene = scene.copy()
    for action in (one.action for one in timed):
        if action.source is not None:
            scene.remove(action.source)
        if action.to is not None:
            scene.put(action.to)
    return scene


def _outward(scene: Scene, request: Evacuate, going: Going) -> Iterator[Action]:
    (source,) = scene.of(going.vm)
    if going.way == "migrate":
        assert going.to is not None, f"{going.vm} migrates nowhere"
        yield _migration(scene, request, source, going.to)
    else:
        yield from _carried(scene, request, going.way, source, going.to)


def _homeward(away: Scene, request: Evacuate, going: Going, home: Stand) -> Iterator[Action]:
    there = next(iter(away.of(going.vm)), None)
    if there is not None and going.way == "migrate":
        yield _migration(away, request, there, home)
    elif going.way != "migrate":
        yield from _carried(away, request, going.way, there, home)


def _migration(scene: Scene, request: Evacuate, source: Stand, to: Stand) -> Action:
    vm = scene.cluster.vms[source.vm]
    seconds, stun = step_seconds(scene.cluster, vm, "migrate", request.limits), stun_seconds(scene.cluster, vm)
    return Action(vm.name, "migrate", seconds, source, to, stun, state_mib(scene.cluster, vm))


def _carried(scene: Scene, request: Evacuate, down: Down, source: Stand | None, to: Stand | None) -> Iterator[Action]:
    """A VM is taken down, or started, or one after the other."""
    ways: tuple[tuple[Kind, Stand | None, Stand | None], ...] = ((down, source, None), (UNDONE[down], None, to))
    leg = 0
    for kind, leaves, reaches in ways:
        stand = leaves or reaches
        if stand is not None:
            vm = scene.cluster.vms[stand.vm]
            seconds = step_seconds(scene.cluster, vm, kind, request.limits)
            yield Action(vm.name, kind, seconds, leaves, reaches, state_mib=state_mib(scene.cluster, vm), leg=leg)
            leg += 1
