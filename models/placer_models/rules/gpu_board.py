"""How the gpu rule binds a board: GPUs alike are counted by the layout that they take, asks are served from the
layouts' seats.

For each place the GPUs in the same state form a *row* of some size. Every legal way to add items to such a GPU (a
*layout*, from `placer_models.gpus.layouts`) gets an unknown: how many GPUs of the row take it. A layout offers seats
of certain kinds, and the VMs that arrive draw on them; an ask that several kinds of seats could serve is split by
further unknowns. A VM that may leave is one more choice of the layouts of its GPUs: with it or without.

Exact at m = 1: a solution of these conditions is a seating, read back by `Seats.read`, and every seating is a solution.
Three things are narrower than that, and say so to the board: a VM with several items where the manager picks the slots
(it ties the orders of its GPUs together, so there only what fits in any order is offered), a GPU with more layouts than
can be listed (it takes new items of one kind only), and a GPU with very many VMs that may leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product

from placer_models.cluster import Ask, Gpu, Needs
from placer_models.gpus import Layout, Pick, Sharing, Use, free_slots, layouts
from placer_models.rules.rule import Board, Place, Term, Var, VmClass
from placer_models.scene import Hold
from placer_models.seating import POSITIONAL, Held, misfit, model_of, unit_of, use_for, use_of, zones

MOST_LEAVINGS = 4096
"""How many combinations of VMs that may leave are looked at for one GPU; beyond it they all stay or all leave."""

MOST_FOR_GOALS = 1000
"""How many layouts of one GPU are listed one by one where only a goal looks at them."""

PICKS: Mapping[str, Pick] = {"chosen": "any", "first-legal": "first", "worst-case": "worst"}

Value = Callable[[Var], int]


@dataclass(frozen=True)
class Resident:
    """A VM on a GPU that may leave it: its class, which of its holds this is, and what the hold takes."""

    vms: VmClass
    hold: int
    use: Use
    slot: int | None


@dataclass
class Row:
    """GPUs of a place in the same state: how many there are (a number or an unknown, at most `most`), and what every
    one of them holds.
    """

    gpu: Gpu
    ids: list[str]
    sharings: tuple[Sharing, ...]
    fixed: Held
    residents: tuple[Resident, ...]
    names: list[tuple[str, ...]]
    size: Var
    most: int = 0

    def leavings(self, narrowed: Callable[[], None]) -> Iterator[tuple[Resident, ...]]:
        """Each set of residents that may stay (those alike are told apart by number only, unless they have slots)."""
        positional = self.sharings[0] in POSITIONAL
        groups: dict[Hashable, list[Resident]] = defaultdict(list)
        for resident in self.residents:
            slot = resident.slot if positional else None
            groups[(id(resident.vms), resident.hold, resident.use, slot)].append(resident)
        choices = [[tuple(group[:n]) for n in range(len(group), -1, -1)] for group in groups.values()]
        combinations = 1
        for choice in choices:
            combinations *= len(choice)
        if combinations > MOST_LEAVINGS:
            narrowed()
            yield self.residents
            yield ()
            return
        for chosen in product(*choices):
            yield tuple(resident for part in chosen for resident in part)


@dataclass(frozen=True)
class Kind:
    """A kind of seat: a use of a row in a sharing. Shares that must be on different GPUs are a kind of their own, and
    so are the `tied` items of VMs with several, where the manager picks the slots.
    """

    row: int
    sharing: Sharing
    use: Use
    apart: Hashable = None
    tied: bool = False


@dataclass
class Choice:
    """One layout of a row's GPUs, and the unknown that counts the GPUs which take it."""

    row: Row
    sharing: Sharing
    staying: tuple[Resident, ...]
    layout: Layout
    kinds: tuple[Kind, ...]
    count: Var


@dataclass
class Demand:
    """Items of one kind of ask (in one zone): who asks for how many each, and the seats that could serve them."""

    ask: Ask
    needs: Needs
    zone: frozenset[str] | None
    apart: bool
    tied: bool
    asking: list[tuple[VmClass, int, Var]] = field(default_factory=list)
    options: list[tuple[Kind, Var | None]] = field(default_factory=list)

    def terms(self) -> list[Term]:
        """How many items are asked for in all."""
        return [(self.ask.count, count) for _, _, count in self.asking]


