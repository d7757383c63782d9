"""What rules and goals tell apart in a cluster: kinds of VMs, kinds of hosts, who may stand where. Worked out once,
used by every board of a search.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

from placer_models.cluster import Cluster, Vm
from placer_models.goals.goal import Goal
from placer_models.moving import unreachable
from placer_models.rules.rule import Rule, Vms
from placer_models.scene import Scene, Stand


class Survey:
    """Numbers for what is alike: two VMs (or hosts) have the same number where no rule and no goal tells them apart."""

    def __init__(self, cluster: Cluster, rules: Sequence[Rule], goals: Sequence[Goal]) -> None:
        self.cluster, self.rules, self.goals = cluster, rules, goals
        self._vms: dict[str, int] = {}
        self._hosts: dict[str, int] = {}
        self._vm_numbers: dict[Hashable, int] = {}
        self._host_numbers: dict[Hashable, int] = {}
        self._admitted: dict[tuple[int, int], bool] = {}

    def vm(self, name: str) -> int:
        """The number of a VM's kind."""
        if name not in self._vms:
            vm = self.cluster.vms[name]
            key = (*(rule.vm_key(vm) for rule in self.rules), *(goal.vm_key(vm) for goal in self.goals))
            self._vms[name] = self._vm_numbers.setdefault(key, len(self._vm_numbers))
        return self._vms[name]

    def host(self, name: str) -> int:
        """The number of a host's kind, whatever stands on it."""
        if name not in self._hosts:
            key = tuple(rule.host_key(self.cluster.hosts[name]) for rule in self.rules)
            self._hosts[name] = self._host_numbers.setdefault(key, len(self._host_numbers))
        return self._hosts[name]

    def admits(self, vm: str, host: str) -> bool:
        """Whether every rule that must hold lets the VM stand on the host at all."""
        key = (self.vm(vm), self.host(host))
        if key not in self._admitted:
            one, other = self.cluster.vms[vm], self.cluster.hosts[host]
            self._admitted[key] = all(rule.soft or rule.admits(self.cluster, one, other) for rule in self.rules)
        return self._admitted[key]

    def reaches(self, stands: Sequence[Stand], host: str) -> bool:
        """Whether VMs that stand so can be moved to a host; those that stand nowhere can be started anywhere."""
        return not stands or unreachable(self.cluster, stands[0], self.cluster.hosts[host]) is None

    def waiting(self, asked: Mapping[str, int], names: Collection[str]) -> list[tuple[str, ...]]:
        """These VMs, grouped by kind and priority, in the order in which they are first named."""
        groups: dict[tuple[int, int], list[str]] = {}
        for name in names:
            groups.setdefault((self.vm(name), asked[name]), []).append(name)
        return [tuple(group) for group in groups.values()]

    def alike(self, scene: Scene, hosts: Collection[str]) -> list[list[str]]:
        """These hosts, grouped so that within a group nothing tells one from another: neither its kind nor what stands
        on which of its GPUs.
        """
        groups: dict[Hashable, list[str]] = {}
        for name in hosts:
            groups.setdefault((self.host(name), self._content(scene, name)), []).append(name)
        return list(groups.values())

    def _content(self, scene: Scene, host: str) -> Hashable:
        at = {gpu.id: i for i, gpu in enumerate(self.cluster.hosts[host].gpus)}
        return tuple(
            sorted(
                (self.vm(stand.vm), tuple((at.get(h.gpu, -1), h.sharing, h.slot or 0) for h in stand.holds))
                for stand in scene.on(host)
            )
        )


def transferred(cluster: Cluster, stand: Stand, vm: str, host: str) -> Stand:
    """The stand of another VM on another host that is alike: the same GPUs by their place on the host."""
    if not stand.holds or host == stand.host:
        return Stand(vm, host, stand.holds)
    at = {gpu.id: i for i, gpu in enumerate(cluster.hosts[stand.host].gpus)}
    gpus = cluster.hosts[host].gpus
    moved = tuple(
        type(hold)(gpus[at[hold.gpu]].id, hold.sharing, hold.profile, hold.slot, hold.milli) for hold in stand.holds
    )
    return Stand(vm, host, moved)


def tying(rules: Sequence[Rule], vms: Sequence[Vm]) -> list[Rule]:
    """The rules that tie some of these VMs together across hosts: what one host holds matters on another."""
    return [
        rule
        for rule in rules
        if not rule.by_host and (not isinstance(rule, Vms) or any(rule.names_vm(vm) for vm in vms))
    ]
