"""How the gpu rule binds a board: GPUs alike are counted by the layout that they take, asks are served from the
layouts' seats.

For each place the GPUs in the same state form a *row* of some size. Every legal way to add items to such a GPU (a
*layout*, from `placer_models.gpus.layouts`) gets an unknown: how many GPUs of the row take it. A layout offers seats
of certain kinds, and the VMs that arrive draw on them; an ask that several kinds of seats could serve is split by
further unknowns. A VM that may leave is one more choice of the layouts of its GPUs: with it or without.

Exact at m = 1: a solution of these conditions is a seating, dealt by `placer_models.rules.gpu_dealing`, and every
seating is a solution.
Three things are narrower than that, and say so to the board: a VM with several items where the manager picks the slots
(it ties the orders of its GPUs together, so there only what fits in any order is offered), a GPU with more layouts than
can be listed (it takes new items of one kind only), and a GPU with very many VMs that may leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping

from placer_models.gpus import Layout, Pick, Sharing, Use, layouts
from placer_models.gpus_orders import in_any_order
from placer_models.gpus_together import misfit, zones
from placer_models.gpus_use import POSITIONAL, Held, use_for
from placer_models.rules.gpu_dealing import Dealer
from placer_models.rules.gpu_rows import Choice, Demand, Kind, Resident, Row, rows_of
from placer_models.rules.rule import Board, Place, Term, Var, VmClass

MOST_FOR_GOALS = 1000
"""How many layouts of one GPU are listed one by one where only a goal looks at them."""

PICKS: Mapping[str, Pick] = {"chosen": "any", "first-legal": "first", "worst-case": "worst"}


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
        supply, staying = self._offer()
        self._serve(supply)
        here = {id(vms): count for vms, count in self.board.here(self.place)}
        for vms, terms in staying:
            self.board.equal([*terms, (-1, here[id(vms)])], 0)
        cluster, host = self.board.scene.cluster, self.place.host
        dealer = Dealer(cluster, host, self.pick, self.rows, self.choices, self.demands, self.arriving)
        self.board.reader(self.place, dealer.read)

    def _offer(self) -> tuple[Mapping[Kind, list[Term]], Collection[tuple[VmClass, list[Term]]]]:
        """Let the GPUs of each row take layouts: the seats of each kind that they offer, and how many of each class of
        residents stay, hold by hold.
        """
        offered: dict[tuple[int, int], list[Term]] = defaultdict(list)  # kinds by their tuple: hashing them takes long
        staying: dict[tuple[int, int], tuple[VmClass, list[Term]]] = {}
        for number, row in enumerate(self.rows):
            taken: list[Term] = []
            for resident in row.residents:
                staying.setdefault((id(resident.vms), resident.hold), (resident.vms, []))
            for choice in self._choices(number, row):
                self.choices.append(choice)
                taken.append((1, choice.count))
                for index, copies in enumerate(choice.layout.counts):
                    if copies:
                        offered[id(choice.kinds), index].append((copies, choice.count))
                for resident in choice.staying:
                    staying[id(resident.vms), resident.hold][1].append((1, choice.count))
            if self.exact:
                self.board.equal([*taken, (-1, row.size)], 0)
            elif any(count is not row.size for _, count in taken):
                self.board.at_most([*taken, (-1, row.size)], 0, eased=False)
        kinds = {id(choice.kinds): choice.kinds for choice in self.choices}
        supply: dict[Kind, list[Term]] = defaultdict(list)
        for (several, index), terms in offered.items():
            supply[kinds[several][index]] += terms
        return supply, staying.values()

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
        for sharing, stay, kinds, holds in self._ways(number, row, self.board.narrowed):
            if not (kinds or stay or self.exact):
                continue
            for layout in self._layouts(kinds, sharing, model.row_units(sharing), holds):
                if any(layout.counts) or (sharing == row.sharings[0] and (self.exact or row.residents)):
                    yield sharing, stay, layout, kinds, holds

    def _ways(
        self, number: int, row: Row, narrowed: Callable[[], None]
    ) -> Iterator[tuple[Sharing, tuple[Resident, ...], tuple[Kind, ...], Held]]:
        """In which sharing a row's GPUs may be and who may stay on them, with the kinds of seats wanted there, and what
        those who stay hold.
        """
        for stay in row.leavings(narrowed):
            holds = (*row.fixed, *((resident.use, resident.slot) for resident in stay))
            for sharing in row.sharings[:1] if holds else row.sharings:
                yield sharing, stay, self._kinds(number, row, sharing), holds

    def _listable(self) -> bool:
        """Whether there are few enough layouts to list them all for a goal."""
        catalogue = self.board.scene.cluster.catalogue
        for number, row in enumerate(self.rows):
            model = catalogue.find(row.gpu.model)
            for sharing, _, kinds, holds in self._ways(number, row, lambda: None):
                uses = [kind.use for kind in kinds]
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


def one_kind_each(uses: list[Use], units: int, holds: Held, pick: Pick) -> list[Layout]:
    """Layouts that add items of one use only: what is offered where there are too many to list all."""
    found = [Layout((0,) * len(uses), ())]
    for i, use in enumerate(uses):
        for layout in layouts([use], units, holds, maximal=False, pick=pick) or ():
            if layout.seats:
                counts = tuple(len(layout.seats) if j == i else 0 for j in range(len(uses)))
                found.append(Layout(counts, tuple((i, slot) for _, slot in layout.seats)))
    return found


def _minus(terms: list[Term]) -> list[Term]:
    return [(-factor, unknown) for factor, unknown in terms]
