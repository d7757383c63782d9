"""Rule `host-state`: nothing is started on a host that is not up, and nothing moves to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Literal

from placer_models.cluster import Cluster, Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Rule
from placer_models.rules.standing import Standing
from placer_models.scene import Scene, Stand


class HostState(Standing, Rule):
    """A host in maintenance or disconnected takes no VM. VMs that stand there already are said to be there, a breach
    for each; they may stay or leave, but who leaves makes no room for another.

    Passes: a VM on a host in state "up". Fails: a VM started on a host in maintenance, whatever it has free.

    Source: AHV-PT (GPU VMs of a node in maintenance are powered off until it is back).
    """

    kind: Literal["host-state"] = "host-state"

    def host_key(self, host: Host) -> Hashable:
        return host.state

    def scene_key(self, scene: Scene, host: Host) -> Hashable:
        return ()

    def admits(self, cluster: Cluster, vm: Vm, host: Host) -> bool:
        return host.state == "up"

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int]:
        return lambda host: int(host.state != "up")

    def encode(self, board: Board) -> None:
        for place in board.places:
            if place.host.state != "up":
                board.at_most(((1, count) for _, count in board.here(place)), 0)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        for name in hosts if hosts is not None else scene.cluster.hosts:
            host = scene.cluster.hosts[name]
            if host.state != "up":
                for stand in scene.on(name):
                    yield Breach(
                        self.kind, (name, stand.vm), 1, f"{name}: is {host.state_said} and has {stand.vm}", (stand.vm,)
                    )

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        said = scene.cluster.hosts[stand.host].state_said
        return Reason(self.kind, stand.host, (said,), said)
