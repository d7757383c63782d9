"""Rule `resume`: who was suspended with vGPUs resumes on a host like the one on which that was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Literal

from placer_models.cluster import Cluster, Host, Vm
from placer_models.moving import slept, unresumable
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Rule
from placer_models.rules.standing import Standing
from placer_models.scene import Scene, Stand


class Resume(Standing, Rule):
    """A VM that the snapshot shows suspended, with vGPUs and the `host` on which it was suspended, resumes where a live
    migration from there could have gone: GPUs of the same model, ECC state and MIG layout, and the same version of the
    vGPU manager; on that host itself always. Where its `host` is not said, nothing is compared.

    Passes: suspended under manager 550.90, resumed under 550.90. Fails: resumed under 570.86, or with ECC on where it
    was off.

    Sources: NV5 5.3, NVC (board, ECC state, MIG layout), RH10 (versions of the manager).
    """

    kind: Literal["resume"] = "resume"

    def concerns(self, vm: Vm) -> bool:
        return slept(vm)

    def vm_key(self, vm: Vm) -> Hashable:
        return (vm.host, vm.wants, vm.needs) if self.concerns(vm) else None

    def host_key(self, host: Host) -> Hashable:
        return host.vgpu_manager, frozenset((gpu.make, gpu.ecc, gpu.sharings) for gpu in host.gpus)

    def scene_key(self, scene: Scene, host: Host) -> Hashable:
        return ()

    def admits(self, cluster: Cluster, vm: Vm, host: Host) -> bool:
        return unresumable(cluster, vm, host) is None

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int]:
        if not slept(vm):
            return lambda host: 0
        return lambda host: int(not self.admits(scene.cluster, vm, host))

    def encode(self, board: Board) -> None:
        cluster = board.scene.cluster
        for place in board.places:
            for vms, count in board.here(place):
                if self.concerns(vms.vm) and not self.admits(cluster, vms.vm, place.host):
                    board.at_most([(1, count)], 0)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        cluster = scene.cluster
        for name in hosts if hosts is not None else cluster.hosts:
            for stand in scene.on(name):
                vm = cluster.vms[stand.vm]
                refused = unresumable(cluster, vm, cluster.hosts[name])
                if refused:
                    said = f"{name}: {vm.name} was suspended on {vm.host}: {refused}"
                    yield Breach(self.kind, (name, vm.name), 1, said, (vm.name,))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        cluster = scene.cluster
        vm, host = cluster.vms[stand.vm], cluster.hosts[stand.host]
        said = f"suspended on {vm.host}: {unresumable(cluster, vm, host)}"
        return Reason(self.kind, stand.host, (said,), said)
