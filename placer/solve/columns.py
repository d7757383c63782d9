"""Columns: the contents of whole hosts, for clusters in which many hosts are alike.

Hosts that nothing tells apart form a group; a column is what may come to one host of a group. A master problem chooses
columns (`placer.solve.master`); which further column would help is asked of the same board as everywhere, over one
host, with the master's prices as the VMs' values, or prices near them (`placer.solve.steady`). Group after group is
asked so, those of most hosts first, and the master is solved anew as soon as one knows something. When none does, what
the pricing boards prove bounds what anybody can reach: for any prices,

    sum over groups of (hosts x the best content at these prices) + sum over VMs of max(0, value - price).

Rules that tie hosts together are not part of this: dropping them leaves the bound a bound; answers come from elsewhere.

Sources: Gilmore & Gomory, "A linear programming approach to the cutting-stock problem", 1961; the bound is the
Lagrangian one (Luebbecke & Desrosiers, "Selected topics in column generation", 2005), which also names the partial
pricing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from placer.solve.board import CountBoard
from placer.solve.budget import Budget
from placer.solve.conditions import reading
from placer.solve.instead import Pairs, instead
from placer.solve.master import Column, Floor, Prices, Room, Values, linear
from placer.solve.pricing import SCALE, Pricer, Pricing
from placer.solve.steady import Asked, Steady, worth
from placer.solve.survey import Survey, transferred
from placer_models.goals.goal import Goal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

WIDTH, MANY = 6, 1000
"""How many groups are asked before the master is solved anew: so many more with every so many columns, as that takes
longer then.
"""

FEWER = 0.7
"""For what is left, boards are made anew when so few classes of VMs are: they are much smaller then."""

SHARE = 0.6
"""The part of the time after which prices are settled no further, and the last ones are proven."""


@dataclass(frozen=True)
class Read:
    """What comes to a host, by a board's unknowns."""

    board: CountBoard
    values: tuple[int, ...]


Content = tuple[Stand, ...]
"""What comes to a host, seated."""


@dataclass(frozen=True)
class Setting:
    """What all columns of a search have in common. `rules` are those that look at one host at a time; `asked` are the
    VMs that may come, with their priorities.
    """

    scene: Scene
    survey: Survey
    rules: Sequence[Rule]
    goals: Sequence[Goal]
    asked: Mapping[str, int]
    budget: Budget
    workers: int


