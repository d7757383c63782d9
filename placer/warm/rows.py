"""What items cost in each state that a GPU may be in: what is stranded more, for what is expected to be asked for.

What each expected ask loses of a state is worked out once (FGD keeps its scores so: Weng et al., USENIX ATC 2023); what
changes are the weights, and the states that are new.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import islice

import numpy as np

from placer.warm.states import Ints, Item, States, Turn
from placer_models.cluster import Cluster, Gpu
from placer_models.goals.stranded import stranded_by
from placer_models.gpus_use import use_for

NEVER = 2**50
"""What it costs to put an item where there is no room for it: more than anything that can be lost."""

FREE_BITS = 10
"""The lowest bits of the keys by which GPUs are compared: thousandths that are free; those above are the cost."""


class Rows(States):
    """The states, with what each strands for the expected items, and what each item's best turn costs."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._expected: dict[int, int] = {}
        """The column of each item that is expected."""
        self._weights: list[int] = []
        self._lost: Ints = np.zeros((256, 32), dtype=np.int64)
        self._filled = (1, 0)
        self._served: dict[Hashable, tuple[int, list[tuple[int, Item]]]] = {}
        self._losses: Ints = np.zeros(0, dtype=np.int64)
        self._tables: dict[int, _Table] = {}
        self.values: Callable[[], Ints] | None = None
        """What each state is worth, where seats are to be chosen by that and not by what is stranded."""
        self.changes = 0
        """How often the weights have changed."""

    def expect(self, item: Item, times: int) -> None:
        """Reckon with one item so many times more (or fewer)."""
        column = self._expected.setdefault(self.item(item), len(self._expected))
        if column == len(self._weights):
            self._weights.append(0)
        self._weights[column] += times
        self._losses = self._losses[:0]
        self.changes += 1

    @property
    def weight(self) -> int:
        """All weights together."""
        return sum(self._weights)

    def losses(self) -> Ints:
        """What each state strands, times the weights."""
        known = len(self._losses)
        if known < len(self.states):
            self._fill()
            rows, columns = self._filled
            more = self._lost[known:rows, :columns] @ np.array(self._weights, dtype=np.int64)
            self._losses = np.concatenate([self._losses, more])
        return self._losses

    def _fill(self) -> None:
        """Work out what is not known yet: of new states, and for new items."""
        rows, columns = self._filled
        size = len(self.states), len(self._expected)
        if size[0] > self._lost.shape[0] or size[1] > self._lost.shape[1]:
            grown = np.zeros((2 * size[0], 2 * size[1]), dtype=np.int64)
            grown[:rows, :columns] = self._lost[:rows, :columns]
            self._lost = grown
        for number in range(1 if size[1] > columns else rows, size[0]):
            state = self.states[number]
            assert state is not None
            for column, (ask, needs) in self._served_by(state.gpu):
                if number >= rows or column >= columns:
                    lost = stranded_by(self.cluster, ask, needs, state.gpu, state.sharing, state.holds)
                    self._lost[number, column] = lost
        self._filled = size

    def _served_by(self, gpu: Gpu) -> list[tuple[int, Item]]:
        """The expected items (and their columns) that such a GPU could serve; the others strand nothing of it."""
        key = gpu.make, frozenset(gpu.sharings)
        known, found = self._served.get(key, (0, []))
        for number, column in islice(self._expected.items(), known, None):
            ask, needs = item = self.items[number]
            if any(use_for(self.cluster, ask, needs, gpu, sharing) for sharing in gpu.sharings):
                found.append((column, item))
        self._served[key] = len(self._expected), found
        return found

    def costs(self) -> Ints:
        """By which seats are compared: the least cost is best."""
        return self.losses() if self.values is None else -self.values()

    def best(self, item: int) -> tuple[Ints, Ints]:
        """For each state in which GPUs are, by how much the costs grow where the item takes its best turn (`NEVER`: it
        has none), and the state that the GPU is in then.
        """
        table = self._table(item)
        return table.costs, table.after

    def _table(self, item: int) -> _Table:
        table = self._tables.get(item)
        if table is None:
            table = self._tables[item] = _Table()
        if table.seen < len(self.visited) or table.changes != self.changes:
            new = [(number, self.turns(item, number)) for number in self.visited[table.seen :]]
            table.renew(new, self.costs(), self.free(), self.changes)
        return table

    def spread(self, item: int, count: int, states: Ints) -> tuple[Ints, Ints]:
        """For hosts whose GPUs are in these states (a row for each): what it costs to put so many of an item on as many
        of a host's GPUs (`NEVER`: there is no room), and on which (a row for each): of equals on the fullest.
        """
        table = self._table(item)
        if len(states) < count:
            return np.full(states.shape[1], NEVER, dtype=np.int64), np.zeros((count, states.shape[1]), dtype=np.int64)
        keys = table.keys[states]
        if count == 1:
            gpus: Ints = keys.argmin(axis=0)[None]
            return keys.min(axis=0) >> FREE_BITS, gpus
        gpus = keys.argsort(axis=0, kind="stable")[:count]
        costs = np.take_along_axis(keys, gpus, axis=0) >> FREE_BITS
        return np.where(costs[-1] < NEVER, costs.sum(axis=0), NEVER), gpus  # other costs may be below nothing

    def warm_up(self) -> None:
        """Work out beforehand what each item that is known can make of each state in which GPUs are."""
        for item in range(len(self.items)):
            self.best(item)


