"""What hosts take of the VMs that start again after another is lost: what rule `reserve` knows of a cluster.

VMs that no rule tells apart are of one *kind*. What a host takes beside those who stand on it (a *site*) is asked of
the rules once for each handful of kinds and then known, for whichever host is lost; so the search itself
(`placer_models.rules.restarts`) is cheap. It says the same whenever it is asked about the same scene: tries are
counted, not timed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, compress, islice
from operator import is_, is_not

from placer_models.cluster import Cluster, Host, Vm
from placer_models.rules.rule import Rule
from placer_models.rules.seats import Holds, Seats
from placer_models.scene import Scene, Stand, stand_of
from placer_models.seating import seatings

MOST_SITES = 20_000
"""How many sites are kept."""

Some = tuple[int, ...]
"""Kinds of VMs in ascending order, each as often as it is meant."""


@dataclass
class Site:
    """A host with who stands on it, and what is known of the restarts that it takes beside them."""

    host: Host
    stands: tuple[Stand, ...]
    takes: dict[Some, tuple[Holds, ...] | None] = field(default_factory=lambda: {(): ()})
    """What VMs of these kinds would hold; None: they have no room together."""


def _size(vm: Vm) -> tuple[object, ...]:
    """Sorts the big VMs first."""
    return -sum(ask.count for ask in vm.gpus), -vm.memory_mib, -vm.cpu_milli, repr((vm.wants, vm.needs))


class Failover:
    """What can be said about the loss of hosts of a cluster, where these rules must hold after it and these VMs start
    again.

    What the snapshot itself breaks may be broken as much after a loss.
    """

    def __init__(self, cluster: Cluster, rules: Sequence[Rule], again: Callable[[Vm], bool]) -> None:
        self.cluster, self.again, self._rules = cluster, again, rules
        now = Scene.now(cluster)
        here = [rule for rule in rules if rule.by_host and rule.kind != "gpu"]  # seatings keep that one
        self._local = [(rule, {name: broken(rule, now, (name,)) for name in cluster.hosts}) for rule in here]
        """What each host breaks as it stands, and may break after a loss."""
        self._across = [(rule, broken(rule, now)) for rule in rules if not rule.by_host]
        self._names = tuple(cluster.hosts)
        self._at = {name: at for at, name in enumerate(self._names)}
        self._latest: dict[str, Site] = {}
        self._kinds: dict[int, tuple[Vm, int]] = {}
        self._numbers: dict[Hashable, int] = {}
        self._members: list[dict[str, Vm]] = []
        self._sites: dict[tuple[int, tuple[Stand, ...]], Site] = {}
        self._vms, self._hosts = dict(cluster.vms), dict(cluster.hosts)
        self.looked_again: list[str] = []
        """The hosts of which what they take was found to be another than before, one after the other."""
        self._there: defaultdict[str, dict[str, Vm]] = defaultdict(dict)
        for vm in cluster.vms.values():
            if vm.power == "on":
                self._there[str(vm.host)][vm.name] = vm
        self._tied = cache(lambda kind: any(rule.concerns(vm) for vm in self._one(kind) for rule, _ in self._across))
        for vm in sorted(filter(again, self._vms.values()), key=_size):  # so that the big kinds come first
            self.kind(vm.name)

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
            if old is not None and (self._key(old), self.again(old)) != (self._key(vm), self.again(vm)):
                others.extend(str(one.host) for one in (old, vm) if one.power == "on")
        for vm in was:
            self._kinds.pop(id(vm), None)
            for members in self._members:
                members.pop(vm.name, None)
        for vm in sorted(filter(self.again, now), key=_size):
            self.kind(vm.name)
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
        for name in hosts:
            self._latest.pop(name, None)
        for key in [key for key, site in self._sites.items() if site.host.name in hosts]:
            del self._sites[key]

    def akin(self, other: Failover) -> bool:
        """Whether the two share what they know."""
        return self._sites is other._sites

    def kind(self, name: str) -> int:
        """The number of a VM's kind."""
        vm = self.cluster.vms[name]
        known = self._kinds.get(id(vm))
        if known is None:
            number = self._numbers.setdefault(self._key(vm), len(self._numbers))
            if number == len(self._members):
                self._members.append({})
            self._members[number][name] = vm
            known = self._kinds[id(vm)] = vm, number
        return known[1]

    def _key(self, vm: Vm) -> Hashable:
        return tuple(rule.vm_key(vm) for rule in self._rules)

    def starts_again(self, name: str) -> bool:
        """Whether a VM is to start again."""
        return self.again(self.cluster.vms[name])

    def tied(self, kind: int) -> bool:
        """Whether a rule that looks across hosts concerns VMs of a kind."""
        return self._tied(kind)

    def _one(self, kind: int) -> list[Vm]:
        return list(self._members[kind].values())[:1]

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
        stands = tuple(scene.on(host.name))
        site = self._latest.get(host.name)
        if site is not None and site.host is host and site.stands == stands:
            return site  # which takes less than hashing all who stand there
        site = self._sites.get((id(host), stands))
        if site is None:
            if len(self._sites) >= MOST_SITES:
                self._sites.clear()
            site = self._sites[id(host), stands] = Site(host, stands)
        self._latest[host.name] = site
        return site

    def takes(self, scene: Scene, site: Site, some: Some) -> tuple[Holds, ...] | None:
        """What VMs of these kinds would hold, in their order, beside those on a host; None: they have no room."""
        if some not in site.takes:
            starting = [stand for stand in scene.on(site.host.name) if stand not in site.stands]
            with scene.lifted(*starting):
                site.takes[some] = self._taken(scene, site, some)
        return site.takes[some]

    def _taken(self, scene: Scene, site: Site, some: Some) -> tuple[Holds, ...] | None:
        first = self.takes(scene, site, some[:-1])
        (one,) = self._one(some[-1])
        if first is None or not all(rule.admits(self.cluster, one, site.host) for rule in self._rules):
            return None
        vms = self._some_vms(scene, site.host, some)
        if len(vms) < len(some) or not self._light_enough(scene, site.host, vms):
            return None
        with scene.trial(*(Stand(vm.name, site.host.name, holds) for vm, holds in zip(vms, first, strict=False))):
            holds = next(seatings(scene, vms[-1], site.host), None)
        if holds is not None:
            return (*first, holds)
        return Seats(scene, site.host, vms).found() if first else None

    def _some_vms(self, scene: Scene, host: Host, some: Some) -> list[Vm]:
        """VMs of these kinds, one for each, that do not stand on a host."""
        not_again = {stand.vm for stand in scene.on(host.name)}
        vms: list[Vm] = []
        for kind, count in Counter(some).items():
            others = (vm for name, vm in self._members[kind].items() if name not in not_again)
            vms.extend(islice(others, count))
            not_again.update(vm.name for vm in vms)  # a VM that is looked at as another is of two kinds
        return vms

    def _light_enough(self, scene: Scene, host: Host, vms: Sequence[Vm]) -> bool:
        """Whether all rules but that on GPUs let these VMs stand on a host together."""
        with scene.trial(*(Stand(vm.name, host.name) for vm in vms)):
            limits = [(rule, eased[host.name]) for rule, eased in self._local]
            return _kept(scene, limits, (host.name,), None)

    def legal_across(self, scene: Scene, stand: Stand) -> bool:
        """Whether the rules that look across hosts are kept with this stand in the scene."""
        return _kept(scene, self._across, (stand.host,), scene.cluster.vms[stand.vm])


def broken(rule: Rule, scene: Scene, hosts: Collection[str] | None = None) -> dict[tuple[str, ...], int]:
    """How much of a rule is broken in a scene (on these hosts only), by what it counts."""
    return {breach.subject: breach.amount for breach in rule.check(scene, hosts)}


def _kept(
    scene: Scene, limits: Sequence[tuple[Rule, Mapping[tuple[str, ...], int]]], hosts: Collection[str], vm: Vm | None
) -> bool:
    """Whether no rule (of those that concern the VM) is broken more on these hosts than it may be."""
    return all(
        breach.amount <= amounts.get(breach.subject, 0)
        for rule, amounts in limits
        if vm is None or rule.concerns(vm)
        for breach in rule.check(scene, hosts)
    )