class Columns:
    """Column generation for the VMs of `waiting` (grouped into classes) on `groups` of hosts that are alike.

    Classes and groups keep their numbers when all their VMs or hosts are gone (`rest`).
    """

    def __init__(
        self,
        setting: Setting,
        waiting: Sequence[Sequence[str]],
        groups: Sequence[Sequence[str]],
        before: Columns | None = None,
    ) -> None:
        self._in, self.groups, self.waiting = setting, groups, waiting
        pairs = self._pairs() if before is None else before.room.instead
        self.room: Room = Room(tuple(map(len, groups)), tuple(map(len, waiting)), pairs)
        self._instead: dict[int, list[int]] = defaultdict(list)
        for first, second in pairs:
            self._instead[first].append(second)
        self._group = {host: number for number, names in enumerate(groups) for host in names}
        self._number = {name: number for number, names in enumerate(waiting) for name in names}
        self._size: int = sum(map(bool, waiting))
        if before is not None:
            self._number = before._number
        if before is not None and self._size > FEWER * before._size:
            self._size = before._size
            kept = before._boards
        else:
            kept = {number: self._board(names[0]) for number, names in enumerate(groups) if names}
        self._boards: dict[int, Pricer] = {number: one for number, one in kept.items() if groups[number]}
        self._narrow = any(board.board.narrow for board in self._boards.values())
        self._turns = sorted(self._boards, key=lambda number: -len(groups[number]))
        self.columns: list[Column] = []
        self._seats: dict[Column, Read | Content] = {}

    def _board(self, host: str) -> Pricer:
        setting = self._in
        asked = {name: setting.asked[name] for names in self.waiting for name in names}
        board = CountBoard(setting.scene, setting.rules, setting.goals, asked, groups=[[host]], survey=setting.survey)
        here = board.here(board.places[0])
        return Pricer(board, [(self._number[vms.names[0]], count) for vms, count in here if not vms.stands])

    def _pairs(self) -> Pairs:
        """Whose places would do for whom."""
        vms = [self._in.scene.cluster.vms[names[0]] for names in self.waiting]
        return instead(vms, self._in.rules, self._in.scene)

    @property
    def budget(self) -> Budget:
        """The time for all this."""
        return self._in.budget

    def values(self, goal: int) -> Values | None:
        """What a VM of each class counts for in a goal (given by its number); None where it counts something else than
        VMs placed.
        """
        found: dict[int, int] = {}
        for pricer in self._boards.values():
            terms, _ = pricer.board.aims[goal]
            factors, unknowns, _ = pricer.board.merged(terms)
            numbers = {count.index: number for number, count in pricer.counts}
            for factor, unknown in zip(factors, unknowns, strict=True):
                number = numbers.get(unknown.index)
                if number is None or factor < 0 or found.setdefault(number, factor) != factor:
                    return None
        return found

    def counted(self, names: Iterable[str]) -> Mapping[int, int]:
        """How many of each class these VMs are."""
        return Counter(self._number[name] for name in names)

    def take(self, stands: Iterable[Stand]) -> None:
        """Let the contents of an answer be columns."""
        hosts: dict[str, list[Stand]] = defaultdict(list)
        for stand in stands:
            if stand.vm in self._number and stand.host in self._group:
                hosts[stand.host].append(stand)
        for host, content in hosts.items():
            counts = Counter(self._number[stand.vm] for stand in content)
            self._add(Column(self._group[host], tuple(sorted(counts.items()))), tuple(content))

    def rest(self, waiting: Sequence[Sequence[str]], groups: Sequence[Sequence[str]]) -> Columns:
        """The same for the VMs and hosts that are left, with the columns known here as far as VMs are left for them."""
        left = Columns(self._in, waiting, groups, self)
        for column in self.columns:
            if groups[column.group]:
                counts = ((number, self._left(number, amount, waiting)) for number, amount in column.counts)
                left._add(Column(column.group, tuple(pair for pair in counts if pair[1])), self._seats[column])
        return left

    def _left(self, number: int, amount: int, waiting: Sequence[Sequence[str]]) -> int:
        """How many places of a class a column still has: others may take those that it does not need."""
        return amount if number in self._instead else min(amount, len(waiting[number]))

    def _add(self, column: Column, seats: Read | Content) -> bool:
        if column in self._seats or not column.counts:
            return False
        self._seats[column] = seats
        self.columns.append(column)
        return True

    # prices

    def generate(
        self, values: Values, floors: Sequence[Floor] = (), steady: Steady | None = None, *, enough: float = math.inf
    ) -> tuple[Prices | None, int | None]:
        """Add columns until none helps any more, or until the master reaches `enough`; the master's prices, and the
        bound as far as one is proven. Where `steady` prices are known all groups are asked in each round.
        """
        end = (1 - SHARE) * self.budget.left
        steady = steady or Steady(None)
        prices = linear(self.room, self.columns, values, floors)
        proven: dict[int, Pricing] = {}
        turn = 0
        while prices is not None and prices.total < min(enough, steady.bound) and not self.budget.over():
            asked = steady.between(prices)
            width = len(self._turns) if steady.guided else WIDTH * (1 + len(self.columns) // MANY)
            some = [self._turns[(turn + step) % len(self._turns)] for step in range(min(len(self._turns), width))]
            turn += len(some)
            found = self._price(asked, some)
            proven |= {pricing.group: pricing for pricing in found}
            whole = len(proven) == len(self._turns)
            if whole and not self._narrow:
                steady.tell(asked, prices, self.room, values, floors, proven.values())
            short = self.budget.short(end)
            if short and (whole or steady.bound < math.inf):
                break
            if not short and self._learnt(found, prices):
                prices, proven = linear(self.room, self.columns, values, floors), {}
                steady.learnt()
            elif whole:
                proven = {}
                if not steady.closer():
                    break
        return prices, None if steady.bound == math.inf else math.floor(steady.bound)

    def _learnt(self, found: Sequence[Pricing], prices: Prices) -> bool:
        """Add the columns that are worth more than their hosts; whether there are any."""
        added = [
            self._add(column, Read(self._boards[pricing.group].board, values))
            for pricing in found
            for column, values in pricing.found
            if worth(column, prices) > prices.hosts[pricing.group] + 1e-6
        ]
        return any(added)

    def _price(self, prices: Asked, groups: Sequence[int]) -> list[Pricing]:
        """The best content of a host of each of these groups at these prices."""
        whole = [round(price * SCALE) for price in prices.vms]
        with ThreadPoolExecutor(self._in.workers) as pool:
            found = list(pool.map(lambda group: self._best(group, whole), groups))
        self.budget.work += sum(pricing.work for pricing in found)
        return found

    def _best(self, group: int, prices: Sequence[int]) -> Pricing:
        return self._boards[group].best(group, prices, self.room.vms, self.budget.left)

    # seats

    def seated(self, column: Column, host: str, left: Sequence[list[str]]) -> list[Stand]:
        """A column's stands on a host, for VMs that are `left` of each class (and then no more are); who is one too
        many is left out.
        """
        cluster, content = self._in.scene.cluster, self._content(column)
        stands: list[Stand] = []
        for stand in content:
            names = self._takers(self._number[stand.vm], left)
            if names:
                stands.append(transferred(cluster, stand, names.pop(0), host))
        if len(stands) == len(content) or cluster.platform.slot_choice == "chosen":
            return stands
        return self._in_turn(stands, left)  # where the manager picks slots, all after a gap are elsewhere

    def _takers(self, number: int, left: Sequence[list[str]]) -> list[str]:
        """Who is left for a place of a class: its own, or else those of the next who may be there instead."""
        some, seen = [number], {number}
        for one in some:  # which grows meanwhile
            if left[one]:
                return left[one]
            some += [other for other in self._instead.get(one, ()) if other not in seen]
            seen.update(some)
        return []

    def _in_turn(self, stands: Sequence[Stand], left: Sequence[list[str]]) -> list[Stand]:
        """The same VMs seated one after the other as the manager would; who finds no seat goes back."""
        scene = self._in.scene
        cluster, seated = scene.cluster, []
        for stand in stands:
            one = None
            if cluster.platform.slot_choice == "first-legal":
                one = stand_on(scene, cluster.vms[stand.vm], cluster.hosts[stand.host])
            if one is None:
                left[self._number[stand.vm]].append(stand.vm)
            else:
                scene.put(one)
                seated.append(one)
        for one in seated:
            scene.remove(one)
        return seated

    def _content(self, column: Column) -> Content:
        """A column's stands, on some host of its group."""
        seats = self._seats[column]
        if isinstance(seats, Read):
            seats = self._seats[column] = tuple(seats.board.read(reading(seats.values)))
        return seats
