"""One round: hosts (or GPUs of one) are left, are cared for, and are come back to; when each step of it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from placer.rounds.care import Care
from placer.solve.budget import Budget
from placer.solve.leaving import Down, Going, Left
from placer.solve.motion import Detour, Schedule, Timed, list_schedule
from placer.solve.timing import sooner
from placer.solve.traffic import UNDONE, Action, Kind
from placer_models.gpus_use import use_of
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.night import Evacuate, SetMode
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on


class NotPlayed(Exception):
    """A round that cannot be carried out because of a VM; why, in words."""

    def __init__(self, vm: str, why: str) -> None:
        super().__init__(f"{vm} {why}")
        self.vm = vm


class NoSeat(NotPlayed):
    """A VM finds no place on its host as that is afterwards."""

    def __init__(self, vm: str) -> None:
        super().__init__(vm, "finds no place on its host afterwards")


@dataclass(frozen=True)
class Round:
    """A round's steps, in seconds from its beginning: `hours` says from when until when each host is cared for, `after`
    who stands where when all is done, in the cluster as it then is.
    """

    care: Care
    outward: Sequence[Timed]
    hours: Mapping[str, tuple[int, int]]
    back: Sequence[Timed]
    after: Scene

    @property
    def seconds(self) -> int:
        """How long it takes."""
        ends = (one.end for one in (*self.outward, *self.back))
        return max((*ends, *(leave for _, leave in self.hours.values())), default=0)


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


def play(scene: Scene, means: Means, care: Care, left: Left) -> Round:
    """When each step of a round runs. Raises NotPlayed.

    Who waits for its host leaves as late as it can: when the last of those who move has left. Where the host stays up
    nobody waits that finds a place among its other GPUs.
    """
    near = _near(scene, care, left)
    if near is not None:
        try:
            return _played(scene, means, care, near)
        except NotPlayed:
            pass  # there is no room yet for who would start at once
    return _played(scene, means, care, left)


def _near(scene: Scene, care: Care, left: Left) -> Left | None:
    """The same with those who would wait started at once on GPUs of their host that are not changed; None: nobody can
    be.
    """
    waiting = [going for going in left.goings if going.to is None and _had(scene.of(going.vm)[0], care)]
    if not waiting or care.empties:
        return None
    goings = {going.vm: going for going in left.goings}
    then = Scene(scene.cluster, (stand for stand in scene.stands() if stand.vm not in goings))
    for going in left.goings:
        if going.to is not None:
            then.put(going.to)
    for going in waiting:
        (home,) = scene.of(going.vm)
        host, gpus = scene.cluster.hosts[home.host], care.changed[home.host][1]
        others = host.model_copy(update={"gpus": tuple(gpu for gpu in host.gpus if gpu.id not in gpus)})
        stand = stand_on(then, scene.cluster.vms[going.vm], others)
        if stand is not None:
            then.put(stand)
            goings[going.vm] = replace(going, to=stand)
    near = Left(left.spots, list(goings.values()))
    return near if near != left else None


def _played(scene: Scene, means: Means, care: Care, left: Left) -> Round:
    request = means.request
    here = {going.vm: scene.of(going.vm)[0] for going in left.goings}
    ways = [(going, action) for going in left.goings for action in _outward(scene, request, going)]
    waiting = {going.vm: action for going, action in ways if going.to is None}
    moving = [action for going, action in ways if going.to is not None]
    movers = _scheduled(scene, means, moving)
    if all(action.kind == "migrate" for action in movers.actions):
        movers = sooner(scene, means.rules, movers, request.limits, means.budget, care.hosts, means.first)
    empty: dict[str, int] = dict(movers.lefts())
    for vm, action in waiting.items():
        empty[here[vm].host] = max(empty.get(here[vm].host, 0), action.seconds)
    earliest = {one.action.key: one.start for one in movers.timed}
    earliest |= {action.key: empty[here[vm].host] - action.seconds for vm, action in waiting.items()}
    outward = _scheduled(scene, means, [*movers.actions, *waiting.values()], earliest)
    hours: dict[str, tuple[int, int]] = {}
    enter = 0
    for host in care.hosts:
        own = outward.lefts().get(host, 0)
        enter = max(enter, own) if care.in_order else own
        hours[host] = (enter, enter + care.seconds)
    last = max(outward.seconds, *(leave for _, leave in hours.values()))
    then = care.after(_after(scene, outward.timed))
    goings = {going.vm: going for going in left.goings}
    returning = [here[vm] for vm, one in goings.items() if _returns(one, here[vm], request)]
    homeward: list[Action] = []
    begins: dict[tuple[str, int], int] = {}
    for home in _homes(then, care, returning):
        ready = max(hours[home.host][1], outward.seconds) if home.host in hours else last
        for action in _homeward(then, request, goings[home.vm], home):
            homeward.append(action)
            begins[action.key] = ready
    back = _come_back(then, means, homeward, begins)
    return Round(care, outward.timed, hours, back.timed, _after(then, back.timed))


def _returns(going: Going, home: Stand, request: Evacuate | SetMode) -> bool:
    """Whether a VM that went so comes back to its host."""
    return going.to is None or (request.way_back == "same-host" and going.to.host != home.host)


def _come_back(
    then: Scene, means: Means, homeward: Sequence[Action], begins: Mapping[tuple[str, int], int]
) -> Schedule:
    """When each returns: all at once, or one by one where that is too much for slots that the manager picks. Raises
    NoSeat.
    """
    try:
        return _scheduled(then, means, homeward, begins)
    except NotPlayed:
        in_turn = {key: ready + i for i, (key, ready) in enumerate(begins.items())}
    try:
        return _scheduled(then, means, homeward, in_turn)
    except NotPlayed as why:
        raise NoSeat(why.vm) from None


def _homes(then: Scene, care: Care, returning: Sequence[Stand]) -> list[Stand]:
    """Where each of these returns: to the GPUs that it had, but who had one that was changed is seated anew, the
    biggest first. Raises NoSeat.
    """
    cluster = then.cluster
    anew = [home for home in returning if _had(home, care)]
    homes = [home for home in returning if home not in anew]
    if not anew:
        return homes
    scene = Scene(cluster, (*then.stands(), *homes))

    def size(home: Stand) -> int:
        gpus = cluster.hosts[home.host].gpu
        return sum(use.share_milli for hold in home.holds if (use := use_of(cluster, gpus[hold.gpu], hold)) is not None)

    for home in sorted(anew, key=lambda home: (-size(home), home.vm)):
        stand = stand_on(scene, cluster.vms[home.vm], cluster.hosts[home.host])
        if stand is None:
            raise NoSeat(home.vm)
        scene.put(stand)
        homes.append(stand)
    return homes


def _had(home: Stand, care: Care) -> bool:
    """Whether a stand holds a GPU that is changed."""
    _, gpus = care.changed.get(home.host, (None, frozenset()))
    return any(hold.gpu in gpus for hold in home.holds)


def _scheduled(
    scene: Scene, means: Means, actions: Sequence[Action], earliest: Mapping[tuple[str, int], int] | None = None
) -> Schedule:
    schedule = list_schedule(
        scene,
        means.rules,
        actions,
        means.request.limits,
        {},
        earliest=earliest,
        detour=means.detour,
        first=means.first,
    )
    if schedule.stuck:
        action = schedule.stuck[0]
        where = "" if action.to is None else f" on {action.to.host}"
        raise NotPlayed(action.vm, f"waits for room{where} that is not left before it goes itself")
    return schedule


def _after(scene: Scene, timed: Iterable[Timed]) -> Scene:
    scene = scene.copy()
    for action in (one.action for one in timed):
        if action.source is not None:
            scene.remove(action.source)
        if action.to is not None:
            scene.put(action.to)
    return scene


def _outward(scene: Scene, request: Evacuate | SetMode, going: Going) -> Iterator[Action]:
    (source,) = scene.of(going.vm)
    if going.way == "migrate":
        assert going.to is not None, f"{going.vm} migrates nowhere"
        yield _migration(scene, request, source, going.to)
    else:
        yield from _carried(scene, request, going.way, source, going.to)


def _homeward(away: Scene, request: Evacuate | SetMode, going: Going, home: Stand) -> Iterator[Action]:
    there = next(iter(away.of(going.vm)), None)
    if there is not None and going.way == "migrate":
        yield _migration(away, request, there, home)
    elif going.way != "migrate":
        yield from _carried(away, request, going.way, there, home)


def _migration(scene: Scene, request: Evacuate | SetMode, source: Stand, to: Stand) -> Action:
    vm = scene.cluster.vms[source.vm]
    seconds, stun = step_seconds(scene.cluster, vm, "migrate", request.limits), stun_seconds(scene.cluster, vm)
    return Action(vm.name, "migrate", seconds, source, to, stun, state_mib(scene.cluster, vm))


def _carried(
    scene: Scene, request: Evacuate | SetMode, down: Down, source: Stand | None, to: Stand | None
) -> Iterator[Action]:
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
