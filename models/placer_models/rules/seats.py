"""Seats on one host for several VMs together, where rule `reserve` asks what a host takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from placer_models.cluster import Host, Vm
from placer_models.gpus_use import held
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import seatings

MOST_SEATINGS = 100
"""How many stands are tried to seat some VMs together on one host where the first way to seat them fails."""

Holds = tuple[Hold, ...]


class Seats:
    """Depth first over VMs that are to be seated on one host together; what a host's GPUs hold is seen once."""

    def __init__(self, scene: Scene, host: Host, vms: Sequence[Vm]) -> None:
        self._scene, self._host = scene, host
        self._vms = vms
        self._seen: set[Hashable] = set()
        self._tries = 0

    def found(self, put: tuple[Holds, ...] = ()) -> tuple[Holds, ...] | None:
        """What all would hold; None: they have no room, or it was not found."""
        if len(put) == len(self._vms):
            return put
        vm = self._vms[len(put)]
        for holds in seatings(self._scene, vm, self._host):
            self._tries += 1
            if self._tries > MOST_SEATINGS:
                return None
            stand = Stand(vm.name, self._host.name, holds)
            with self._scene.trial(stand):
                if self._new(len(put)):
                    every = self.found((*put, holds))
                    if every is not None:
                        return every
        return None

    def _new(self, at: int) -> bool:
        """Whether the host's GPUs have not held this before with as many VMs seated."""
        holds = (held(self._scene, self._host, gpu) for gpu in self._host.gpus)
        key = at, tuple(frozenset(Counter(content).items()) for content in holds)
        new = key not in self._seen
        self._seen.add(key)
        return new