def encode_place(board: Board, place: Place) -> None:
    """Post the gpu rule's conditions for one place, and leave a reader for the seats."""
    arriving = [
        (vms, count)
        for vms, count in board.here(place)
        if vms.vm.gpus and not vms.fixed and vms.host not in place.names
    ]
    rows = board.rows(place)
    if rows is None:
        rows = rows_of(board, place)
    if not rows and not arriving:
        return
    if not arriving and not board.exact and not any(row.residents for row in rows):
        return
    Seats(board, place, rows, arriving).post()


def rows_of(board: Board, place: Place) -> list[Row]:
    """The rows of a place as they stand now."""
    scene, host = board.scene, place.host
    movable = {
        name: vms for vms, _ in board.here(place) if not vms.fixed and vms.host in place.names for name in vms.names
    }
    marks = _zone_marks(board, place)
    rows: dict[Hashable, Row] = {}
    for gpu in host.gpus:
        fixed: list[tuple[Use, int | None]] = []
        residents: list[tuple[Resident, str]] = []
        for stand, hold in scene.holders(host.name, gpu.id):
            use = use_of(scene.cluster, gpu, hold)
            if use is None:
                continue
            vms = movable.get(stand.vm)
            if vms is None:
                fixed.append((use, unit_of(hold)))
            else:
                residents.append((Resident(vms, stand.holds.index(hold), use, unit_of(hold)), stand.vm))
        now = scene.sharing(host.name, gpu)
        sharings = (now,) if fixed else (now, *(other for other in gpu.sharings if other != now))
        residents.sort(key=lambda pair: (pair[0].slot or 0, pair[1]))
        key = (
            gpu.model,
            gpu.mode,
            sharings,
            tuple(sorted(fixed, key=repr)),
            tuple((id(resident.vms), resident.hold, resident.use, resident.slot) for resident, _ in residents),
            marks.get(gpu.id),
        )
        row = rows.setdefault(
            key, Row(gpu, [], sharings, tuple(fixed), tuple(resident for resident, _ in residents), [], 0)
        )
        row.ids.append(gpu.id)
        row.names.append(tuple(name for _, name in residents))
        row.size += place.m
        row.most = row.size
    return list(rows.values())


def _zone_marks(board: Board, place: Place) -> dict[str, tuple[int, ...]]:
    """Which zones each GPU is in, for the needs of those who may arrive: GPUs in different zones are not alike. Where
    somebody looks at what is left of GPUs, for the needs of all VMs.
    """
    marks: dict[str, list[int]] = defaultdict(list)
    number = 0
    arriving = (vms.vm for vms, _ in board.here(place) if not vms.fixed)
    for needs in dict.fromkeys(
        vm.needs for vm in (board.scene.cluster.vms.values() if board.exact else arriving) if vm.gpus
    ):
        for zone in zones(place.host, needs) or ():
            number += 1
            for gpu in zone:
                marks[gpu].append(number)
    return {gpu: tuple(numbers) for gpu, numbers in marks.items()}


