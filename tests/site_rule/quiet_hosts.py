"""A site's own rule: some hosts get few new VMs at a time."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Literal

from pydantic import Field

from placer_models.cluster import Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Hosts, Rule
from placer_models.scene import Scene, Stand


class QuietHosts(Hosts, Rule):
    """Each of these hosts gets at most `most` VMs that do not run on it now, started or moved. A breach for each more.

    Passes: `{"kind": "quiet-hosts", "hosts": ["esx01"]}` with one VM started on esx01. Fails: two of them.
    """

    kind: Literal["quiet-hosts"] = "quiet-hosts"
    most: int = Field(default=1, ge=0)

    def vm_key(self, vm: Vm) -> Hashable:
        return vm.host if vm.power == "on" else None

    def host_key(self, host: Host) -> Hashable:
        return self.names_host(host)

    def encode(self, board: Board) -> None:
        for place in board.places:
            if self.names_host(place.host):
                new = ((1, count) for vms, count in board.here(place) if self.vm_key(vms.vm) not in place.names)
                board.at_most(new, self.most * place.m)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        for name in scene.cluster.hosts if hosts is None else hosts:
            if self.names_host(scene.cluster.hosts[name]):
                new = [stand.vm for stand in scene.on(name) if self.vm_key(scene.cluster.vms[stand.vm]) != name]
                if len(new) > self.most:
                    said = f"{name}: {', '.join(new)} are new here, at most {self.most} may be"
                    yield Breach(self.kind, (name,), len(new) - self.most, said, tuple(new))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        said = f"is quiet, and has its {self.most} new already"
        return Reason(self.kind, stand.host, (said,), said)
