"""Rule `apart`: VMs that are not to share a host, or a rack, or whatever a label names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import ClassVar, Literal

from placer_models.cluster import Host, Vm
from placer_models.document import Name
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Rule, Strength, Term, Vms
from placer_models.scene import Scene, Stand


class Apart(Vms, Rule):
    """No two of these VMs are on one host, or on hosts with the same value of the label `by`. A host without the
    label is by itself. A breach for each VM beyond the first.

    Passes: `{"kind": "apart", "vms": ["dc1", "dc2"], "by": "rack"}` with dc1 on rack r1 and dc2 on r2. Fails: both on
    r1.

    Sources: VM-VM anti-affinity (vSphere DRS); a preference on AHV (NTX-ADS), so `strength` may be "should".
    """

    kind: Literal["apart"] = "apart"
    by: Name = "host"
    strength: Strength = "must"

    holds_after_loss: ClassVar[bool] = True

    @property
    def by_host(self) -> bool:
        return self.by == "host"

    def concerns(self, vm: Vm) -> bool:
        return self.names_vm(vm)

    def vm_key(self, vm: Vm) -> Hashable:
        return self.names_vm(vm)

    def host_key(self, host: Host) -> Hashable:
        return None if self.by == "host" else self._domain(host)

    def _domain(self, host: Host) -> tuple[str, str]:
        return (self.by, host.labels[self.by]) if self.by in host.labels else ("host", host.name)

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int]:
        hosts = scene.cluster.hosts
        taken = {self._domain(hosts[at.host]) for one in self.members(scene.cluster) for at in scene.of(one.name)}
        return lambda host: int(self._domain(host) in taken)

    def encode(self, board: Board) -> None:
        vms = {vm.name for vm in self.members(board.scene.cluster)}
        domains: dict[tuple[str, str], list[Term]] = defaultdict(list)
        sizes: dict[tuple[str, str], int] = {}
        for _, place, count in board.where(vms):
            domain = self._domain(place.host)
            domains[domain].append((1, count))
            sizes[domain] = place.m if domain[0] == "host" else 1
        for domain, terms in domains.items():
            board.at_most(terms, sizes[domain])

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        changed = None if hosts is None else {self._domain(scene.cluster.hosts[name]) for name in hosts}
        domains: dict[tuple[str, str], list[str]] = defaultdict(list)
        for vm in self.members(scene.cluster):
            for stand in scene.of(vm.name):
                domains[self._domain(scene.cluster.hosts[stand.host])].append(vm.name)
        for domain, vms in domains.items():
            if len(vms) > 1 and (changed is None or domain in changed):
                said = f"{' '.join(domain)}: {', '.join(vms)} are to be apart by {self.by}"
                yield Breach(self.kind, domain, len(vms) - 1, said, tuple(vms))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        others = ", ".join(name for name in breach.vms if name != stand.vm)
        where = "here" if self.by == "host" else f"on this {self.by}"
        said = f"must be apart from {others}, which {'is' if len(breach.vms) == 2 else 'are'} {where}"
        return Reason(self.kind, stand.host, (said,), said)