class Seats:
    """The gpu rule on one place of a board."""

    def __init__(self, board: Board, place: Place, rows: list[Row], arriving: list[tuple[VmClass, Var]]) -> None:
        self.board, self.place, self.rows, self.arriving = board, place, rows, arriving
        self.demands: dict[Hashable, Demand] = {}
        self.choices: list[Choice] = []

    def post(self) -> None:
        """Post everything."""
        self.pick = PICKS[self.board.slot_choice]
        self._collect()
        self.exact = self._must_be_exact()
        if not self.exact and self.board.exact:
            self.exact = self._listable()
            if not self.exact:
                self.board.rough(self.place)
        offered: dict[tuple[int, int], list[Term]] = defaultdict(list)  # kinds by their tuple: hashing them takes long
        staying: dict[tuple[int, int], list[Term]] = defaultdict(list)
        classes: dict[tuple[int, int], VmClass] = {}
        for number, row in enumerate(self.rows):
            taken: list[Term] = []
            for resident in row.residents:
                classes[(id(resident.vms), resident.hold)] = resident.vms
            for choice in self._choices(number, row):
                self.choices.append(choice)
                taken.append((1, choice.count))
                for index, copies in enumerate(choice.layout.counts):
                    if copies:
                        offered[id(choice.kinds), index].append((copies, choice.count))
                for resident in choice.staying:
                    staying[(id(resident.vms), resident.hold)].append((1, choice.count))
            if self.exact:
                self.board.equal([*taken, (-1, row.size)], 0)
            elif any(count is not row.size for _, count in taken):
                self.board.at_most([*taken, (-1, row.size)], 0, eased=False)
        kinds = {id(choice.kinds): choice.kinds for choice in self.choices}
        supply: dict[Kind, list[Term]] = defaultdict(list)
        for (several, index), terms in offered.items():
            supply[kinds[several][index]] += terms
        self._serve(supply)
        here = {id(vms): count for vms, count in self.board.here(self.place)}
        for key, vms in classes.items():
            self.board.equal([*staying[key], (-1, here[id(vms)])], 0)
        self.board.reader(self.place, self.read)

    def _must_be_exact(self) -> bool:
        """Whether seats may not be left empty: where a rule looks at what is left, where shares of one ask are dealt by
        number, or slots picked in turn.
        """
        by_turn = self.pick != "any" and any(sharing in POSITIONAL for row in self.rows for sharing in row.sharings)
        return self.board.exact_for_rules or by_turn or any(demand.apart for demand in self.demands.values())

    def _collect(self) -> None:
        """Sort what is asked into demands, with an unknown for each zone in which a class could be served."""
        cluster = self.board.scene.cluster
        for vms, count in self.arriving:
            vm = vms.vm
            allowed = zones(self.place.host, vm.needs)
            if misfit(cluster, vm):
                self.board.at_most([(1, count)], 0, eased=False)
                continue
            parts: list[tuple[frozenset[str] | None, Var]] = [(None, count)]
            if allowed is not None:
                total = sum(ask.count for ask in vm.wants)
                fitting = [zone for zone in allowed if not vm.needs.nvlink or len(zone) == total]
                parts = [(zone, self.board.integer(len(vms.names), f"zone {i}")) for i, zone in enumerate(fitting)]
                self.board.equal([*((1, part) for _, part in parts), (-1, count)], 0)
            tied = self.pick != "any" and sum(ask.count for ask in vm.wants) > 1
            for zone, part in parts:
                for index, ask in enumerate(vm.wants):
                    apart = ask.milli is not None and ask.count > 1
                    key = (ask, vm.needs, zone, tied)
                    demand = self.demands.setdefault(key, Demand(ask, vm.needs, zone, apart, tied))
                    demand.asking.append((vms, index, part))

    def _choices(self, number: int, row: Row) -> Iterator[Choice]:
        """The layouts that a row's GPUs may take. Where it is one, and its seats may be left empty, all take it."""
        options = list(self._options(number, row))
        for sharing, stay, layout, kinds, held in options:
            alone = len(options) == 1 and not (self.exact or row.residents)
            count = row.size if alone else self.board.integer(row.most, f"row {number}")
            if self.exact:
                added = ((kinds[index].use, slot) for index, slot in layout.seats)
                self.board.layout(self.place, row.gpu, sharing, (*held, *added), count)
            yield Choice(row, sharing, stay, layout, kinds, count)

    def _options(
        self, number: int, row: Row
    ) -> Iterator[tuple[Sharing, tuple[Resident, ...], Layout, tuple[Kind, ...], Held]]:
        model = self.board.scene.cluster.catalogue.find(row.gpu.model)
        for stay in row.leavings(self.board.narrowed):
            holds = (*row.fixed, *((resident.use, resident.slot) for resident in stay))
            for sharing in row.sharings[:1] if holds else row.sharings:
                kinds = self._kinds(number, row, sharing)
                if not (kinds or stay or self.exact):
                    continue
                for layout in self._layouts(kinds, sharing, model.row_units(sharing), holds):
                    if any(layout.counts) or (sharing == row.sharings[0] and (self.exact or row.residents)):
                        yield sharing, stay, layout, kinds, holds

    def _listable(self) -> bool:
        """Whether there are few enough layouts to list them all for a goal."""
        catalogue = self.board.scene.cluster.catalogue
        for number, row in enumerate(self.rows):
            model = catalogue.find(row.gpu.model)
            for stay in row.leavings(lambda: None):
                holds = (*row.fixed, *((resident.use, resident.slot) for resident in stay))
                for sharing in row.sharings[:1] if holds else row.sharings:
                    uses = [kind.use for kind in self._kinds(number, row, sharing)]
                    if layouts(uses, model.row_units(sharing), holds, maximal=False, limit=MOST_FOR_GOALS) is None:
                        return False
        return True

    def _layouts(self, kinds: tuple[Kind, ...], sharing: Sharing, units: int, holds: Held) -> list[Layout]:
        pick = self.pick if sharing in POSITIONAL else "any"
        uses = [kind.use for kind in kinds]
        found = layouts(uses, units, holds, maximal=not self.exact, pick=pick)
        if found is None:
            self.board.narrowed()
            found = one_kind_each(uses, units, holds, pick)
        if pick == "any" or not any(kind.tied for kind in kinds):
            return found
        free = [
            layout
            for layout in found
            if not any(kind.tied and copies for kind, copies in zip(kinds, layout.counts, strict=True))
            or in_any_order(tuple(sorted((kinds[i].use for i, _ in layout.seats), key=repr)), units, tuple(holds), pick)
        ]
        if len(free) < len(found):
            self.board.narrowed()
        return free

    def _kinds(self, number: int, row: Row, sharing: Sharing) -> tuple[Kind, ...]:
        """The kinds of seats that somebody could want of a row in a sharing."""
        kinds: dict[Kind, None] = {}
        for key, demand in self.demands.items():
            kind = self._kind(number, row, sharing, key, demand)
            if kind is not None:
                kinds[kind] = None
        return tuple(kinds)

    def _kind(self, number: int, row: Row, sharing: Sharing, key: Hashable, demand: Demand) -> Kind | None:
        if demand.zone is not None and not demand.zone.issuperset(row.ids):
            return None
        use = use_for(self.board.scene.cluster, demand.ask, demand.needs, row.gpu, sharing)
        return (
            None
            if use is None
            else Kind(number, sharing, use, key if demand.apart else None, demand.tied and sharing in POSITIONAL)
        )

    def _serve(self, supply: Mapping[Kind, list[Term]]) -> None:
        """Let every demand be served from the kinds that can, and no kind serve more than its layouts offer."""
        drawn: dict[Kind, list[Term]] = {kind: [] for kind in supply}
        for key, demand in self.demands.items():
            kinds = [
                kind
                for number, row in enumerate(self.rows)
                for sharing in row.sharings
                if (kind := self._kind(number, row, sharing, key, demand)) is not None and kind in supply
            ]
            if len(kinds) == 1:
                demand.options = [(kinds[0], None)]
                drawn[kinds[0]].extend(demand.terms())
            else:
                most = sum(demand.ask.count * len(vms.names) for vms, _, _ in demand.asking)
                demand.options = [(kind, self.board.integer(most, "served")) for kind in kinds]
                for kind, served in demand.options:
                    drawn[kind].append((1, served))
                self.board.equal([*((1, served) for _, served in demand.options), *_minus(demand.terms())], 0)
            if demand.apart:
                self._keep_apart(demand, kinds)
        for kind, terms in drawn.items():
            if self.exact:
                self.board.equal([*terms, *_minus(supply[kind])], 0)
            else:
                self.board.at_most([*terms, *_minus(supply[kind])], 0, eased=False)

    def _keep_apart(self, demand: Demand, kinds: list[Kind]) -> None:
        """The shares of one ask on different GPUs: possible exactly where no GPU has more of them than there are VMs
        asking.
        """
        asking = [(1, count) for _, _, count in demand.asking]
        several: dict[int, Var] = {}
        for choice in self.choices:
            for kind, copies in zip(choice.kinds, choice.layout.counts, strict=True):
                if kind in kinds and copies > 1:
                    if copies not in several:
                        several[copies] = self.board.integer(1, f"{copies} at least")
                        self.board.at_most([(copies, several[copies]), *_minus(asking)], 0, eased=False)
                    self.board.at_most([(1, choice.count), (-choice.row.most, several[copies])], 0, eased=False)

    def read(self, value: Value) -> tuple[list[tuple[VmClass, tuple[Hold, ...]]], set[str]]:
        """The holds of those who arrive, in the order in which they are to be started, and the names of those who
        leave.
        """
        seats: dict[Kind, list[tuple[int, str, int | None]]] = defaultdict(list)
        leaving: set[str] = {name for row in self.rows for names in row.names for name in names}
        left = {id(row): list(zip(row.ids, row.names, strict=True)) for row in self.rows}
        standing: dict[str, Held] = {}
        for choice in self.choices:
            for _ in range(value(choice.count)):
                gpu, names = left[id(choice.row)].pop(0)
                leaving.difference_update(_staying(choice, names))
                standing[gpu] = (*choice.row.fixed, *((resident.use, resident.slot) for resident in choice.staying))
                for order, (index, slot) in enumerate(choice.layout.seats):
                    seats[choice.kinds[index]].append((order, gpu, slot))
        taken: dict[int, list[dict[int, list[tuple[int, Hold]]]]] = {}
        for demand in self.demands.values():
            self._deal(demand, value, seats, taken)
        arrived: list[tuple[int, int, VmClass, tuple[Hold, ...]]] = []
        for rank, (vms, _) in enumerate(self.arriving):
            for holds in taken.get(id(vms), ()):
                ordered = [pair for index in range(len(vms.vm.wants)) for pair in holds[index]]
                last = max(order for order, _ in ordered)
                arrived.append((last, rank, vms, tuple(hold for _, hold in ordered)))
        arrived.sort(key=lambda entry: entry[:2])
        in_turn = [(vms, holds) for _, _, vms, holds in arrived]
        if self.pick == "first" and any(demand.tied for demand in self.demands.values()):
            in_turn = [(vms, tuple(self._put(hold, standing) for hold in holds)) for vms, holds in in_turn]
        return in_turn, leaving

    def _put(self, hold: Hold, standing: dict[str, Held]) -> Hold:
        """The hold at the slot that the manager gives it, the first legal one."""
        cluster, gpu = self.board.scene.cluster, self.place.host.gpu[hold.gpu]
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


