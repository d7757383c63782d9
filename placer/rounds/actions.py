"""What is done to a VM on a round: on its way out, and on its way back."""

from __future__ import annotations

from collections.abc import Iterator

from placer.solve.leaving import Down, Going
from placer.solve.traffic import UNDONE, Action, Kind
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.night import Evacuate, SetMode
from placer_models.scene import Scene, Stand


def outward(scene: Scene, request: Evacuate | SetMode, going: Going, leg: int) -> Iterator[Action]:
    """What is done to a VM that goes, its steps numbered from `leg` on."""
    (source,) = scene.of(going.vm)
    if going.way == "migrate":
        assert going.to is not None, f"{going.vm} migrates nowhere"
        yield _migration(scene, request, source, going.to, leg)
    else:
        yield from _carried(scene, request, going.way, source, going.to, leg)


def homeward(away: Scene, request: Evacuate | SetMode, going: Going, home: Stand, leg: int) -> Iterator[Action]:
    """What brings a VM home that went so, its steps numbered from `leg` on."""
    there = next(iter(away.of(going.vm)), None)
    if there is not None and going.way == "migrate":
        yield _migration(away, request, there, home, leg)
    elif going.way != "migrate":
        yield from _carried(away, request, going.way, there, home, leg)


def _migration(scene: Scene, request: Evacuate | SetMode, source: Stand, to: Stand, leg: int) -> Action:
    vm = scene.cluster.vms[source.vm]
    seconds, stun = step_seconds(scene.cluster, vm, "migrate", request.limits), stun_seconds(scene.cluster, vm)
    return Action(vm.name, "migrate", seconds, source, to, stun, state_mib(scene.cluster, vm), leg)


def _carried(
    scene: Scene, request: Evacuate | SetMode, down: Down, source: Stand | None, to: Stand | None, leg: int
) -> Iterator[Action]:
    """A VM is taken down, or started, or one after the other."""
    ways: tuple[tuple[Kind, Stand | None, Stand | None], ...] = ((down, source, None), (UNDONE[down], None, to))
    for kind, leaves, reaches in ways:
        stand = leaves or reaches
        if stand is not None:
            vm = scene.cluster.vms[stand.vm]
            seconds = step_seconds(scene.cluster, vm, kind, request.limits)
            yield Action(vm.name, kind, seconds, leaves, reaches, state_mib=state_mib(scene.cluster, vm), leg=leg)
            leg += 1
