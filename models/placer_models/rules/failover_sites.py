"""What hosts take of VMs that start again, beside those who stand on them: asked of the rules once and then known, for
whichever host is lost.

What GPUs seat is known for all hosts whose GPUs are alike and hold the same; which kinds of VMs a host admits, for all
hosts that no rule tells apart; amounts (CPUs, memory, numbers of VMs) are compared as numbers. The rules are asked
about what passes all that.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer_models.cluster import Host, Vm
from placer_models.rules.failover_kinds import Kinds, Some
from placer_models.rules.rule import Rule
from placer_models.rules.seats import Holds, Seats
from placer_models.scene import Scene, Stand
from placer_models.seating import seatings

MOST_SITES = 20_000
"""How many sites are kept."""

Amounts = Mapping[tuple[str, ...], int]
"""How much of a rule is broken, by what it counts."""


@dataclass
class _Seated:
    """What is known of GPUs that are alike and hold the same: a host that has such, and what VMs would hold there, by
    the numbers of what they ask for; None: they have no seats together.
    """

    host: Host
    holds: dict[tuple[int, ...], tuple[Holds, ...] | None] = field(default_factory=lambda: {(): ()})


@dataclass
class Site:
    """A host with who stands on it, and what is known of the restarts that it takes beside them: what VMs of some kinds
    would hold (None: they have no room together), and what is left of amounts with them there.
    """

    host: Host
    stands: tuple[Stand, ...]
    make: int
    seated: _Seated
    counted: Sequence[int]
    asked: Sequence[tuple[Rule, Amounts]]
    left: dict[Some, list[tuple[int, ...]]]
    takes: dict[Some, tuple[Holds, ...] | None] = field(default_factory=lambda: {(): ()})


class Sites:
    """The sites of a cluster's hosts. `local` are the rules (but that on GPUs) that look at one host at a time, each
    with what may be broken of it on each host.
    """

    def __init__(
        self, rules: Sequence[Rule], kinds: Kinds, local: Sequence[tuple[Rule, Mapping[str, Amounts]]]
    ) -> None:
        self._rules, self._kinds, self._local = rules, kinds, local
        self._gpu = next((rule for rule in rules if rule.kind == "gpu"), None)
        self._latest: dict[str, Site] = {}
        self._sites: dict[tuple[int, tuple[Stand, ...]], Site] = {}
        self._seated: dict[Hashable, _Seated] = {}
        self._makes: dict[Hashable, int] = {}
        self._admits: dict[tuple[int, int], bool] = {}
        self._takes: dict[tuple[int, int], tuple[int, ...]] = {}
        self._asks: dict[int, int] = {}
        self._numbers: dict[Hashable, int] = {}

    def at(self, scene: Scene, host: Host) -> Site:
        """A host as it stands in a scene."""
        stands = tuple(scene.on(host.name))
        site = self._latest.get(host.name)
        if site is not None and site.host is host and site.stands == stands:
            return site  # which takes less than hashing all who stand there
        site = self._sites.get((id(host), stands))
        if site is None:
            if len(self._sites) >= MOST_SITES:
                self._sites.clear()
                self._seated.clear()
            site = self._sites[id(host), stands] = self._new(scene, host, stands)
        self._latest[host.name] = site
        return site

    def _new(self, scene: Scene, host: Host, stands: tuple[Stand, ...]) -> Site:
        limits = [(rule, eased[host.name]) for rule, eased in self._local]
        rooms = {at: room for at, (rule, may) in enumerate(limits) if not may and (room := rule.room(scene, host))}
        counted = [at for at, room in rooms.items() if all(left >= 0 for left in room)]
        asked = [limit for at, limit in enumerate(limits) if at not in counted]
        make = self._makes.setdefault(tuple(rule.host_key(host) for rule in self._rules), len(self._makes))
        left = {(): [rooms[at] for at in counted]}
        return Site(host, stands, make, self._seated_on(scene, host), counted, asked, left)

    def _seated_on(self, scene: Scene, host: Host) -> _Seated:
        if self._gpu is None:
            return _Seated(host)
        key = self._gpu.host_key(host), self._gpu.scene_key(scene, host)
        return self._seated.setdefault(key, _Seated(host))

    def forget(self, hosts: Collection[str]) -> None:
        """What these hosts take is to be asked again."""
        for name in hosts:
            self._latest.pop(name, None)
        for key in [key for key, site in self._sites.items() if site.host.name in hosts]:
            del self._sites[key]

    def takes(self, scene: Scene, site: Site, some: Some) -> tuple[Holds, ...] | None:
        """What VMs of these kinds would hold, in their order, beside those on a host; None: they have no room."""
        if some not in site.takes:
            stands = tuple(scene.on(site.host.name))
            starting = () if stands == site.stands else (stand for stand in stands if stand not in site.stands)
            with scene.lifted(*starting):
                site.takes[some] = self._taken(scene, site, some)
        return site.takes[some]

    def _taken(self, scene: Scene, site: Site, some: Some) -> tuple[Holds, ...] | None:
        first = self.takes(scene, site, some[:-1])
        if first is None or not self._admitted(scene, site, some[-1]) or self._too_much(site, some):
            return None
        asks, seated = tuple(map(self._ask, some)), site.seated
        if seated.holds.get(asks, ()) is None:
            return None
        vms = self._kinds.vms(some, {stand.vm for stand in site.stands})
        if len(vms) < len(some):
            return None
        if asks not in seated.holds:
            seated.holds[asks] = _renamed(_seats(scene, site.host, vms, first), site.host, seated.host)
        holds = _renamed(seated.holds[asks], seated.host, site.host)
        return holds if holds is not None and self._light_enough(scene, site, some, vms) else None

    def _admitted(self, scene: Scene, site: Site, kind: int) -> bool:
        """Whether a host admits VMs of a kind, whoever else is there."""
        found = self._admits.get((site.make, kind))
        if found is None:
            vm = self._any(kind)
            found = all(rule.admits(scene.cluster, vm, site.host) for rule in self._rules)
            self._admits[site.make, kind] = found
        return found

    def _too_much(self, site: Site, some: Some) -> bool:
        """Whether the last of these takes more of an amount than the others leave."""
        for at, left in zip(site.counted, site.left[some[:-1]], strict=True):
            for take, room in zip(self._taking(at, some[-1]), left, strict=True):
                if 0 < take > room:
                    return True
        return False

    def _taking(self, at: int, kind: int) -> tuple[int, ...]:
        found = self._takes.get((at, kind))
        if found is None:
            found = self._takes[at, kind] = self._local[at][0].takes(self._any(kind))
        return found

    def _ask(self, kind: int) -> int:
        """The number of what VMs of a kind ask for of GPUs."""
        found = self._asks.get(kind)
        if found is None:
            vm = self._any(kind)
            found = self._asks[kind] = self._numbers.setdefault((vm.wants, vm.needs), len(self._numbers))
        return found

    def _any(self, kind: int) -> Vm:
        vm = self._kinds.one(kind)
        assert vm is not None, f"there is no VM of kind {kind}"
        return vm

    def _light_enough(self, scene: Scene, site: Site, some: Some, vms: Iterable[Vm]) -> bool:
        """Whether the rules that do not count amounts let these VMs stand on a host together; if so, what they leave of
        amounts is known from then on.
        """
        host = site.host
        with scene.trial(*(Stand(vm.name, host.name) for vm in vms)):
            if not kept(scene, site.asked, (host.name,), None):
                return False
            rooms = (self._local[at][0].room(scene, host) for at in site.counted)
            site.left[some] = [room or () for room in rooms]
        return True


def _seats(scene: Scene, host: Host, vms: Sequence[Vm], first: tuple[Holds, ...]) -> tuple[Holds, ...] | None:
    """What VMs would hold of a host's GPUs, of which all but the last would hold this."""
    with scene.trial(*(Stand(vm.name, host.name, holds) for vm, holds in zip(vms, first, strict=False))):
        holds = next(seatings(scene, vms[-1], host), None)
    if holds is not None:
        return (*first, holds)
    return Seats(scene, host, vms).found() if first else None


def _renamed(holds: tuple[Holds, ...] | None, of: Host, to: Host) -> tuple[Holds, ...] | None:
    """What is held of one host's GPUs, on another with GPUs like those."""
    if holds is None or of is to:
        return holds
    ids = {one.id: other.id for one, other in zip(of.gpus, to.gpus, strict=True)}
    return tuple(tuple(replace(hold, gpu=ids[hold.gpu]) for hold in some) for some in holds)


def kept(scene: Scene, limits: Iterable[tuple[Rule, Amounts]], hosts: Collection[str] | None, vm: Vm | None) -> bool:
    """Whether no rule (of those that concern the VM) is broken more on these hosts than it may be."""
    return all(
        breach.amount <= amounts.get(breach.subject, 0)
        for rule, amounts in limits
        if vm is None or rule.concerns(vm)
        for breach in rule.check(scene, hosts)
    )
