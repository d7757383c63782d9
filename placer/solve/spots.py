"""Where VMs may stand on a board: its places, its classes of VMs, and an unknown for each class on each place.

VMs that no rule tells apart are one class; those that may move are alike wherever they stand (`placer.solve.movers`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np

from placer.solve.conditions import Conditions
from placer.solve.figures import roomy
from placer.solve.movers import Movers
from placer.solve.survey import Survey
from placer.warm.columns import Columns
from placer_models.cluster import Host, Vm
from placer_models.moving import reach_key
from placer_models.rules.rule import Place, Rule, Var, VmClass, Vms
from placer_models.scene import Scene, Stand


class Spots(Conditions):
    """The unknowns of a board that count VMs: `asked` VMs may be started, `movable` ones moved, all others are fixed.

    `groups` are the hosts about which something is decided, each group one place. With `figures` of the scene nothing
    is asked about VMs on hosts where they have no room anyhow. What rules may ask of it is said by
    `placer_models.rules.rule.Board`.
    """

    def __init__(
        self,
        scene: Scene,
        rules: Sequence[Rule],
        asked: Mapping[str, int],
        movable: Collection[str],
        groups: Sequence[Sequence[str]],
        survey: Survey,
        figures: Columns | None,
        most: int | None,
        over: Callable[[], bool],
    ) -> None:
        super().__init__(most, over)
        self._scene, self._rules, self._asked, self._survey, self._figures = scene, rules, asked, survey, figures
        self._make_places(groups)
        self._make_classes(movable)

    @property
    def scene(self) -> Scene:
        return self._scene

    @property
    def places(self) -> Sequence[Place]:
        return self._places

    @property
    def asked(self) -> Mapping[str, int]:
        return self._asked

    def here(self, place: Place) -> Sequence[tuple[VmClass, Var]]:
        return self._here.get(place.host.name, ())

    def where(self, vms: Collection[str] | None = None) -> Iterable[tuple[VmClass, Place, Var]]:
        for vm_class, spots in self._where:
            if vms is None or vm_class.names[0] in vms:
                for place, count in spots:
                    yield vm_class, place, count

    def elsewhere(self) -> Sequence[Host]:
        return self._elsewhere

    @property
    def survey(self) -> Survey:
        """What is alike in its cluster."""
        return self._survey

    def columns(self) -> Iterable[Place]:
        """The places of all hosts, also of those about which nothing is decided."""
        for host in self._elsewhere:
            self._column(host.name)
        return self._columns.values()

    # how it is made

    def _make_places(self, groups: Sequence[Sequence[str]]) -> None:
        hosts = self._scene.cluster.hosts
        self._places = [Place(hosts[names[0]], tuple(names)) for names in groups]
        self._columns = {name: place for place in self._places for name in place.names}
        self._live = frozenset(self._columns)
        index = {} if self._figures is None else self._figures.index
        self._numbers = np.array([index.get(place.host.name, -1) for place in self._places], dtype=np.int64)

    @cached_property
    def _elsewhere(self) -> list[Host]:
        return [host for host in self._scene.cluster.hosts.values() if host.name not in self._live]

    def _column(self, name: str) -> Place:
        """The place of a host, also of one about which nothing is decided."""
        if name not in self._columns:
            self._columns[name] = Place(self._scene.cluster.hosts[name], (name,))
        return self._columns[name]

    def _make_classes(self, movable: Collection[str]) -> None:
        cluster, survey = self._scene.cluster, self._survey
        groups: dict[Hashable, list[str]] = defaultdict(list)
        movers: dict[Hashable, list[Stand]] = defaultdict(list)
        stands: dict[str, Stand] = {}
        for name in self._seen():
            present = self._scene.of(name)
            if not present:
                if name in self._asked:
                    groups[(survey.vm(name), self._asked[name])].append(name)
            elif name in movable and present[0].host in self._live:
                movers[(survey.vm(name), reach_key(cluster, present[0]), self._like(present[0]))].append(present[0])
            else:
                stands[name] = present[0]
                groups[(survey.vm(name), self._column(present[0].host).host.name, "fixed")].append(name)
        self._here: dict[str, list[tuple[VmClass, Var]]] = defaultdict(list)
        self._where: list[tuple[VmClass, list[tuple[Place, Var]]]] = []
        self._movers: list[Movers] = []
        for names in groups.values():
            present = tuple(stands[name] for name in names if name in stands)
            self._spread(VmClass(cluster.vms[names[0]], tuple(names), present, bool(present)))
        for alike in movers.values():
            self._set_moving(alike)

    def _seen(self) -> Iterable[str]:
        """The VMs that matter: those asked for, those on the hosts that are decided about, and of the others those that
        a rule could tie to them.
        """
        tying = [rule for rule in self._rules if not rule.by_host]
        named = [cast(Vms, rule) for rule in tying if isinstance(rule, Vms)]
        if len(self._live) == len(self._scene.cluster.hosts) or len(named) < len(tying):
            return self._scene.cluster.vms
        names = dict.fromkeys(self._asked)
        for place in self._places:
            for name in place.names:
                names.update((stand.vm, None) for stand in self._scene.on(name))
        for some in named:
            names.update((vm.name, None) for vm in some.members(self._scene.cluster))
        return names

    def _like(self, stand: Stand) -> Hashable:
        """What else tells a VM that may move from others: several GPUs, which it must leave at once."""
        return stand.vm if len(stand.holds) > 1 else None

    def _spread(self, vms: VmClass) -> None:
        """Give a class its unknowns: one for each place where it may stand; fixed ones are plain numbers."""
        spots: list[tuple[Place, Var]] = []
        size, one = len(vms.names), vms.names[0]
        if vms.host is not None:
            spots.append((self._columns[vms.host], size))
        else:
            spots = [
                (place, self.integer(min(size, most), f"{one}@{place.host.name}"))
                for place, most in self._roomy(vms.vm, size)
                if self._survey.admits(one, place.host.name)
            ]
            if spots:
                self.at_most([(1, count) for _, count in spots], size, eased=False)
        self._seat(vms, spots)

    def _roomy(self, vm: Vm, size: int) -> Iterable[tuple[Place, int]]:
        """The places where VMs that start may have room, and for how many of so many there is at most."""
        if self._figures is None:
            return [(place, size) for place in self._places]
        left = set(roomy(self._figures, vm, self._numbers).tolist())
        numbers = zip(self._places, self._numbers.tolist(), strict=True)
        return [(place, size) for place, number in numbers if number in left]

    def _seat(self, vms: VmClass, spots: list[tuple[Place, Var]]) -> None:
        for place, count in spots:
            self._here[place.host.name].append((vms, count))
        self._where.append((vms, spots))

    def _set_moving(self, alike: Sequence[Stand]) -> None:
        """Give VMs that may move their unknowns. None may arrive at the host that it left: on each host, those who come
        and those who go are together at most all who go anywhere (then, and only then, they can be matched so).
        """
        vm, one = self._scene.cluster.vms[alike[0].vm], alike[0].vm
        by_host: dict[str, list[Stand]] = defaultdict(list)
        for stand in alike:
            by_host[stand.host].append(stand)
        stay: list[tuple[VmClass, Place, Var]] = []
        for host, here in by_host.items():
            vms = VmClass(vm, tuple(stand.vm for stand in here), tuple(here))
            count = self.integer(len(here), f"{one} stays {host}", len(here))
            stay.append((vms, self._columns[host], count))
            self._seat(vms, [(self._columns[host], count)])
        travel = VmClass(vm, tuple(stand.vm for stand in alike), moving=True)
        arrive = [
            (place, self.integer(len(alike), f"{one}>{place.host.name}"))
            for place in self._places
            if self._travels(alike[0], place.host.name)
        ]
        self._seat(travel, arrive)
        movers = Movers(stay, travel, arrive, self._away(alike[0], len(alike)))
        self._movers.append(movers)
        every = [count for _, _, count in stay] + [count for _, count in arrive] + list(movers.away.values())
        self.equal([(1, count) for count in every], len(alike))
        total = self.integer(len(alike), f"{one} stay", len(alike))
        self.equal([(-1, total), *((1, count) for _, _, count in stay)], 0)
        at_home = {place.host.name: (count, len(vms.names)) for vms, place, count in stay}
        for place, count in arrive:
            if place.host.name in at_home:
                mine, size = at_home[place.host.name]
                self.at_most([(1, count), (1, total), (-1, mine)], len(alike) - size, eased=False)

    def _travels(self, stand: Stand, host: str) -> bool:
        """Whether VMs like this one may move to a host."""
        return self._survey.admits(stand.vm, host) and self._survey.reaches((stand,), host)

    def _away(self, stand: Stand, size: int) -> dict[str, Var]:
        """Further ways off the host for VMs like this one: none on a board that only starts and moves."""
        return {}