class _Table:
    """What one item costs in each state that was looked at (`seen` so many of those visited), as of the weights'
    `changes`, the `keys` by which GPUs are compared, and the state that the GPU is in `after` its best turn.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.changes = -1
        self.costs: Ints = np.zeros(0, dtype=np.int64)
        self.keys: Ints = np.zeros(0, dtype=np.int64)
        self.after: Ints = np.zeros(0, dtype=np.int64)
        self._turns: list[tuple[int, Sequence[Turn]]] = []
        self._arrays: tuple[Ints, Ints, Ints] | None = None

    def renew(self, new: Sequence[tuple[int, Sequence[Turn]]], costs: Ints, free: Ints, changes: int) -> None:
        """Look at states that are new, and where the weights have changed again at all others."""
        self.seen += len(new)
        some = [(number, turns) for number, turns in new if turns]
        self._turns += some
        self._arrays = None if some else self._arrays
        more = len(costs) - len(self.costs)
        if more > 0:
            self.costs = np.concatenate([self.costs, np.full(more, NEVER, dtype=np.int64)])
            self.keys = np.concatenate([self.keys, np.full(more, NEVER << FREE_BITS, dtype=np.int64)])
            self.after = np.concatenate([self.after, np.arange(len(self.after), len(costs))])
        if changes == self.changes:
            self._take(some, costs, free)
        elif self._turns:
            self._take_all(costs, free)
        self.changes = changes

    def _take(self, some: Iterable[tuple[int, Sequence[Turn]]], costs: Ints, free: Ints) -> None:
        for number, turns in some:
            after = min((turn.state for turn in turns), key=lambda state: int(costs[state]))
            cost = int(costs[after] - costs[number])
            self.costs[number], self.after[number] = cost, after
            self.keys[number] = (cost << FREE_BITS) + free[number]

    def _take_all(self, costs: Ints, free: Ints) -> None:
        """The same for all states at once."""
        sources, targets, starts = self._in_arrays()
        grown = costs[targets] - costs[sources]
        first = starts
        if len(starts) < len(sources):
            places = np.lexsort((grown, sources))
            grouped = sources[places]
            first = places[np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])]
        able = sources[first]
        self.costs[able], self.after[able] = grown[first], targets[first]
        self.keys[able] = (grown[first] << FREE_BITS) + free[able]

    def _in_arrays(self) -> tuple[Ints, Ints, Ints]:
        """Source and target of each turn, and where the turns of each source begin."""
        if self._arrays is None:
            sources = [number for number, turns in self._turns for _ in turns]
            targets = [turn.state for _, turns in self._turns for turn in turns]
            counts = [len(turns) for _, turns in self._turns]
            starts: Ints = np.cumsum([0, *counts[:-1]], dtype=np.int64)
            self._arrays = np.array(sources, dtype=np.int64), np.array(targets, dtype=np.int64), starts
        return self._arrays
