"""Room made by moves all over a cluster at once: which hosts change their content, and how, for so many moves at most.

A master problem chooses changes of hosts (`placer.solve.changes`):

    most  sum of value x VMs started
    where of each kind, VMs started <= VMs that come to hosts - VMs that leave hosts, and <= those that wait,
          VMs that leave hosts <= the moves that are allowed,
          changes of a group of hosts alike <= its hosts.

Which further changes would help is asked of every host with the master's prices, until none does. For any prices,

    moves x price of a move + sum over groups of (hosts x best change) + sum over who waits of max(0, value - price)

bounds what anybody can reach with so many moves. Until the changes known so far serve every kind, the master may buy a
place for a dear price, so that its prices stay sensible; in the end none is bought. What is asked with are means of the
master's prices, as these swing from one round to the next.

Source: the bound is the Lagrangian one (Luebbecke & Desrosiers, "Selected topics in column generation", 2005).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ortools.linear_solver.python import model_builder

from placer.solve.budget import Budget
from placer.solve.changes import PART, Change, Changes, Numbers
from placer.solve.inventory import WHOLE, Alike, Inventory, Row, Sort
from placer.solve.prices import prices as shared

BESIDE, FIRST_MOVE = 0.05, 100.0
"""At first: what a host's CPUs and memory are worth beside its GPUs, and what a move costs."""

DEAR, SPARE, DEARER = 1.1, 0.05, 1.3
"""What the master may buy a place for: parts of the first guess, and of the highest of all; and how much more, where it
still does so later.
"""

FEW = 6
"""VMs that wait that are tried in the place of one that stands, at first."""

CLOSE = 1e-3
"""The part of the total to which bound and master are brought together."""

SAMPLE, MANY_GROUPS = 8, 256
"""Of so many groups every eighth is looked at first, with its part of the moves and of those who wait: prices are
settled there eight times as fast, and are nearly those of all.
"""

SAMPLE_SHARE = 0.4
"""The part of the time that this may take."""

STEADY, STEADY_ALL = (4, 1e-2), (16, 1e-3)
"""Prices are settled when so many rounds have brought no more than this part: there, and on all hosts."""

NEAR = 0.5
"""The bound is near when it is at most this part above the master: then prices are sought near the best so far."""

LEAST = 0.5
"""The part of the first guess below which no price falls there."""

LIKED = 20.0
"""How much less than nothing the simplest changes of all hosts may be worth at these prices to be taken in."""

SMOOTH = 0.5
"""The part of the prices asked with before in those that are asked with next."""

MANY, KEPT = 60_000, 30_000
"""So many changes make the linear master slow; then so many are kept."""


@dataclass(frozen=True)
class Prices:
    """The linear master's best: its total, what a VM of each kind is worth there, a move, a host of each group, how
    often each change is taken, and the kinds of which places are bought.
    """

    total: float
    kinds: Numbers
    move: float
    groups: Numbers
    taken: Sequence[float]
    bought: frozenset[int]


