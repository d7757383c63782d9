"""The board: how many VMs of each class stand on each host, as a CP-SAT model; it reads itself back to VMs, GPUs and
slots.

Rules post their conditions on counts (`placer_models.rules.rule.Board`), so VMs that no rule tells apart are never
told apart here: that is what lets CP-SAT prove answers for large clusters. With `hosts` only some hosts are decided
about and the rest stand still.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

from ortools.sat.python import cp_model

from placer_models.cluster import Gpu, Host, Vm
from placer_models.goals.goal import Goal
from placer_models.gpus import Sharing
from placer_models.moving import unreachable
from placer_models.rules.rule import Place, Rule, Term, Var, VmClass
from placer_models.scene import Scene, Stand


class CountBoard:
    """A board over a scene: `asked` VMs may be started, `movable` ones may be moved, all others stay as they are."""

    def __init__(
        self,
        scene: Scene,
        rules: Sequence[Rule],
        goals: Sequence[Goal],
        asked: Mapping[str, int],
        movable: Collection[str] = (),
        hosts: Collection[str] | None = None,
    ) -> None:
        self.model = cp_model.CpModel()
        self._scene, self._asked = scene, asked
        self.exact = any(goal.exact for goal in goals) or any(rule.exact for rule in rules)
        self._rules, self._goals = rules, goals
        self._soft: list[Term] = []
        self._soft_constant = 0
        self._softly = False
        self._now: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._readers: list[tuple[Place, Callable[[Callable[[Var], int]], Any]]] = []
        self._layouts: list[tuple[Place, Gpu, Sharing, Any, Var]] = []
        self._make_columns(hosts)
        self._make_classes(movable)
        for rule in rules:
            self._softly = rule.soft
            rule.encode(self)
        self._softly = False
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
        return self._here[place.host.name]

    def where(self, vms: Collection[str] | None = None) -> Iterable[tuple[VmClass, Place, Var]]:
        for vm_class, spots in self._where:
            if vms is None or vm_class.names[0] in vms:
                for place, count in spots:
                    yield vm_class, place, count

    def elsewhere(self) -> Sequence[Host]:
        return self._elsewhere

    def rows(self, place: Place) -> Any:
        return None

    def integer(self, most: int, name: str, now: int = 0) -> Var:
        unknown = self.model.new_int_var(0, most, name)
        self._now[unknown.index], self._most[unknown.index] = now, most
        return unknown

    def at_most(self, terms: Iterable[Term], bound: int, *, eased: bool = True) -> None:
        factors, unknowns, constant = self._sorted(terms)
        if eased and self._softly:
            most = constant + sum(f * self._most[u.index] for f, u in zip(factors, unknowns, strict=True) if f > 0)
            if most <= bound:
                return
            if not unknowns:
                self._soft_constant += constant - bound
                return
            over = self.integer(most - bound, "over")
            factors.append(-1)
            unknowns.append(over)
            self._soft.append((1, over))
        elif eased:
            present = constant + sum(f * self._now[u.index] for f, u in zip(factors, unknowns, strict=True))
            bound = max(bound, present)
        self.model.add(cp_model.LinearExpr.weighted_sum(unknowns, factors) <= bound - constant)

    def equal(self, terms: Iterable[Term], value: int) -> None:
        factors, unknowns, constant = self._sorted(terms)
        self.model.add(cp_model.LinearExpr.weighted_sum(unknowns, factors) == value - constant)

    def soft_breaches(self) -> tuple[list[Term], int]:
        return list(self._soft), self._soft_constant

    def layout(self, place: Place, gpu: Gpu, sharing: Sharing, holds: Any, count: Var) -> None:
        self._layouts.append((place, gpu, sharing, holds, count))

    def layouts(self) -> Iterable[tuple[Place, Gpu, Sharing, Any, Var]]:
        return self._layouts

    def reader(self, place: Place, read: Callable[[Callable[[Var], int]], Any]) -> None:
        self._readers.append((place, read))

    # how it is made

    @staticmethod
    def _sorted(terms: Iterable[Term]) -> tuple[list[int], list[cp_model.IntVar], int]:
        factors: dict[int, int] = defaultdict(int)
        unknowns: dict[int, cp_model.IntVar] = {}
        constant = 0
        for factor, unknown in terms:
            if isinstance(unknown, int):
                constant += factor * unknown
            else:
                factors[unknown.index] += factor
                unknowns[unknown.index] = unknown
        return list(factors.values()), list(unknowns.values()), constant

    def _make_columns(self, hosts: Collection[str] | None) -> None:
        every = self._scene.cluster.hosts.values()
        self._places = [Place(host, (host.name,)) for host in every if hosts is None or host.name in hosts]
        self._elsewhere = [] if hosts is None else [host for host in every if host.name not in hosts]
        self._columns = {place.host.name: place for place in self._places}
        self._columns |= {host.name: Place(host, (host.name,)) for host in self._elsewhere}
        self._live = {place.host.name for place in self._places}

    def _make_classes(self, movable: Collection[str]) -> None:
        cluster = self._scene.cluster
        groups: dict[Hashable, list[str]] = defaultdict(list)
        stands: dict[str, Stand] = {}
        for name, vm in cluster.vms.items():
            present = self._scene.of(name)
            if present:
                stands[name] = present[0]
                fixed = name not in movable or present[0].host not in self._live
                alone = None if fixed else self._apart(present[0])
                groups[(self._key(vm), present[0].host, fixed, alone)].append(name)
            elif name in self._asked:
                groups[(self._key(vm), self._asked[name])].append(name)
        self._here: dict[str, list[tuple[VmClass, Var]]] = {name: [] for name in self._columns}
        self._where: list[tuple[VmClass, list[tuple[Place, Var]]]] = []
        self._admitted: dict[Hashable, bool] = {}
        self._host_keys = {
            name: tuple(rule.host_key(place.host) for rule in self._rules) for name, place in self._columns.items()
        }
        for key, names in groups.items():
            present = tuple(stands[name] for name in names if name in stands)
            fixed = len(key) == 4 and bool(key[2])  # type: ignore[arg-type,index]
            vms = VmClass(cluster.vms[names[0]], tuple(names), present, fixed)
            self._spread(vms, key)

    def _apart(self, stand: Stand) -> Hashable:
        """What tells VMs that may move apart from others on their host: several GPUs to leave at once, or another ECC
        state.
        """
        gpus = self._scene.cluster.hosts[stand.host].gpu
        return (stand.vm if len(stand.holds) > 1 else None, *(gpus[hold.gpu].ecc for hold in stand.holds))

    def _key(self, vm: Vm) -> Hashable:
        return (*(rule.vm_key(vm) for rule in self._rules), *(goal.vm_key(vm) for goal in self._goals))

    def _spread(self, vms: VmClass, key: Any) -> None:
        """Give a class its unknowns: one for each place where it may stand."""
        spots: list[tuple[Place, Var]] = []
        size = len(vms.names)
        if vms.fixed:
            assert vms.host is not None
            spots.append((self._columns[vms.host], size))
        else:
            for place in self._places:
                at_home = place.host.name == vms.host
                if at_home or (self._admits(key[0], vms.vm, place.host) and self._reaches(vms, place.host)):
                    spots.append((place, self.integer(size, f"{vms.names[0]}@{place.host.name}", size * at_home)))
            if vms.stands:
                self.equal([(1, count) for _, count in spots], size)
            elif spots:
                self.at_most([(1, count) for _, count in spots], size, eased=False)
        for place, count in spots:
            self._here[place.host.name].append((vms, count))
        self._where.append((vms, spots))

    def _reaches(self, vms: VmClass, host: Host) -> bool:
        return not vms.stands or unreachable(self._scene.cluster, vms.stands[0], host) is None

    def _admits(self, vm_key: Hashable, vm: Vm, host: Host) -> bool:
        key = (vm_key, self._host_keys[host.name])
        if key not in self._admitted:
            cluster = self._scene.cluster
            self._admitted[key] = all(rule.soft or rule.admits(cluster, vm, host) for rule in self._rules)
        return self._admitted[key]

    def forbid(self, stands: Sequence[Stand]) -> None:
        """Post that not all of these stands come about (some VMs of a class, as many as are named here)."""
        wanted: dict[int, int] = defaultdict(int)
        spots: dict[int, Var] = {}
        target = {stand.vm: stand.host for stand in stands}
        for vms, place, count in self.where():
            moving = sum(target.get(name) == place.host.name for name in vms.names)
            if moving and not isinstance(count, int):
                wanted[count.index] += moving
                spots[count.index] = count
        if spots:
            self.at_most([(1, count) for count in spots.values()], sum(wanted.values()) - 1, eased=False)

    # how it is read

    def read(self, value: Callable[[Var], int]) -> list[Stand]:
        """The stands of the VMs that are started or moved, in the order in which they are to be started, from the
        unknowns' values.
        """
        arriving: dict[str, list[tuple[VmClass, tuple[Any, ...]]]] = {}
        leaving: set[str] = set()
        for place, read in self._readers:
            arriving[place.host.name], gone = read(value)
            leaving |= gone
        names: dict[int, list[str]] = {}
        for vms, spots in self._where:
            if vms.fixed:
                continue
            stay = sum(value(count) for place, count in spots if place.host.name == vms.host) if vms.stands else 0
            if vms.vm.gpus and vms.stands:
                names[id(vms)] = [name for name in vms.names if name in leaving]
                assert len(names[id(vms)]) == len(vms.names) - stay, f"{vms.names[0]}: its GPUs say otherwise"
            else:
                names[id(vms)] = list(vms.names[stay:])
        stands: list[Stand] = []
        for place in self._places:
            host = place.host.name
            for vms, holds in arriving.get(host, ()):
                stands.append(Stand(names[id(vms)].pop(0), host, holds))
            for vms, count in self._here[host]:
                if not vms.fixed and not vms.vm.gpus and vms.host != host:
                    stands.extend(Stand(names[id(vms)].pop(0), host) for _ in range(value(count)))
        return stands
