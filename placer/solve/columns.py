"""Columns: the contents of whole hosts, for clusters in which many hosts are alike.

Hosts that nothing tells apart form a group; a column is what may come to one host of a group. A master problem chooses
columns (`placer.solve.master`); which further column would help is asked of the same board as everywhere, over one
host, with the master's prices as the VMs' values. What the pricing boards prove bounds what anybody can reach: for any
prices,

    sum over groups of (hosts x the best content at these prices) + sum over VMs of max(0, value - price).

Rules that tie hosts together are not part of this: dropping them leaves the bound a bound; answers come from elsewhere.

Sources: Gilmore & Gomory, "A linear programming approach to the cutting-stock problem", 1961; the bound is the
Lagrangian one (Luebbecke & Desrosiers, "Selected topics in column generation", 2005).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

from ortools.sat.python import cp_model

from placer.solve.board import CountBoard
from placer.solve.budget import Budget
from placer.solve.master import Column, Floor, Prices, Room, Values, linear, whole
from placer.solve.survey import Survey, transferred
from placer_models.goals.goal import Goal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

SCALE = 1000
"""Prices are whole numbers of this part of a value, so that pricing and its bound are exact."""

PRICING_WORK = 0.5
"""Deterministic seconds for the content of one host at most."""

SPREAD = 0.04
"""How far prices are shaken to find contents that are nearly as good: whole numbers of hosts need some choice."""


@dataclass
class Pricing:
    """What a pricing board found: contents, and what none exceeds at its prices."""

    group: int
    found: list[tuple[Column, tuple[int, ...]]] = field(default_factory=list)
    bound: int = 0


@dataclass(frozen=True)
class Content:
    """What comes to a host, seated."""

    stands: tuple[Stand, ...]


class Contents(cp_model.CpSolverSolutionCallback):
    """Keeps every content that CP-SAT comes by while it looks for the best."""

    def __init__(self, group: int, counts: Sequence[tuple[int, cp_model.IntVar]]) -> None:
        super().__init__()
        self._group, self._counts = group, counts
        self.found: list[tuple[Column, tuple[int, ...]]] = []

    def on_solution_callback(self) -> None:
        values = tuple(self.response_proto.solution)
        counts = tuple((number, values[count.index]) for number, count in self._counts if values[count.index])
        self.found.append((Column(self._group, counts), values))


class Columns:
    """Column generation for the VMs of `waiting` (grouped into classes) on `groups` of hosts that are alike.

    `rules` are those that look at one host at a time.
    """

    def __init__(
        self,
        scene: Scene,
        survey: Survey,
        rules: Sequence[Rule],
        goals: Sequence[Goal],
        waiting: Sequence[Sequence[str]],
        groups: Sequence[Sequence[str]],
        budget: Budget,
        workers: int,
    ) -> None:
        cluster = scene.cluster
        self._scene, self._groups, self._waiting, self._budget = scene, groups, waiting, budget
        self._pool = ThreadPoolExecutor(min(2, workers))
        asked = {name: cluster.asked[name] for names in waiting for name in names}
        self._number = {name: number for number, names in enumerate(waiting) for name in names}
        self._group = {host: number for number, names in enumerate(groups) for host in names}
        self._boards = [CountBoard(scene, rules, goals, asked, groups=[names[:1]], survey=survey) for names in groups]
        self._counts = [
            [(self._number[vms.names[0]], count) for vms, count in board.here(board.places[0]) if not vms.stands]
            for board in self._boards
        ]
        self._narrow = any(board.narrow for board in self._boards)
        self.room = Room(tuple(map(len, groups)), tuple(map(len, waiting)))
        self.columns: list[Column] = []
        self._seats: dict[Column, tuple[int, ...] | Content] = {}

    def values(self, goal: int) -> Values | None:
        """What a VM of each class counts for in a goal (given by its number); None where it counts something else than
        VMs placed.
        """
        found: dict[int, int] = {}
        for board, counts in zip(self._boards, self._counts, strict=True):
            terms, _ = board.aims[goal]
            factors, unknowns, _ = board.merged(terms)
            numbers = {count.index: number for number, count in counts}
            for factor, unknown in zip(factors, unknowns, strict=True):
                number = numbers.get(unknown.index)
                if number is None or factor < 0 or found.setdefault(number, factor) != factor:
                    return None
        return found

    def take(self, stands: Iterable[Stand]) -> None:
        """Let the contents of an answer be columns."""
        hosts: dict[str, list[Stand]] = defaultdict(list)
        for stand in stands:
            if stand.vm in self._number and stand.host in self._group:
                hosts[stand.host].append(stand)
        for host, content in hosts.items():
            counts = Counter(self._number[stand.vm] for stand in content)
            self._add(Column(self._group[host], tuple(sorted(counts.items()))), Content(tuple(content)))

    def _add(self, column: Column, seats: tuple[int, ...] | Content) -> bool:
        if column in self._seats:
            return False
        self._seats[column] = seats
        self.columns.append(column)
        return True

    # prices

    def generate(
        self, values: Values, floors: Sequence[Floor] = (), *, rounds: int, close: float = 0
    ) -> tuple[Prices | None, int | None]:
        """Add columns until none helps any more (or for so many rounds, or until bound and master are `close`); the
        master's prices, and the bound.
        """
        bound: int | None = None
        prices = linear(self.room, self.columns, values, floors)
        for _ in range(rounds):
            if prices is None or self._budget.over():
                break
            found = self._price(prices)
            if self._budget.over():
                break
            proven = self._bound(values, floors, prices, found)
            bound = proven if bound is None else min(bound, proven)
            new = False
            for pricing in found:
                for column, seats in pricing.found:
                    if _worth(column, prices) > prices.hosts[pricing.group] + 1e-6:
                        new = self._add(column, seats) or new
            if not new or bound - prices.total <= close:
                break
            prices = linear(self.room, self.columns, values, floors)
        return prices, None if self._narrow else bound

    def shake(self, prices: Prices, rounds: int, seed: int) -> None:
        """Add columns that are best at prices a little off these."""
        chance = Random(seed)
        for _ in range(rounds):
            if self._budget.over():
                return
            shaken = [price * (1 + chance.uniform(-SPREAD, SPREAD)) for price in prices.vms]
            for pricing in self._price(Prices(0, tuple(shaken), prices.hosts, (), ())):
                for column, seats in pricing.found[-3:]:
                    self._add(column, seats)

    def _price(self, prices: Prices) -> list[Pricing]:
        """The best content of a host of each group at these prices."""
        whole = [round(price * SCALE) for price in prices.vms]
        found = list(self._pool.map(lambda group: self._price_one(group, whole), range(len(self._groups))))
        self._budget.work += sum(work for _, work in found)
        return [pricing for pricing, _ in found]

    def _price_one(self, group: int, prices: Sequence[int]) -> tuple[Pricing, float]:
        model, counts = self._boards[group].model, self._counts[group]
        if not counts:
            return Pricing(group), 0.0
        model.maximize(
            cp_model.LinearExpr.weighted_sum([count for _, count in counts], [prices[number] for number, _ in counts])
        )
        solver = cp_model.CpSolver()
        parameters = solver.parameters
        parameters.num_workers = 1
        parameters.linearization_level = 2
        parameters.cp_model_probing_level = 0  # probing and symmetry cost more than they save on one host
        parameters.symmetry_level = 0
        parameters.max_deterministic_time = PRICING_WORK
        parameters.max_time_in_seconds = max(0.01, self._budget.left)
        parameters.catch_sigint_signal = False
        watch = Contents(group, counts)
        status = solver.solve(model, watch)
        bound = sum(prices[number] * self.room.vms[number] for number, _ in counts)  # of everything at once
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            bound = min(bound, int(solver.best_objective_bound + 0.5))
        return Pricing(group, watch.found, bound), solver.response_proto.deterministic_time

    def _bound(self, values: Values, floors: Sequence[Floor], prices: Prices, found: Sequence[Pricing]) -> int:
        """What no answer exceeds, by these prices: in whole numbers throughout."""
        held = [max(0, round(price * SCALE)) for price in prices.floors]
        total = sum(pricing.bound * self.room.hosts[pricing.group] for pricing in found)
        for number, most in enumerate(self.room.vms):
            value = SCALE * values.get(number, 0)
            value += sum(price * floor.values.get(number, 0) for price, floor in zip(held, floors, strict=True))
            total += most * max(0, value - round(prices.vms[number] * SCALE))
        total -= sum(price * floor.least for price, floor in zip(held, floors, strict=True))
        return total // SCALE

    # answers

    def choose(self, values: Values, floors: Sequence[Floor] = (), *, nodes: int, gap: float) -> list[Stand]:
        """The stands of a good choice of whole columns."""
        often = whole(self.room, self.columns, values, floors, self._budget, nodes=nodes, gap=gap) or []
        hosts = [list(names) for names in self._groups]
        left = [list(names) for names in self._waiting]
        stands: list[Stand] = []
        for column, times in zip(self.columns, often, strict=False):
            for _ in range(times):
                if hosts[column.group]:
                    stands.extend(self._onto(hosts[column.group].pop(0), column, left))
        return stands

    def _onto(self, host: str, column: Column, left: list[list[str]]) -> list[Stand]:
        """A column's stands on a host, for VMs that are left of its classes; who is one too many is left out."""
        cluster, content = self._scene.cluster, self._content(column)
        stands: list[Stand] = []
        for stand in content:
            names = left[self._number[stand.vm]]
            if names:
                stands.append(transferred(cluster, stand, names.pop(0), host))
        if len(stands) == len(content) or cluster.platform.slot_choice == "chosen":
            return stands
        return self._in_turn(stands, left)  # where the manager picks slots, all after a gap are elsewhere

    def _in_turn(self, stands: Sequence[Stand], left: list[list[str]]) -> list[Stand]:
        """The same VMs seated one after the other as the manager would; who finds no seat goes back."""
        cluster, seated = self._scene.cluster, []
        for stand in stands:
            one = None
            if cluster.platform.slot_choice == "first-legal":
                one = stand_on(self._scene, cluster.vms[stand.vm], cluster.hosts[stand.host])
            if one is None:
                left[self._number[stand.vm]].append(stand.vm)
            else:
                self._scene.put(one)
                seated.append(one)
        for one in seated:
            self._scene.remove(one)
        return seated

    def _content(self, column: Column) -> tuple[Stand, ...]:
        """A column's stands, on the first host of its group."""
        seats = self._seats[column]
        if isinstance(seats, Content):
            return seats.stands
        read = self._boards[column.group].read(lambda one: one if isinstance(one, int) else seats[one.index])
        self._seats[column] = Content(tuple(read))
        return tuple(read)


def _worth(column: Column, prices: Prices) -> float:
    """What a column's VMs are worth."""
    return sum(prices.vms[number] * amount for number, amount in column.counts)
