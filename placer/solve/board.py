"""The board: how many VMs of each class stand on each host, as a CP-SAT model; it reads itself back to VMs, GPUs and
slots.

Rules post their conditions on counts (`placer_models.rules.rule.Board`), so VMs that no rule tells apart are never
told apart here: that is what lets CP-SAT prove answers for large clusters. One board has four uses: over all hosts it
is the whole problem; over some, with the rest standing still, a neighbourhood; over one, the pricing of a column; and
with `groups` of hosts that are alike, a relaxation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ortools.sat.python import cp_model

from placer.solve.after_loss import AfterLoss
from placer.solve.conditions import TooLarge
from placer.solve.movers import matched
from placer.solve.sharpen import departures
from placer.solve.spots import Spots
from placer.solve.survey import Survey
from placer.warm.columns import Columns
from placer_models.cluster import Gpu, Host, Vm
from placer_models.goals.goal import Goal
from placer_models.gpus import Sharing
from placer_models.rules.rule import Loss, Place, Rule, Var, VmClass
from placer_models.scene import Scene, Stand

__all__ = ["CountBoard", "TooLarge"]


class CountBoard(Spots):
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
        if groups is None:
            groups = [(name,) for name in scene.cluster.hosts if hosts is None or name in hosts]
            figures = None if movable else figures
        else:
            figures = None
        survey = survey or Survey(scene.cluster, rules, goals)
        super().__init__(scene, rules, asked, movable, groups, survey, figures, most, over)
        self.exact_for_rules = any(rule.exact for rule in rules) and not loose
        self.exact = self.exact_for_rules or any(goal.exact for goal in goals)
        self.narrow = False
        self.left_over: list[list[str]] = []
        self.leaders: list[cp_model.IntVar] = []
        """Unknowns that decide nearly everything: with these fixed, the rest is found soon."""
        self._rough: list[Place] = []
        self._readers: list[tuple[Place, Callable[[Callable[[Var], int]], Any]]] = []
        self._layouts: list[tuple[Place, Gpu, Sharing, Any, Var]] = []
        for rule in rules:
            self._softly = rule.soft
            rule.encode(self)
        self._softly = False
        self._sharpen()
        self.aims = [goal.encode(self) for goal in goals]

    # what rules ask of a board

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
