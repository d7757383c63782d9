"""Where VMs stand that would wait for GPUs which are changed, or come back to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from placer.rounds.care import Care
from placer.solve.leaving import Left
from placer_models.gpus_use import use_of
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


def near(scene: Scene, care: Care, left: Left) -> Left | None:
    """The same with those who would wait started at once on GPUs of their host that are not changed; None: nobody can
    be.
    """
    waiting = [going for going in left.goings if going.to is None and had(scene.of(going.vm)[0], care)]
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
    other = Left(left.spots, list(goings.values()))
    return other if other != left else None


def homes_of(then: Scene, care: Care, returning: Sequence[Stand]) -> list[Stand]:
    """Where each of these returns: to the GPUs that it had, but who had one that was changed is seated anew, the
    biggest first. Raises NoSeat.
    """
    cluster = then.cluster
    anew = [home for home in returning if had(home, care)]
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


def had(home: Stand, care: Care) -> bool:
    """Whether a stand holds a GPU that is changed."""
    _, gpus = care.changed.get(home.host, (None, frozenset()))
    return any(hold.gpu in gpus for hold in home.holds)
