"""What rule `reserve` knows of a cluster, kept while hosts and VMs change: which VMs are of one kind
(`placer_models.rules.failover_kinds`), and what hosts take of them (`placer_models.rules.failover_sites`); so the
search itself (`placer_models.rules.restarts`) is cheap. It says the same whenever it is asked about the same scene:
tries are counted, not timed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import chain, compress
from operator import is_, is_not

from placer_models.cluster import Cluster, Host, Vm
from placer_models.rules.failover_kinds import Kinds, Some
from placer_models.rules.failover_sites import Site, Sites, kept
from placer_models.rules.rule import Rule
from placer_models.rules.seats import Holds
from placer_models.scene import Scene, Stand, stand_of


class Failover:
    """What can be said about the loss of hosts of a cluster, where these rules must hold after it and these VMs start
    again.

    What the snapshot itself breaks may be broken as much after a loss.
    """

    def __init__(self, cluster: Cluster, rules: Sequence[Rule], again: Callable[[Vm], bool]) -> None:
        self.cluster, self.again = cluster, again
        now = Scene.now(cluster)
        here = [rule for rule in rules if rule.by_host and rule.kind != "gpu"]  # seatings keep that one
        self._local = [(rule, {name: broken(rule, now, (name,)) for name in cluster.hosts}) for rule in here]
        """What each host breaks as it stands, and may break after a loss."""
        self._across = [(rule, broken(rule, now)) for rule in rules if not rule.by_host]
        self._names = tuple(cluster.hosts)
        self._at = {name: at for at, name in enumerate(self._names)}
        self._kinds = Kinds(rules, again)
        self._sites = Sites(rules, self._kinds, self._local)
        self._vms, self._hosts = dict(cluster.vms), dict(cluster.hosts)
        self.looked_again: list[str] = []
        """The hosts of which what they take was found to be another than before, one after the other."""
        self._there: defaultdict[str, dict[str, Vm]] = defaultdict(dict)
        for vm in cluster.vms.values():
            if vm.power == "on":
                self._there[str(vm.host)][vm.name] = vm
        self._tied = cache(self._concerned)
        self._kinds.take(cluster.vms.values())

    def of(self, cluster: Cluster) -> Failover | None:
        """The same for a cluster that differs in one host or VM only, by what is known of this one; and for this one
        where hosts and VMs have changed meanwhile, or VMs come or gone. None: it differs in more.
        """
        if cluster.vms is not self.cluster.vms and cluster.hosts is not self.cluster.hosts:
            return None
        if not self._renewed():
            return None
        if cluster is self.cluster:
            return self
        other = copy(self)
        other.cluster = cluster
        return other

    def _renewed(self) -> bool:
        """Take in the hosts and VMs whose documents are others than before; False: there are other hosts."""
        hosts, vms = self.cluster.hosts, self.cluster.vms
        if hosts.keys() != self._hosts.keys():
            return False
        others = list(compress(hosts, map(is_not, hosts.values(), map(self._hosts.get, hosts))))
        same_vms = len(vms) == len(self._vms) and all(map(is_, vms.values(), self._vms.values()))
        if same_vms and not others:
            return True
        now = list(compress(vms.values(), map(is_not, vms.values(), map(self._vms.get, vms))))
        was = [self._vms[name] for name in self._vms.keys() - (vms.keys() - {vm.name for vm in now})]
        for vm in now:
            old = self._vms.get(vm.name)
            if old is not None and not self._kinds.alike(old, vm):
                others.extend(str(one.host) for one in (old, vm) if one.power == "on")
        for vm in was:
            self._kinds.forget(vm)
        self._kinds.take(now)
        relabelled = any(self._hosts[name].labels != hosts[name].labels for name in others)
        self._vms, self._hosts = dict(vms), dict(hosts)
        gone, come = ([vm for vm in some if vm.power == "on"] for some in (was, now))
        self._look_again(gone, come, set(others), across=relabelled)
        return True

    def _look_again(self, gone: Sequence[Vm], come: Sequence[Vm], others: set[str], *, across: bool) -> None:
        """See what may be broken after a loss where these VMs stood, or stand, and on hosts that have changed."""
        for vm in gone:
            del self._there[str(vm.host)][vm.name]
        for vm in come:
            self._there[str(vm.host)][vm.name] = vm
        touched = {*others, *(str(vm.host) for vm in (*gone, *come))}
        hosts = {name: host for name, host in self.cluster.hosts.items() if name in touched}
        there = (vm for name in hosts for vm in self._there[name].values())
        now = Scene(replace(self.cluster, hosts=hosts), (stand_of(self.cluster, vm) for vm in there))
        for rule, eased in self._local:
            for name in hosts:
                may = broken(rule, now, (name,))
                if may != eased[name]:
                    eased[name] = may
                    others.add(name)
        self._forget(others)
        if across or any(rule.concerns(vm) for rule, _ in self._across for vm in (*gone, *come)):
            now = Scene.now(self.cluster)
            self._across[:] = [(rule, broken(rule, now)) for rule, _ in self._across]

    def _forget(self, hosts: Collection[str]) -> None:
        """What these hosts take is to be asked again."""
        if not hosts:
            return
        self.looked_again.extend(name for name in self._names if name in hosts)
        self._sites.forget(hosts)

    def akin(self, other: Failover) -> bool:
        """Whether the two share what they know."""
        return self._sites is other._sites

    def kind(self, name: str) -> int:
        """The number of a VM's kind."""
        return self._kinds.number(self.cluster.vms[name])

    def starts_again(self, name: str) -> bool:
        """Whether a VM is to start again."""
        return self.again(self.cluster.vms[name])

    def tied(self, kind: int) -> bool:
        """Whether a rule that looks across hosts concerns VMs of a kind."""
        return self._tied(kind)

    def _concerned(self, kind: int) -> bool:
        vm = self._kinds.one(kind)
        return vm is not None and any(rule.concerns(vm) for rule, _ in self._across)

    def concerned_across(self, vm: str) -> bool:
        """Whether such a rule concerns a VM, whether or not it is to start again."""
        return any(rule.concerns(self.cluster.vms[vm]) for rule, _ in self._across)

    def others(self, scene: Scene, lost: str) -> Iterator[Host]:
        """The hosts on which VMs may start again, from the one after the lost on: so that each takes a few of some."""
        at, hosts = self._at[lost], scene.cluster.hosts
        for name in chain(self._names[at + 1 :], self._names[:at]):
            if (host := hosts[name]).state == "up":
                yield host

    # what a host takes

    def site(self, scene: Scene, host: Host) -> Site:
        """A host as it stands in a scene."""
        return self._sites.at(scene, host)

    def admits(self, scene: Scene, host: Host, kind: int) -> bool:
        """Whether a host admits VMs of a kind, whoever stands there."""
        return self._sites.admits(scene, host, kind)

    def takes(self, scene: Scene, site: Site, some: Some) -> tuple[Holds, ...] | None:
        """What VMs of these kinds would hold, in their order, beside those on a host; None: they have no room."""
        return self._sites.takes(scene, site, some)

    def legal_across(self, scene: Scene, stand: Stand) -> bool:
        """Whether the rules that look across hosts are kept with this stand in the scene."""
        return kept(scene, self._across, (stand.host,), scene.cluster.vms[stand.vm])


def broken(rule: Rule, scene: Scene, hosts: Collection[str] | None = None) -> dict[tuple[str, ...], int]:
    """How much of a rule is broken in a scene (on these hosts only), by what it counts."""
    return {breach.subject: breach.amount for breach in rule.check(scene, hosts)}
