"""The way home of VMs that were away from their hosts before a night was planned from its midst on, and of those that
run again anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from placer.judge.check import broken, worse
from placer.night.window import THERE_AND_BACK, Night
from placer.solve.traffic import UNDONE, Action, Kind
from placer.waits import has_room
from placer_models.cluster import Vm
from placer_models.motion import state_mib, stun_seconds
from placer_models.moving import immovable, unreachable, unsuspendable
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on


def homes_of(night: Night, scene: Scene, home: Stand, kind: Kind, last: str | None = None) -> Iterator[Stand]:
    """Where a VM that was taken off its host by such a step could run again: as it did before, if it can, else on its
    `last` host.
    """
    cluster, before = scene.cluster, broken(night.scene, night.rules)
    vm = cluster.vms[home.vm]
    hosts = [host for host in cluster.hosts.values() if host.name != home.host and host.state == "up"]
    hosts.sort(key=lambda host: host.name != last)
    elsewhere = (
        stand_on(scene, vm, host)
        for host in [cluster.hosts[home.host], *hosts]
        if host.name == home.host or kind == "power-off" or unreachable(cluster, home, host) is None
    )
    for stand in chain([home], elsewhere):
        if stand is not None:
            with scene.trial(stand):
                wrong = worse(night.rules, before, broken(scene, night.rules))
            if not wrong:
                yield stand


def brought_home(night: Night, scene: Scene, evening: Iterable[Action] = ()) -> list[Action]:
    """The steps of the VMs that stood elsewhere, or nowhere, when the plan's part of the night began, and that may have
    been put through some more in its `evening`. Who finds no way home is excused; who is away then runs on any host.
    """
    night = _with_those_gone(night, scene, evening)
    carried, found = night.carried, list[Action]()
    now = {vm: scene.of(vm) for vm in carried.homes if vm not in carried.excused}
    for stands in now.values():
        for stand in stands:
            scene.remove(stand)
    for name, stands in now.items():
        if stands and stands[0].host == carried.homes[name]:
            scene.put(stands[0])
            continue
        why = _lost(night, carried.homes[name])
        target = _seat(night, scene, name) if why is None else None
        ways = [] if target is None else list(_way(night, scene, stands, target))
        if target is not None and ways:
            scene.put(target)
            found += ways
        else:
            carried.excused[name] = why or f"finds no room on {carried.homes[name]}, or no way there"
            for stand in stands:
                scene.put(stand)
    return found + revived(night, scene)


def no_way_back(night: Night, actions: Iterable[Action]) -> dict[str, str]:
    """Who would be migrated and cannot be from where it has gone, and why: not every way there is a way back."""
    cluster, found = night.scene.cluster, dict[str, str]()
    for action in actions:
        if action.kind == "migrate" and action.source is not None and action.to is not None:
            vm, home = cluster.vms[action.vm], cluster.hosts[action.to.host]
            why = immovable(cluster, vm, action.source) or unreachable(cluster, action.source, home)
            if why is not None:
                found[vm.name] = f"could not be migrated back to {home.name}: {why}"
    return found


def _with_those_gone(night: Night, scene: Scene, evening: Iterable[Action]) -> Night:
    """The night in which VMs that are to come home are away, too, if its evening takes them off their host."""
    carried, away, last = night.carried, dict(night.carried.away), dict(night.carried.last)
    for one in evening:
        if one.vm in carried.homes and one.source is not None and not scene.of(one.vm):
            away[one.vm], last[one.vm] = "suspend" if one.kind == "suspend" else "power-off", one.source
    return replace(night, carried=replace(carried, away=away, last=last))


def revived(night: Night, scene: Scene) -> list[Action]:
    """The steps by which VMs that stand nowhere run again, each where there is room."""
    carried, found = night.carried, list[Action]()
    for name, kind in carried.away.items():
        if scene.of(name):
            continue
        home = carried.seats.get(name, carried.last[name])
        stand = next(homes_of(night, scene, home, kind, carried.last[name].host), None)
        if stand is None:
            carried.excused.setdefault(name, "finds no host to run on")
        else:
            scene.put(stand)
            found.append(_action(night, scene.cluster.vms[name], UNDONE[kind], None, stand))
    return found


def _lost(night: Night, host: str) -> str | None:
    """Why nobody comes home to a host."""
    known = night.scene.cluster.hosts.get(host)
    if known is None:
        return f"its host {host} is gone"
    state = "in maintenance" if known.state == "maintenance" else known.state
    return None if known.state == "up" else f"its host {host} is {state}"


def _seat(night: Night, scene: Scene, name: str) -> Stand | None:
    """Where a VM stands at home: as it did, if that is free."""
    carried, cluster = night.carried, scene.cluster
    always = [rule for rule in night.rules if rule.always]
    known = carried.seats.get(name)
    if known is not None and has_room(scene, always, known):
        return known
    other = stand_on(scene, cluster.vms[name], cluster.hosts[carried.homes[name]])
    return other if other is not None and has_room(scene, always, other) else None


def _way(night: Night, scene: Scene, now: tuple[Stand, ...], target: Stand) -> Iterator[Action]:
    """The steps from where a VM stands to its home, the least downtime first; none: there is no way."""
    carried, cluster = night.carried, scene.cluster
    vm, home = cluster.vms[target.vm], cluster.hosts[target.host]
    last = now[0] if now else carried.last[vm.name]
    reached = last.host == home.name or unreachable(cluster, last, home) is None
    if not now:
        kind = carried.away[vm.name]
        if reached or kind == "power-off":
            yield _action(night, vm, UNDONE[kind], None, target)
        return
    limits = (night.request.limits.stun_seconds, vm.stun_limit_seconds)
    calm = all(limit is None or stun_seconds(cluster, vm) <= limit for limit in limits)
    if immovable(cluster, vm, last) is None and reached and calm:
        yield _action(night, vm, "migrate", last, target)
        return
    if reached and unsuspendable(cluster, vm, last) is None:
        off, on = THERE_AND_BACK["suspend"]
    elif vm.may.power_cycle:
        off, on = THERE_AND_BACK["power-off"]
    else:
        return
    yield _action(night, vm, off, last, None)
    yield _action(night, vm, on, None, target)


def _action(night: Night, vm: Vm, kind: Kind, source: Stand | None, to: Stand | None) -> Action:
    cluster = night.scene.cluster
    stun = stun_seconds(cluster, vm) if kind == "migrate" else 0.0
    return Action(vm.name, kind, night.seconds_of(vm, kind), source, to, stun, state_mib(cluster, vm))
