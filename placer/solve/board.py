"""The board: how many VMs of each class stand on each host, as a CP-SAT model; it reads itself back to VMs, GPUs and
slots.

Rules post their conditions on counts (`placer_models.rules.rule.Board`), so VMs that no rule tells apart are never
told apart here: that is what lets CP-SAT prove answers for large clusters. One board has four uses: over all hosts it
is the whole problem; over some, with the rest standing still, a neighbourhood; over one, the pricing of a column; and
with `groups` of hosts that are alike, a relaxation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from ortools.sat.python import cp_model

from placer.solve.after_loss import AfterLoss
from placer.solve.conditions import Conditions, TooLarge
from placer.solve.figures import roomy
from placer.solve.movers import Movers, matched
from placer.solve.sharpen import departures
from placer.solve.survey import Survey
from placer.warm.columns import Columns
from placer_models.cluster import Gpu, Host, Vm
from placer_models.goals.goal import Goal
from placer_models.gpus import Sharing
from placer_models.moving import reach_key
from placer_models.rules.rule import Loss, Place, Rule, Var, VmClass, Vms
from placer_models.scene import Scene, Stand

__all__ = ["CountBoard", "TooLarge"]


class CountBoard(Conditions):
    """A board over a scene: `asked` VMs may be started, `movable` ones may be moved, all others stay as they are.

    `hosts` are those about which something is decided (default: all), or `groups` of hosts that are alike, each decided
    about as one place (a relaxation, for nobody moving). A `loose` board seats VMs after each loss afresh, which allows
    more than rules that look at GPU layouts do, and is much smaller. `survey` saves working it out again; with
    `figures` of the scene nothing is asked about VMs on hosts where they have no room anyhow (where nobody may leave).
    Raises TooLarge where more than `most` unknowns would come about, or it is `over` before all are there.
    """

    def __init__(
        self,
        scene: Scene,
        rules: Sequence[Rule],
        goals: Sequence[Goal],
        asked: Mapping[str, int],
        movable: Collection[str] = (),
        hosts: Collection[str] | None = None,
        *,
        groups: Sequence[Sequence[str]] | None = None,
        survey: Survey | None = None,
        most: int | None = None,
        loose: bool = False,
        figures: Columns | None = None,
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(most, over)
        self._survey = survey or Survey(scene.cluster, rules, goals)
        self._scene, self._asked = scene, asked
        self._figures = None if movable or groups is not None else figures
        self.exact_for_rules = any(rule.exact for rule in rules) and not loose
        self.exact = self.exact_for_rules or any(goal.exact for goal in goals)
        self._rough: list[Place] = []
        self.narrow = False
        self._rules, self._goals = rules, goals
        self._readers: list[tuple[Place, Callable[[Callable[[Var], int]], Any]]] = []
        self.left_over: list[list[str]] = []
        self.leaders: list[cp_model.IntVar] = []
        """Unknowns that decide nearly everything: with these fixed, the rest is found soon."""
        self._layouts: list[tuple[Place, Gpu, Sharing, Any, Var]] = []
        if groups is None:
            every = scene.cluster.hosts
            groups = [(name,) for name in every if hosts is None or name in hosts]
        self._make_places(groups)
        self._make_classes(movable)
        for rule in rules:
            self._softly = rule.soft
            rule.encode(self)
        self._softly = False
        self._sharpen()
        self.aims = [goal.encode(self) for goal in goals]

    # what rules ask of a board

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

    def rows(self, place: Place) -> Any:
        return None

    @property
    def slot_choice(self) -> str:
        return self._scene.cluster.platform.slot_choice

    def rough(self, place: Place) -> None:
        self._rough.append(place)

    def rough_places(self) -> Sequence[Place]:
        return self._rough

    def narrowed(self) -> None:
        self.narrow = True

    def after_loss(self, host: Host, again: Callable[[Vm], bool], to: Collection[str]) -> Loss:
        after = AfterLoss(self, host.name, again, to)
        return Loss(after, after.missing)

    @property
    def survey(self) -> Survey:
        """What is alike in its cluster."""
        return self._survey

    def columns(self) -> Iterable[Place]:
        """The places of all hosts, also of those about which nothing is decided."""
        for host in self._elsewhere:
            self._column(host.name)
        return self._columns.values()

    def layout(self, place: Place, gpu: Gpu, sharing: Sharing, holds: Any, count: Var) -> None:
        self._layouts.append((place, gpu, sharing, holds, count))

    def layouts(self) -> Iterable[tuple[Place, Gpu, Sharing, Any, Var]]:
        return self._layouts

    def reader(self, place: Place, read: Callable[[Callable[[Var], int]], Any]) -> None:
        self._readers.append((place, read))

    # how it is made

    def _sharpen(self) -> None:
        """Say how many must leave where VMs are to be started: only where somebody may."""
        if not self._movers:
            return
        started = frozenset(count.index for vms, _, count in self.where() if not vms.stands and not vms.moving)
        for room in [room for rooms in self._rooms.values() for room in rooms]:
            for terms, bound in departures(room, self._unknowns, started):
                self.at_most(terms, bound, eased=False)

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

    def hint(self, stands: Iterable[Stand]) -> Mapping[int, int]:
        """Tell the solver of an arrangement: these VMs start or move so, all others stay as they are. Returns what the
        unknowns that count VMs are then.
        """
        known: dict[int, int] = {}
        for _, count, wanted in self._wanted(stands):
            self.model.add_hint(count, wanted)
            known[count.index] = wanted
        return known

    def forbid(self, stands: Sequence[Stand]) -> None:
        """Post that not all of these stands come about (some VMs of a class, as many as are named here)."""
        spots = [(count, wanted) for vms, count, wanted in self._wanted(stands) if not vms.stands and wanted]
        if spots:
            self.at_most([(1, count) for count, _ in spots], sum(wanted for _, wanted in spots) - 1, eased=False)

    def _wanted(self, stands: Iterable[Stand]) -> Iterator[tuple[VmClass, cp_model.IntVar, int]]:
        """What each unknown that counts VMs is when these VMs start or move to these hosts."""
        target = {stand.vm: stand.host for stand in stands}
        for vms, spots in self._where:
            unknowns = [(place, count) for place, count in spots if not isinstance(count, int)]
            if not unknowns:
                continue
            coming = Counter(host for name in vms.names if (host := target.get(name)) is not None)
            staying = len(vms.names) - coming.total()
            for place, count in unknowns:
                yield vms, count, staying if vms.stands else sum(coming[name] for name in place.names)

    # how it is read

    def read(self, value: Callable[[Var], int]) -> list[Stand]:
        """The stands of the VMs that are started or moved, in the order in which they are to be started, from the
        unknowns' values.
        """
        arriving: dict[str, list[tuple[VmClass, tuple[Any, ...]]]] = {}
        leaving: dict[str, None] = {}
        for place, read in self._readers:
            arriving[place.host.name], gone = read(value)
            leaving |= dict.fromkeys(gone)
        names: dict[int, dict[str, list[str]]] = {}
        self.left_over = []
        for movers in self._movers:
            coming = {place.host.name: value(count) for place, count in movers.arrive if value(count)}
            names[id(movers.travel)], rest = matched(movers.leavers(value, leaving), coming)
            self.left_over.append(rest)
        waiting = {id(vms): list(vms.names) for vms, _ in self._where if not vms.stands and not vms.moving}
        stands: list[Stand] = []
        for place in self._places:
            host = place.host.name
            entering = list(arriving.get(host, ()))
            for vms, count in self._here.get(host, ()):
                if not vms.stands and not vms.vm.gpus:
                    entering.extend((vms, ()) for _ in range(value(count)))
            for vms, holds in entering:
                queue = names[id(vms)][host] if vms.moving else waiting[id(vms)]
                stands.append(Stand(queue.pop(0), host, holds))
        return stands
