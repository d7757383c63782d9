"""Rule `stay`: running VMs that may not be touched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Literal

from placer_models.cluster import Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Rule, Vms
from placer_models.scene import Scene, Stand, stand_of


class Stay(Vms, Rule):
    """These VMs, where they run now, stay on their hosts with the GPUs and slots that they hold. A breach for each
    that does not.

    Passes: `{"kind": "stay", "vms": ["db"]}` and db is left alone. Fails: db is moved to make room.
    """

    kind: Literal["stay"] = "stay"

    @property
    def by_host(self) -> bool:
        return True

    def vm_key(self, vm: Vm) -> Hashable:
        return self.names_vm(vm)

    def concerns(self, vm: Vm) -> bool:
        return self.names_vm(vm)

    def pins(self, vm: Vm) -> bool:
        return self.names_vm(vm)

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int]:
        return lambda host: 0  # who stands nowhere is not kept anywhere

    def encode(self, board: Board) -> None:
        for vms, place, count in board.where():
            if vms.stands and not vms.fixed and self.names_vm(vms.vm) and vms.host in place.names:
                board.equal([(1, count)], len(vms.names))

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        for vm in self.members(scene.cluster):
            if vm.power == "on" and scene.of(vm.name) != ((was := stand_of(scene.cluster, vm)),):
                said = f"{vm.name} is to stay on {was.host} as it stands"
                yield Breach(self.kind, (vm.name,), 1, said, (vm.name,))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        said = f"{breach.subject[0]} is to stay where it is"
        return Reason(self.kind, stand.host, (said,), said)
