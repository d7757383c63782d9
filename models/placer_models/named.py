"""Some hosts, or some VMs, as documents say them: by name, by label, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from placer_models.cluster import Cluster, Host, Labels, Vm
from placer_models.document import Document, Name


class Hosts(Document):
    """Some hosts, by name or by label (all of the labels); neither given: every host."""

    hosts: tuple[Name, ...] | None = None
    host_labels: Labels | None = None

    def names_host(self, host: Host) -> bool:
        """Whether this host is among them."""
        if self.hosts is not None and host.name not in self.hosts:
            return False
        return all(host.labels.get(key) == value for key, value in (self.host_labels or {}).items())


class Vms(Document):
    """Some VMs, by name or by label (all of the labels); neither given: every VM."""

    vms: tuple[Name, ...] | None = None
    vm_labels: Labels | None = None

    def names_vm(self, vm: Vm) -> bool:
        """Whether this VM is among them."""
        if self.vms is not None and vm.name not in self.vms:
            return False
        return all(vm.labels.get(key) == value for key, value in (self.vm_labels or {}).items())

    def members(self, cluster: Cluster) -> Sequence[Vm]:
        """These VMs of a cluster, in its order; looked for once in each cluster."""
        key = self.vms, frozenset((self.vm_labels or {}).items())
        if key not in cluster.members:
            names = cluster.vms.keys() if self.vms is None else frozenset(self.vms)
            some = (vm for name, vm in cluster.vms.items() if name in names)
            cluster.members[key] = tuple(vm for vm in some if self.names_vm(vm))
        return cluster.members[key]


def renew_members(cluster: Cluster, was: Vm | None, now: Vm | None) -> None:
    """Keep what `Vms.members` found up to date where a VM of a cluster (`was`) is replaced, comes (None) or goes."""
    for key, found in cluster.members.items():
        names, labels = cast("tuple[tuple[str, ...] | None, frozenset[tuple[str, str]]]", key)
        name = now.name if now is not None else was.name if was is not None else ""
        if names is not None and name not in names:
            continue
        some = Vms(vms=names, vm_labels=dict(labels))
        kept = tuple(vm for vm in found if vm is not was)
        if now is None or not some.names_vm(now):
            cluster.members[key] = kept
        elif len(kept) < len(found):
            cluster.members[key] = tuple(now if vm is was else vm for vm in found)
        else:
            cluster.members[key] = (*found, now)
