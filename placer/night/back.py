"""The way back: everything where it is due by the morning, played backwards from there, so that freed hosts stay free
as long as they can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.night.homeward import brought_home, homes_of, no_way_back, revived
from placer.night.window import Night
from placer.solve.motion import Schedule, Timed, list_schedule
from placer.solve.traffic import UNDONE, Action
from placer_models.gpus_use import POSITIONAL
from placer_models.scene import Scene


@dataclass
class Back:
    """The steps of the way back, and who stands where after it. `late` are VMs that would not be back when they are
    due, with the reason.
    """

    timed: list[Timed]
    dawn: Scene
    late: dict[str, str] = field(default_factory=dict)

    @property
    def begin(self) -> int | None:
        """When the first step starts."""
        return min((one.start for one in self.timed), default=None)

    def arrivals(self) -> Mapping[str, int]:
        """When the first VM comes to each host."""
        found: dict[str, int] = {}
        for one in self.timed:
            if one.action.to is not None:
                host = one.action.to.host
                found[host] = min(found.get(host, one.start), one.start)
        return found


def after(scene: Scene, actions: Sequence[Action]) -> Scene:
    """Who stands where when all of these are done."""
    scene = scene.copy()
    for action in actions:
        if action.source is not None:
            scene.remove(action.source)
        if action.to is not None:
            scene.put(action.to)
    return scene


def way_back(night: Night, evening: Schedule, rank: Mapping[str, int]) -> Back:
    """The steps that bring back who is due, each as late as may be: `rank` says which hosts are to be filled last."""
    dusk = after(night.scene, evening.actions)
    if not night.resumes:
        return Back([], dusk)
    actions = None if night.returns else _resumed(night, evening, dusk)
    if actions is None:
        homes = night.carried.homes
        actions = [_timed(night, one.undone()) for one in reversed(evening.actions) if one.vm not in homes]
        actions += brought_home(night, after(dusk, actions), evening.actions)
    numbers: dict[str, int] = defaultdict(int)
    for i, action in enumerate(actions):
        actions[i] = replace(action, leg=numbers[action.vm])
        numbers[action.vm] += 1
    dawn = after(dusk, actions)
    # backwards: what comes to a host leaves it, and who is due early starts late
    undone = [action.undone() for action in reversed(actions)]
    lead = {action.key: night.seconds - night.due(action.vm) for action in undone}
    played = list_schedule(dawn, night.rules, undone, night.request.limits, rank, earliest=lead, slots_as_said=True)
    late = {action.vm: "would find no room on the way back" for action in played.stuck}
    late |= no_way_back(night, actions)
    mine = {action.key: action for action in actions}
    waits: dict[tuple[str, int], list[Action]] = defaultdict(list)
    for one in played.timed:
        for other in one.waits_for:
            waits[other.key].append(mine[one.action.key])
    timed = [
        Timed(mine[one.action.key], night.seconds - one.end, night.seconds - one.start, tuple(waits[one.action.key]))
        for one in played.timed
    ]
    back = Back(sorted(timed, key=lambda one: (one.start, one.action.vm, one.action.leg)), dawn, late)
    if not late:
        _settle_slots(night, evening, back)
    return way_back(night, evening, rank) if _given_up(night, evening, back) else back


def _given_up(night: Night, evening: Schedule, back: Back) -> bool:
    """What the time that is left does not allow: then nobody leaves in the evening, and in the end VMs are not brought
    home. Whether some are excused now, and the way back is another.
    """
    excused, before = night.carried.excused, len(night.carried.excused)
    mine = [vm for vm in back.late if vm in night.carried.homes]
    excused.update({vm: back.late.pop(vm) for vm in mine})
    if night.carried.homes and back.begin is not None and back.begin < evening.seconds:
        for one in evening.timed:
            back.late[one.action.vm] = "could not be back in the time that there is"
        for one in back.timed:
            if not evening.timed and one.start < 0 and one.action.vm in night.carried.homes:
                excused[one.action.vm] = "is not brought home in the time that is left"
    return len(excused) > before


def _settle_slots(night: Night, evening: Schedule, back: Back) -> None:
    """Where the manager picks slots, the night is played forwards once more, so that each VM has the one that it gets
    on the way back.
    """
    actions = [one.action for one in (*evening.timed, *back.timed)]
    positional = any(hold.sharing in POSITIONAL for action in actions if action.to for hold in action.to.holds)
    if night.scene.cluster.platform.slot_choice == "chosen" or not positional:
        return
    legs: dict[str, int] = defaultdict(int)
    first: dict[str, int] = {}
    whole: list[Action] = []
    earliest: dict[tuple[str, int], int] = {}
    for number, one in enumerate((*evening.timed, *back.timed)):
        vm = one.action.vm
        if number >= len(evening.timed):
            first.setdefault(vm, legs[vm])
        action = replace(one.action, leg=legs[vm])
        legs[vm] += 1
        whole.append(action)
        earliest[action.key] = one.start
    played = list_schedule(night.scene, night.rules, whole, night.request.limits, {}, earliest=earliest)
    back.late |= {action.vm: "would find no slot on the way back" for action in played.stuck}
    back.timed = [one for one in played.timed if one.action.leg >= first.get(one.action.vm, one.action.leg + 1)]
    for one in back.timed:
        if one.end > night.due(one.action.vm):
            back.late[one.action.vm] = "would not be back when it is due"
    back.dawn = after(night.scene, [one.action for one in played.timed])


def _timed(night: Night, action: Action) -> Action:
    return replace(action, seconds=night.seconds_of(night.scene.cluster.vms[action.vm], action.kind))


def _resumed(night: Night, evening: Schedule, dusk: Scene) -> list[Action] | None:
    """Who was suspended or stopped runs again, on its own host if that has room, else where there is; None: somebody
    finds none.
    """
    scene, found = dusk.copy(), list[Action]()
    for action in evening.actions:
        if dusk.of(action.vm) or action.source is None:
            continue
        (home,) = night.scene.of(action.vm)
        stand = next(homes_of(night, scene, home, action.kind), None)
        if stand is None:
            return None
        scene.put(stand)
        found.append(_timed(night, replace(action, kind=UNDONE[action.kind], source=None, to=stand)))
    return found + revived(night, scene)
