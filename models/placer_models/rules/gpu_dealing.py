"""How the seats of GPUs that a solved board offers are dealt to VMs: each gets GPUs and slots, those alike in the order
of their names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

from placer_models.cluster import Cluster, Host
from placer_models.gpus import Pick, free_slots
from placer_models.gpus_use import POSITIONAL, Held, model_of, use_of
from placer_models.rules.gpu_rows import Choice, Demand, Kind, Row
from placer_models.rules.rule import Var, VmClass
from placer_models.scene import Hold

Value = Callable[[Var], int]


class Dealer:
    """Deals the seats of one place, as its rows' layouts are chosen and its demands are served."""

    def __init__(
        self,
        cluster: Cluster,
        host: Host,
        pick: Pick,
        rows: Sequence[Row],
        choices: Sequence[Choice],
        demands: Mapping[Hashable, Demand],
        arriving: Sequence[tuple[VmClass, Var]],
    ) -> None:
        self._cluster, self._host, self._pick = cluster, host, pick
        self._rows, self._choices, self._demands, self._arriving = rows, choices, demands, arriving

    def read(self, value: Value) -> tuple[list[tuple[VmClass, tuple[Hold, ...]]], set[str]]:
        """The holds of those who arrive, in the order in which they are to be started, and the names of those who
        leave.
        """
        seats: dict[Kind, list[tuple[int, str, int | None]]] = defaultdict(list)
        leaving: set[str] = {name for row in self._rows for names in row.names for name in names}
        left = {id(row): list(zip(row.ids, row.names, strict=True)) for row in self._rows}
        standing: dict[str, Held] = {}
        for choice in self._choices:
            for _ in range(value(choice.count)):
                gpu, names = left[id(choice.row)].pop(0)
                leaving.difference_update(_staying(choice, names))
                standing[gpu] = (*choice.row.fixed, *((resident.use, resident.slot) for resident in choice.staying))
                for order, (index, slot) in enumerate(choice.layout.seats):
                    seats[choice.kinds[index]].append((order, gpu, slot))
        taken: dict[int, list[dict[int, list[tuple[int, Hold]]]]] = {}
        for demand in self._demands.values():
            self._deal(demand, value, seats, taken)
        arrived: list[tuple[int, int, VmClass, tuple[Hold, ...]]] = []
        for rank, (vms, _) in enumerate(self._arriving):
            for holds in taken.get(id(vms), ()):
                ordered = [pair for index in range(len(vms.vm.wants)) for pair in holds[index]]
                last = max(order for order, _ in ordered)
                arrived.append((last, rank, vms, tuple(hold for _, hold in ordered)))
        arrived.sort(key=lambda entry: entry[:2])
        in_turn = [(vms, holds) for _, _, vms, holds in arrived]
        if self._pick == "first" and any(demand.tied for demand in self._demands.values()):
            in_turn = [(vms, tuple(self._put(hold, standing) for hold in holds)) for vms, holds in in_turn]
        return in_turn, leaving

    def _put(self, hold: Hold, standing: dict[str, Held]) -> Hold:
        """The hold at the slot that the manager gives it, the first legal one."""
        cluster, gpu = self._cluster, self._host.gpu[hold.gpu]
        use = use_of(cluster, gpu, hold)
        if use is None or hold.sharing not in POSITIONAL:
            return hold
        slot = free_slots(use, model_of(cluster, gpu).row_units(hold.sharing), standing[gpu.id])[0]
        standing[gpu.id] = (*standing[gpu.id], (use, slot))
        return replace(hold, slot=slot)

    def _deal(
        self,
        demand: Demand,
        value: Value,
        seats: dict[Kind, list[tuple[int, str, int | None]]],
        taken: dict[int, list[dict[int, list[tuple[int, Hold]]]]],
    ) -> None:
        """Give one demand its seats, and them to its VMs; shares that must be apart are dealt round, GPU by GPU."""
        asking = [(vms, index, value(count)) for vms, index, count in demand.asking]
        total = sum(count for _, _, count in asking) * demand.ask.count
        drawn: list[tuple[int, Hold]] = []
        for kind, served in demand.options:
            for _ in range(total if served is None else value(served)):
                order, gpu, slot = seats[kind].pop(0)
                slot = None if kind.sharing == "passthrough" else slot
                drawn.append((order, Hold(gpu, kind.sharing, demand.ask.profile, slot, demand.ask.milli)))
        if demand.apart:
            drawn.sort(key=lambda pair: pair[1].gpu)
            people = total // demand.ask.count
            drawn = [drawn[i] for first in range(people) for i in range(first, total, people)]
        at = 0
        for vms, index, count in asking:
            mine = taken.setdefault(id(vms), [])
            first = next((i for i, holds in enumerate(mine) if index not in holds), len(mine))  # zone after zone
            for number in range(first, first + count):
                if number == len(mine):
                    mine.append({})
                mine[number][index] = drawn[at : at + demand.ask.count]
                at += demand.ask.count


def _staying(choice: Choice, names: tuple[str, ...]) -> set[str]:
    """The names of the residents of one GPU that stay under a choice: those alike are taken in the order of their
    names.
    """
    stay: set[str] = set()
    wanted = list(choice.staying)
    for resident, name in zip(choice.row.residents, names, strict=True):
        if resident in wanted:
            wanted.remove(resident)
            stay.add(name)
        elif choice.sharing not in POSITIONAL:
            alike = next(
                (w for w in wanted if (w.vms, w.hold, w.use) == (resident.vms, resident.hold, resident.use)), None
            )
            if alike is not None:
                wanted.remove(alike)
                stay.add(name)
    return stay