class MovingColumns:
    """Column generation over an inventory's hosts, for so many moves."""

    def __init__(self, inventory: Inventory, moves: int, budget: Budget) -> None:
        self._in, self._moves, self._budget = inventory, moves, budget
        self.changes: list[Change] = []
        self._known: set[Change] = set()
        self._every = 1
        guess = self._guess()
        self._dear = DEAR * guess + SPARE * guess.max(initial=1.0)
        self._first = Prices(0.0, guess, FIRST_MOVE, np.zeros(0), (), frozenset())
        self.bound: float = math.inf
        self.settled = False
        """Whether all ended by itself, nothing for want of time."""

    def _guess(self) -> Numbers:
        """What a place for a VM of each kind may cost, about: its part of the GPUs, as what all ask for shares them,
        and a bit of the host beside them.
        """
        kinds = self._in.kinds
        top = max((one.value / max(1, one.gpus) for one in kinds if one.waiting), default=0)
        shares, beside = [0] * len(kinds), [0.0] * len(kinds)
        for sort in {id(group.sort): group.sort for group in self._in.groups}.values():
            for kind, (size, needs) in sort.takes.items():
                share = max((n / max(1, room) for n, room in zip(needs, sort.room, strict=True)), default=0.0)
                shares[kind] = max(shares[kind], size)
                beside[kind] = max(beside[kind], BESIDE * share * len(sort.host.gpus))
        sizes = sorted({size for size in shares if size})
        asked = Counter[int]()
        for number, one in enumerate(kinds):
            asked[shares[number]] += one.gpus * self._in.most(number)
        unit = math.gcd(WHOLE, *sizes)
        arcs = [
            (used // unit, item, (used + size) // unit)
            for used in range(0, WHOLE, unit)
            for item, size in enumerate(sizes)
            if used + size <= WHOLE
        ]
        found = shared(arcs, [asked[size] for size in sizes]) if sizes else None
        part = dict(zip(sizes, found or [size / WHOLE for size in sizes], strict=True)) | {0: 0.0}
        worth = [top * (one.gpus * part[size] + more) for one, size, more in zip(kinds, shares, beside, strict=True)]
        return np.round(np.array(worth) / PART) * PART

    def _simple(self) -> list[Change]:
        """The simplest changes: one VM leaves, one comes, or one that waits comes for one that leaves."""
        found: list[Change] = []
        fits = {id(group.sort): _Fits(self._in, group.sort) for group in self._in.groups}
        for number in self._sampled():
            group = self._in.groups[number]
            fit = fits[id(group.sort)]
            gone: list[tuple[Row | None, int, int]] = [
                (row, kind, size) for row, _ in group.rows for kind, size in row.residents
            ]
            gone += [(None, kind, 0) for kind, _ in group.plain]
            found += [Change(number, ((kind, 1),), ()) for kind in fit.kinds(group)]
            for row, kind, size in dict.fromkeys(gone):
                rows = () if row is None else ((row, (kind,)),)
                found.append(Change(number, (), ((kind, 1),), rows))
                come = [one for one in fit.kinds(group, row, kind, size) if self._in.kinds[one].waiting and one != kind]
                come.sort(key=lambda one: (-self._in.kinds[one].value, one))
                found += [Change(number, ((one, 1),), ((kind, 1),), rows) for one in come[:FEW]]
        return found

    def add(self, changes: Sequence[Change]) -> int:
        """Let these changes be chosen; how many of them were not known."""
        new = [change for change in dict.fromkeys(changes) if change not in self._known]
        self._known.update(new)
        self.changes += new
        return len(new)

    def generate(self, until: float) -> Prices | None:
        """Add changes until none helps any more, or the budget's `left` has come down to `until`; the last prices."""
        asked, prices = self._first, None
        for every in (SAMPLE, 1) if len(self._in.groups) >= MANY_GROUPS else (1,):
            self._every = every
            simple = self._simple()
            self.add(simple if every > 1 else [one for one in simple if _worth(one, asked) > -LIKED])
            end = until if every == 1 else until + (1 - SAMPLE_SHARE) * max(0.0, self._budget.left - until)
            asked, prices = self._settled(asked, end)
        return prices

    def _settled(self, asked: Prices, until: float) -> tuple[Prices, Prices | None]:
        """The prices that were asked with last and the master's, once nothing helps any more (or hardly)."""
        prices = self.linear()
        rounds, slow = STEADY_ALL if self._every == 1 else STEADY
        bound, best, totals = math.inf, asked, [-math.inf] * rounds
        while prices is not None and not self._budget.short(until):
            if prices.total < (1 + slow) * totals[-rounds]:
                self.settled = self._every == 1
                break
            totals.append(prices.total)
            most, new = self._round(asked)
            if most < bound:
                bound, best = most, asked
            if new == 0 or bound - prices.total <= CLOSE * max(1.0, bound):
                if asked is prices and not prices.bought:
                    self.settled = self._every == 1
                    break
                self._dear[list(prices.bought)] *= DEARER
                asked = prices = self.linear() or prices
                continue
            self._forget(prices)
            prices = self.linear()
            if prices is not None:
                near = bound - prices.total <= NEAR * prices.total
                asked = self._kept(_between(best if near else asked, prices))
        if self._every == 1:
            self.bound = bound
        return asked, prices

    def _kept(self, asked: Prices) -> Prices:
        """Prices that are not far below the first guess, while only a part of the hosts is looked at: what is not yet
        known to be of use is not given away.
        """
        if self._every == 1:
            return asked
        least = np.round(LEAST * self._first.kinds / PART) * PART
        return replace(asked, kinds=np.maximum(asked.kinds, least), move=max(asked.move, LEAST * FIRST_MOVE))

    def _sampled(self) -> range:
        """The groups that are looked at."""
        return range(0, len(self._in.groups), self._every)

    def _part(self) -> float:
        """The part of all hosts that is looked at."""
        groups = self._in.groups
        some = sum(len(groups[number].hosts) for number in self._sampled())
        return some / max(1, sum(len(group.hosts) for group in groups))

    def _forget(self, prices: Prices) -> None:
        """Keep the changes that these prices like best where there are very many."""
        if len(self.changes) > MANY:
            self.changes = self._ranked(prices)[:KEPT]
            self._known = set(self.changes)

    def _ranked(self, prices: Prices) -> list[Change]:
        """The changes, those that these prices like best first."""
        taken = {change for change, times in zip(self.changes, prices.taken, strict=False) if times > 1e-9}
        regret = {change: prices.groups[change.group] - _worth(change, prices) for change in self.changes}
        return sorted(self.changes, key=lambda change: (change not in taken, regret[change]))

    def _round(self, asked: Prices) -> tuple[float, int]:
        """Ask every host for its best change; the bound at these prices, and how many changes are new."""
        changes = Changes(self._in, asked.kinds, asked.move)
        part = self._part()
        total = asked.move * self._moves * part
        for kind, price in zip(self._in.kinds, asked.kinds, strict=True):
            total += part * len(kind.waiting) * max(0.0, kind.value - price)
        new, known = 0, self._best(asked)
        for number in self._sampled():
            if self._budget.over():
                return math.inf, new
            most, found = changes.of(number, float(known[number]))
            total += len(self._in.groups[number].hosts) * most
            new += self.add(found)
        return total, new

    def _best(self, asked: Prices) -> Numbers:
        """What the best change known so far of each group is worth at these prices."""
        best = np.zeros(len(self._in.groups))
        groups = np.array([change.group for change in self.changes], dtype=np.int64)
        np.maximum.at(best, groups, np.array([_worth(change, asked) for change in self.changes]))
        return best

    def linear(self) -> Prices | None:
        """The linear master's prices; None where the linear solver ends without any."""
        model = _Master(self._in, self.changes, self._moves, self._dear, self._part())
        solver = model_builder.Solver("glop")
        status = self._budget.run(lambda: solver.solve(model.model), solver.stop_search)
        if status != model_builder.SolveStatus.OPTIMAL:
            return None

        def dual(row: model_builder.LinearConstraint | None, sign: int = 1) -> float:
            return 0.0 if row is None else max(0.0, round(sign * solver.dual_value(row) / PART) * PART)

        return Prices(
            solver.objective_value,
            np.array([dual(row, -1) for row in model.kinds]),
            dual(model.moves),
            np.array([0.0 if row is None else max(0.0, solver.dual_value(row)) for row in model.groups]),
            [solver.value(one) for one in model.taken],
            frozenset(kind for kind, one in enumerate(model.bought) if solver.value(one) > 1e-6),
        )

    def whole(self, prices: Prices, seconds: float, most: int) -> list[tuple[Change, int]]:
        """Changes chosen a whole number of times, from the `most` that the master's prices like best."""
        some = self._ranked(prices)[:most]
        model = _Master(self._in, some, self._moves, None, 1.0)
        solver = model_builder.Solver("highs")
        solver.set_solver_specific_parameters("output_flag=false\n")  # else it says its name on standard output
        solver.set_time_limit_in_seconds(max(0.1, seconds))
        status = self._budget.run(lambda: solver.solve(model.model), solver.stop_search)
        self.settled = self.settled and status == model_builder.SolveStatus.OPTIMAL
        if status not in (model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE):
            return []
        chosen = ((one, round(solver.value(taken))) for one, taken in zip(some, model.taken, strict=True))
        return [(one, times) for one, times in chosen if times]


class _Fits:
    """Which kinds one more of fits on hosts of a sort."""

    def __init__(self, inventory: Inventory, sort: Sort) -> None:
        self._in, self._sort = inventory, sort
        self._kinds = np.array(list(sort.takes), dtype=np.int64)
        self._sizes = np.array([size for size, _ in sort.takes.values()], dtype=np.int64)
        self._needs = np.array([needs for _, needs in sort.takes.values()], dtype=np.int64).reshape(
            len(sort.takes), len(sort.room)
        )
        self._gpus = np.array([inventory.kinds[kind].gpus for kind in sort.takes], dtype=np.int64)

    def kinds(self, group: Alike, row: Row | None = None, gone: int | None = None, size: int = 0) -> list[int]:
        """Those that fit on a host as it is, or once one VM has `gone` that holds so much of a GPU in this row."""
        room = np.array(group.room, dtype=np.int64)
        if gone is not None:
            room = room + np.array(self._sort.amounts.get(self._in.vm_kind(gone), [0] * len(room)), dtype=np.int64)
        free = [one.free for one, many in group.rows for _ in range(many)]
        if row is not None:
            free.append(row.free + size)
        enough = np.zeros(1 + max([len(free), *self._gpus.tolist()]), dtype=np.int64) - 1
        enough[: len(free) + 1] = [WHOLE, *sorted(free, reverse=True)]
        fits = (self._needs <= room).all(axis=1) & (enough[self._gpus] >= self._sizes)
        return [int(kind) for kind in self._kinds[fits]]


class _Master:
    """The master problem: linear with a price for which places may be bought, else in whole numbers."""

    def __init__(
        self, inventory: Inventory, changes: Sequence[Change], moves: int, dear: Numbers | None, part: float
    ) -> None:
        expr = model_builder.LinearExpr
        self.model = model_builder.Model()  # type: ignore[no-untyped-call]
        new = self.model.new_int_var if dear is None else self.model.new_num_var
        hosts = [len(group.hosts) for group in inventory.groups]
        self.taken = [new(0, hosts[change.group], "") for change in changes]
        self.started = [new(0, part * len(kind.waiting), "") for kind in inventory.kinds]
        self.bought = [] if dear is None else [new(0, math.inf, "") for _ in inventory.kinds]
        net: list[list[tuple[object, float]]] = [[(one, -1.0)] for one in self.started]
        for number, one in enumerate(self.bought):
            net[number].append((one, 1.0))
        used: dict[int, list[object]] = defaultdict(list)
        leaving: list[tuple[model_builder.Variable, float]] = []
        for change, taken in zip(changes, self.taken, strict=True):
            used[change.group].append(taken)
            sums = Counter(dict(change.comes))
            sums.subtract(dict(change.leaves))
            for kind, many in sums.items():
                net[kind].append((taken, float(many)))
            if change.leaves:
                leaving.append((taken, float(change.moves)))

        def weighted(pairs: Sequence[tuple[object, float]]) -> model_builder.LinearExpr:
            return expr.weighted_sum([one for one, _ in pairs], [factor for _, factor in pairs])

        self.kinds = [self.model.add(weighted(pairs) >= 0) for pairs in net]
        self.moves = self.model.add(weighted(leaving) <= part * moves) if leaving else None
        self.groups = [
            self.model.add(expr.sum(used[number]) <= many) if number in used else None
            for number, many in enumerate(hosts)
        ]
        aim = [(one, float(kind.value)) for one, kind in zip(self.started, inventory.kinds, strict=True)]
        aim += [(one, -float(price)) for one, price in zip(self.bought, () if dear is None else dear, strict=True)]
        if dear is None:  # of equal ones the fewest moves
            aim += [(one, -factor / (2.0 * moves + 2.0)) for one, factor in leaving]
        self.model.maximize(weighted(aim))


def _worth(change: Change, prices: Prices) -> float:
    """What a change is worth at these prices."""
    come = sum(many * float(prices.kinds[kind]) for kind, many in change.comes)
    return come - sum(many * (float(prices.kinds[kind]) + prices.move) for kind, many in change.leaves)


def _between(asked: Prices, prices: Prices) -> Prices:
    """The master's prices, smoothed with those that were asked with before."""
    kinds = np.round((SMOOTH * asked.kinds + (1 - SMOOTH) * prices.kinds) / PART) * PART
    return replace(prices, kinds=kinds, move=round((SMOOTH * asked.move + (1 - SMOOTH) * prices.move) / PART) * PART)
