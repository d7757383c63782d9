"""What hosts take of VMs that start again, beside those who stand on them: asked of the rules once and then known, for
whichever host is lost.

What GPUs seat is known for all hosts whose GPUs are alike and hold the same; which kinds of VMs a host admits, for all
hosts that no rule tells apart; amounts (CPUs, memory, numbers of VMs) are compared as numbers. The rules are asked
about what passes all that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer_models.cluster import Host, Vm
from placer_models.rules.failover_kinds import Kinds, Some
from placer_models.rules.failover_seats import Row, Seated, SeatFinder
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
    the numbers of what they ask for; None: they have no seats together. `by_state` are those that were found by states.
    """

    host: Host
    row: Row
    holds: dict[tuple[int, ...], tuple[Holds, ...] | None] = field(default_factory=lambda: {(): ()})
    by_state: dict[tuple[int, ...], Seated] = field(default_factory=dict)


@dataclass
class Site:
    """A host with who stands on it, and what is known of the restarts that it takes beside them: what VMs of some kinds
    would hold (None: they have no room together), and what is left of amounts with them there.
    """

    host: Host
    stands: tuple[Stand, ...]
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
        self._finder = SeatFinder()
        self._seen = any(rule.kind == "gpu" for rule in rules)
        """Whether a rule tells hosts apart by their GPUs."""
        self._latest: dict[str, Site] = {}
        self._sites: dict[tuple[int, tuple[Stand, ...]], Site] = {}
        self._seated: dict[Hashable, _Seated] = {}
        self._makes: dict[Hashable, int] = {}
        self._made: dict[str, tuple[Host, int]] = {}
        self._admits: defaultdict[int, dict[int, bool]] = defaultdict(dict)
        self._takes: dict[tuple[int, int], tuple[int, ...]] = {}
        self._items: dict[int, int] = {}

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
                self._finder.forget()
            site = self._sites[id(host), stands] = self._new(scene, host, stands)
        self._latest[host.name] = site
        return site

    def _new(self, scene: Scene, host: Host, stands: tuple[Stand, ...]) -> Site:
        limits = [(rule, eased[host.name]) for rule, eased in self._local]
        rooms = {at: room for at, (rule, may) in enumerate(limits) if not may and (room := rule.room(scene, host))}
        counted = [at for at, room in rooms.items() if all(left >= 0 for left in room)]
        asked = [limit for at, limit in enumerate(limits) if at not in counted]
        left: dict[Some, list[tuple[int, ...]]] = {(): [rooms[at] for at in counted]}
        return Site(host, stands, self._seated_on(scene, host), counted, asked, left)

    def _make(self, host: Host) -> int:
        """The number of hosts that no rule tells apart."""
        known = self._made.get(host.name)
        if known is None or known[0] is not host:
            make = self._makes.setdefault(tuple(rule.host_key(host) for rule in self._rules), len(self._makes))
            known = self._made[host.name] = host, make
        return known[1]

    def _seated_on(self, scene: Scene, host: Host) -> _Seated:
        row = self._finder.row(scene, host)
        key = self._make(host) if self._seen else host.name, row
        known = self._seated.get(key)
        if known is None:
            known = self._seated[key] = _Seated(host, row, by_state={(): ((), row)})
        return known

    def forget(self, hosts: Collection[str]) -> None:
        """What these hosts take is to be asked again."""
        for name in hosts:
            self._latest.pop(name, None)
        for key in [key for key, site in self._sites.items() if site.host.name in hosts]:
            del self._sites[key]

    def admits(self, scene: Scene, host: Host, kind: int) -> bool:
        """Whether a host admits VMs of a kind, whoever stands there."""
        known = self._admits[self._make(host)]
        found = known.get(kind)
        if found is None:
            vm = self._any(kind)
            found = known[kind] = all(rule.admits(scene.cluster, vm, host) for rule in self._rules)
        return found

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
        if first is None or not self.admits(scene, site.host, some[-1]) or self._too_much(site, some):
            return None
        holds = self._holds(scene, site, some, first)
        return holds if holds is not None and self._light_enough(scene, site, some) else None

    def _holds(self, scene: Scene, site: Site, some: Some, first: tuple[Holds, ...]) -> tuple[Holds, ...] | None:
        """What VMs of these kinds would hold of a host's GPUs, of which all but the last would hold this."""
        seated, asked = site.seated, tuple(self._item(scene, kind) for kind in some)
        if asked in seated.holds:
            pass
        elif asked[:-1] in seated.by_state and self._finder.simple(asked[-1]):
            found = self._finder.beside(scene.cluster, seated.by_state[asked[:-1]], seated.row, asked)
            if found is not None:
                seated.by_state[asked] = found
            seated.holds[asked] = None if found is None else self._finder.holds(seated.host, found[0], asked)
        else:
            vms = self._vms(site, some)
            if vms is None:
                return None
            seated.holds[asked] = _renamed(_seats(scene, site.host, vms, first), site.host, seated.host)
        return _renamed(seated.holds[asked], seated.host, site.host)

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

    def _vms(self, site: Site, some: Some) -> list[Vm] | None:
        """VMs of these kinds that do not stand on a host; None: there are not so many."""
        vms = self._kinds.vms(some, {stand.vm for stand in site.stands})
        return vms if len(vms) == len(some) else None

    def _item(self, scene: Scene, kind: int) -> int:
        """The number of what VMs of a kind ask for of GPUs."""
        found = self._items.get(kind)
        if found is None:
            found = self._items[kind] = self._finder.item(scene.cluster, self._any(kind))
        return found

    def _any(self, kind: int) -> Vm:
        vm = self._kinds.one(kind)
        assert vm is not None, f"there is no VM of kind {kind}"
        return vm

    def _light_enough(self, scene: Scene, site: Site, some: Some) -> bool:
        """Whether the rules that do not count amounts let VMs of these kinds stand on a host together; if so, what they
        leave of amounts is known from then on.
        """
        host, vms = site.host, self._vms(site, some)
        if vms is None:
            return False
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
