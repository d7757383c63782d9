"""Rule `affinity`: VMs that must, should, should not or must not run on certain hosts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import ClassVar, Literal

from placer_models.cluster import Cluster, Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Hosts, Rule, Vms
from placer_models.scene import Scene, Stand


class Affinity(Vms, Hosts, Rule):
    """These VMs (by name or label) run only on these hosts (by name or label): strength "must" or "should"; or never
    on them: "must-not" or "should-not". A breach for each VM on a wrong host.

    Passes: `{"kind": "affinity", "vms": ["db"], "hosts": ["esx01"]}` with db on esx01. Fails: db on esx02.

    Sources: VM-host affinity is hard on AHV (NTX-ADS), "must" or "should" in vSphere's DRS groups.
    """

    kind: Literal["affinity"] = "affinity"
    strength: Literal["must", "should", "must-not", "should-not"] = "must"

    holds_after_loss: ClassVar[bool] = True

    @property
    def by_host(self) -> bool:
        return True

    def concerns(self, vm: Vm) -> bool:
        return self.names_vm(vm)

    def vm_key(self, vm: Vm) -> Hashable:
        return self.names_vm(vm)

    def host_key(self, host: Host) -> Hashable:
        return self._allows(host)

    def scene_key(self, scene: Scene, host: Host) -> Hashable:
        return ()

    def _allows(self, host: Host) -> bool:
        return self.names_host(host) != self.strength.endswith("not")

    def admits(self, cluster: Cluster, vm: Vm, host: Host) -> bool:
        return not self.names_vm(vm) or self._allows(host)

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int]:
        return lambda host: int(not self._allows(host))

    def encode(self, board: Board) -> None:
        for place in board.places:
            if not self._allows(place.host):
                board.at_most(((1, count) for vms, count in board.here(place) if self.names_vm(vms.vm)), 0)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        for name in hosts if hosts is not None else scene.cluster.hosts:
            if self._allows(scene.cluster.hosts[name]):
                continue
            for vm in [stand.vm for stand in scene.on(name) if self.names_vm(scene.cluster.vms[stand.vm])]:
                said = f"{name}: {vm} {self.strength.split('-')[0]} not run here"
                yield Breach(self.kind, (name, vm), 1, said, (vm,))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        said = "barred by its affinity" if self.strength.endswith("not") else "not in its affinity"
        return Reason(self.kind, stand.host, (said,), said)
