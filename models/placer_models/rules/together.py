"""Rule `together`: VMs that are to share a host, or a rack, or whatever a label names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Literal

from placer_models.cluster import Host, Vm
from placer_models.document import Name
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Rule, Strength, Term, Vms
from placer_models.scene import Scene, Stand


class Together(Vms, Rule):
    """Those of these VMs that run are on one host, or on hosts with the same value of the label `by`. A host without
    the label is by itself. A breach for each host (or value) beyond the first.

    Passes: `{"kind": "together", "vms": ["app", "cache"]}` with both on esx01. Fails: app on esx01, cache on esx02.

    Source: VM-VM affinity (vSphere DRS; BtrPlace's gather).
    """

    kind: Literal["together"] = "together"
    by: Name = "host"
    strength: Strength = "must"

    def concerns(self, vm: Vm) -> bool:
        return self.names_vm(vm)

    def vm_key(self, vm: Vm) -> Hashable:
        return self.names_vm(vm)

    def host_key(self, host: Host) -> Hashable:
        return self._domain(host)

    def _domain(self, host: Host) -> tuple[str, str]:
        return (self.by, host.labels[self.by]) if self.by in host.labels else ("host", host.name)

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int]:
        hosts = scene.cluster.hosts
        taken = {self._domain(hosts[at.host]) for one in self.members(scene.cluster) for at in scene.of(one.name)}
        return lambda host: int(bool(taken) and self._domain(host) not in taken)

    def encode(self, board: Board) -> None:
        vms = {vm.name for vm in self.members(board.scene.cluster)}
        now = {self._domain(board.scene.cluster.hosts[stand.host]) for vm in vms for stand in board.scene.of(vm)}
        domains: dict[tuple[str, str], list[Term]] = defaultdict(list)
        for _, place, count in board.where(vms):
            domains[self._domain(place.host)].append((1, count))
        used: list[Term] = []
        for domain, terms in domains.items():
            inside = board.integer(1, f"together on {' '.join(domain)}", int(domain in now))
            board.at_most([*terms, (-len(vms), inside)], 0, eased=False)
            used.append((1, inside))
        board.at_most(used, 1)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        domains: dict[tuple[str, str], list[str]] = defaultdict(list)
        for vm in self.members(scene.cluster):
            for stand in scene.of(vm.name):
                domains[self._domain(scene.cluster.hosts[stand.host])].append(vm.name)
        if len(domains) > 1:
            spread = "; ".join(f"{', '.join(vms)} on {domain[1]}" for domain, vms in domains.items())
            vms = tuple(name for names in domains.values() for name in names)
            said = f"{', '.join(vms)} are to be together by {self.by}: {spread}"
            yield Breach(self.kind, (self.by, *sorted(self._members(scene))), len(domains) - 1, said, vms)

    def _members(self, scene: Scene) -> list[str]:
        return [vm.name for vm in self.members(scene.cluster)]

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        here = self._domain(scene.cluster.hosts[stand.host])
        away = [
            other.vm
            for name in breach.vms
            for other in scene.of(name)
            if self._domain(scene.cluster.hosts[other.host]) != here
        ]
        others = ", ".join(dict.fromkeys(away))
        said = f"must be together with {others}, which {'is' if len(away) == 1 else 'are'} not here"
        return Reason(self.kind, stand.host, (said,), said)
