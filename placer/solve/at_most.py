"""How many hosts can be empty at once at most, without a board: what stays open has room for what stands."""

from __future__ import annotations

from placer.solve.least import resources_of
from placer.solve.target import NightAsk
from placer_models.scene import Scene


def most_empty_at_most(scene: Scene, ask: NightAsk) -> int:
    """No more hosts can be empty at once, by CPUs, memory and GPUs summed up over all hosts."""
    cluster, most = scene.cluster, len(ask.may_free)
    stay = [cluster.vms[stand.vm] for stand in scene.stands() if not ask.ways[stand.vm].away]
    for resource in resources_of(cluster):
        rooms = {name: resource.room(host) for name, host in cluster.hosts.items()}
        holds = {name: sum(resource.amount(cluster.vms[stand.vm]) for stand in scene.on(name)) for name in rooms}
        if any(holds[name] > room for name, room in rooms.items()):  # an overfull host has room for more than it has
            continue
        left, many = sum(rooms.values()) - sum(map(resource.amount, stay)), 0
        for room in sorted(rooms[name] for name in ask.may_free):
            left -= room
            many += left >= 0
        most = min(most, many)
    return most