def one_kind_each(uses: list[Use], units: int, holds: Held, pick: Pick) -> list[Layout]:
    """Layouts that add items of one use only: what is offered where there are too many to list all."""
    found = [Layout((0,) * len(uses), ())]
    for i, use in enumerate(uses):
        for layout in layouts([use], units, holds, maximal=False, pick=pick) or ():
            if layout.seats:
                counts = tuple(len(layout.seats) if j == i else 0 for j in range(len(uses)))
                found.append(Layout(counts, tuple((i, slot) for _, slot in layout.seats)))
    return found


def in_any_order(uses: tuple[Use, ...], units: int, holds: Held, pick: Pick) -> bool:
    """Whether these items all find room in whatever order they come; where the manager takes the first legal slots,
    also on the same units.
    """
    ends = _ends(uses, units, holds, pick)
    return ends is not None and (pick != "first" or len(ends) == 1)


@lru_cache(maxsize=65536)
def _ends(uses: tuple[Use, ...], units: int, holds: Held, pick: Pick) -> frozenset[int] | None:
    """The units that may be taken in the end, as bit masks; None: some order leaves an item without a slot."""
    if not uses:
        return frozenset([sum(((1 << use.units) - 1) << (slot or 0) for use, slot in holds)])
    found: set[int] = set()
    for i, use in enumerate(uses):
        if use in uses[:i]:
            continue
        slots = free_slots(use, units, holds)
        if not slots:
            return None
        for slot in slots[:1] if pick == "first" else slots:
            after = tuple(sorted((*holds, (use, slot)), key=repr))
            ends = _ends(uses[:i] + uses[i + 1 :], units, after, pick)
            if ends is None:
                return None
            found |= ends
    return frozenset(found)


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


def _minus(terms: list[Term]) -> list[Term]:
    return [(-factor, unknown) for factor, unknown in terms]
