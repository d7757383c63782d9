"""Rule `limit`: how many VMs a host may have, or on how many hosts VMs may be (licences)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from placer_models.cluster import Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Hosts, Rule, Strength, Term, Vms
from placer_models.scene import Scene, Stand


class Limit(Vms, Hosts, Rule):
    """On each of these hosts (default: every host) at most `most_vms` of these VMs (default: every VM); on at most
    `most_hosts` of these hosts any of these VMs, as a licence by host allows.

    Passes: `{"kind": "limit", "most_vms": 30}` with 30 VMs on each host. Fails: 31 on one.
    """

    kind: Literal["limit"] = "limit"
    most_vms: int | None = Field(default=None, ge=0, le=10**6)
    most_hosts: int | None = Field(default=None, ge=0, le=10**6)
    strength: Strength = "must"

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.most_vms is None and self.most_hosts is None:
            raise ValueError("found neither, expected 'most_vms' or 'most_hosts'")
        return self

    holds_after_loss: ClassVar[bool] = True

    @property
    def by_host(self) -> bool:
        return self.most_hosts is None

    def concerns(self, vm: Vm) -> bool:
        return self.names_vm(vm)

    def vm_key(self, vm: Vm) -> Hashable:
        return self.names_vm(vm)

    def host_key(self, host: Host) -> Hashable:
        return self.names_host(host)

    def room(self, scene: Scene, host: Host) -> tuple[int] | None:
        if self.most_vms is None or self.most_hosts is not None:
            return None
        return (self.most_vms - self._count(scene, host) if self.names_host(host) else 10**9,)

    def takes(self, vm: Vm) -> tuple[int]:
        return (int(self.names_vm(vm)),)

    def _count(self, scene: Scene, host: Host) -> int:
        return sum(self.names_vm(scene.cluster.vms[stand.vm]) for stand in scene.on(host.name))

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int] | None:
        if self.most_hosts is None:
            return None
        members, hosts = self.members(scene.cluster), scene.cluster.hosts
        standing = {stand.host for member in members for stand in scene.of(member.name)}
        using = {name for name in standing if self.names_host(hosts[name])}
        full = len(using) >= self.most_hosts

        def added(host: Host) -> int:
            if not self.names_host(host):
                return 0
            too_many = self.most_vms is not None and self._count(scene, host) >= self.most_vms
            return too_many + (full and host.name not in using)

        return added

    def encode(self, board: Board) -> None:
        if self.most_vms is not None:
            for place in board.places:
                if self.names_host(place.host):
                    here = ((1, count) for vms, count in board.here(place) if self.names_vm(vms.vm))
                    board.at_most(here, self.most_vms * place.m)
        if self.most_hosts is not None:
            self._limit_hosts(board)

    def _limit_hosts(self, board: Board) -> None:
        members = {vm.name for vm in self.members(board.scene.cluster)}
        counts: dict[str, list[Term]] = {}
        sizes: dict[str, int] = {}
        for _, place, count in board.where(members):
            if self.names_host(place.host):
                counts.setdefault(place.host.name, []).append((1, count))
                sizes[place.host.name] = place.m
        used: list[Term] = []
        for name, terms in counts.items():
            now = any(stand.vm in members for stand in board.scene.on(name))
            licensed = board.integer(sizes[name], f"licence on {name}", int(now))
            board.at_most([*terms, (-len(members), licensed)], 0, eased=False)
            used.append((1, licensed))
        assert self.most_hosts is not None
        board.at_most(used, self.most_hosts)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        using: list[str] = []
        for name in scene.cluster.hosts if self.most_hosts is not None or hosts is None else hosts:
            if not self.names_host(scene.cluster.hosts[name]):
                continue
            vms = tuple(stand.vm for stand in scene.on(name) if self.names_vm(scene.cluster.vms[stand.vm]))
            if vms:
                using.append(name)
            if self.most_vms is not None and len(vms) > self.most_vms and (hosts is None or name in hosts):
                said = f"{name}: has {len(vms)} of these VMs, at most {self.most_vms} are allowed"
                yield Breach(self.kind, (name,), len(vms) - self.most_vms, said, vms)
        if self.most_hosts is not None and len(using) > self.most_hosts:
            said = f"{len(using)} hosts have these VMs ({', '.join(using)}), at most {self.most_hosts} may"
            yield Breach(self.kind, ("hosts",), len(using) - self.most_hosts, said)

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        if breach.subject == ("hosts",):
            said = f"these VMs may be on at most {self.most_hosts} hosts, and are already"
        else:
            said = f"has {self.most_vms} of these VMs, as many as it may"
        return Reason(self.kind, stand.host, (said,), said)
