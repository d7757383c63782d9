"""The states that GPUs are in, numbered: what an item makes of a state, and what each state strands.

A cluster of thousands of GPUs has few states: a model, a mode, the sharings open to it, and what it holds. What an ask
can do with a state, and what each expected ask loses of it, is worked out once and then looked up for all GPUs at once
(FGD keeps its scores so: Weng et al., USENIX ATC 2023).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs
from placer_models.goals.stranded import stranded_by
from placer_models.gpus import Sharing, Use, free_slots
from placer_models.gpus_use import POSITIONAL, Held, held, model_of, use_for
from placer_models.scene import Scene

Ints = npt.NDArray[np.int64]
Item = tuple[Ask, Needs]
"""One item of an ask (`count` 1), and whether it needs CUDA."""

NEVER = 2**50
"""What it costs to put an item where there is no room for it: more than anything that can be lost."""


@dataclass(frozen=True)
class State:
    """What a GPU like `gpu` is in: its sharing and what it holds."""

    gpu: Gpu
    sharing: Sharing
    holds: Held

    @cached_property
    def used(self) -> int:
        """Thousandths of it that are held."""
        return sum(use.share_milli for use, _ in self.holds)


class Turn(NamedTuple):
    """What one item makes of a state: the next state, the sharing that the GPU then stands in, and the item's slot."""

    state: int
    sharing: Sharing
    slot: int | None


class Rows:
    """The states of a cluster's GPUs, and the items that VMs ask for, both by number. State 0 is no GPU at all."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.states: list[State | None] = [None]
        self._first_legal = cluster.platform.slot_choice != "chosen"
        self._numbers: dict[Hashable, int] = {}
        self._visited: list[int] = []
        """The states in which GPUs were, in the order in which they were first seen there."""
        self._seen: set[int] = set()
        self._items: dict[Item, int] = {}
        self._tables: list[_Table] = []
        self._turns: dict[tuple[int, int], tuple[Turn, ...]] = {}
        self._most: dict[tuple[int, int], int] = {}
        self._room: dict[int, tuple[Ints, int]] = {}
        self._used: Ints = np.zeros(0, dtype=np.int64)
        self._expected: dict[int, int] = {}
        """The column of each item that is expected."""
        self._weights: list[int] = []
        self._lost = np.zeros((256, 32), dtype=np.int64)
        self._filled = (1, 0)
        self._served: dict[Hashable, tuple[int, list[tuple[int, Item]]]] = {}
        self._losses: Ints | None = None
        self._free: Ints = np.zeros(0, dtype=np.int64)
        self._answered: dict[int, tuple[tuple[int, ...], tuple[Ints, Ints]]] = {}
        """What `best` answered about each item, and what was known then."""
        self._empties: dict[int, int] = {}
        self._shares: dict[int, int] = {}
        self.values: Callable[[], Ints] | None = None
        """What each state is worth, where seats are to be chosen by that and not by what is stranded."""
        self.changes = 0
        """How often the weights have changed."""

    # states and items

    def item(self, item: Item) -> int:
        """The number of an item."""
        number = self._items.setdefault(item, len(self._items))
        if number == len(self._tables):
            self._tables.append(_Table(item))
        return number

    def of_host(self, scene: Scene, host: Host) -> list[int]:
        """The state of each of a host's GPUs."""
        return self.of_gpus(scene, host, host.gpus)

    def of_gpus(self, scene: Scene, host: Host, gpus: Sequence[Gpu]) -> list[int]:
        """The state of each of these GPUs of a host."""
        numbers = [self._number(gpu, scene.sharing(host.name, gpu), held(scene, host, gpu)) for gpu in gpus]
        self.visit(numbers)
        return numbers

    def visit(self, numbers: Sequence[int]) -> None:
        """Note that GPUs are in these states."""
        self._visited.extend(number for number in dict.fromkeys(numbers) if number not in self._seen)
        self._seen.update(numbers)

    def _number(self, gpu: Gpu, sharing: Sharing, holds: Held) -> int:
        if sharing == "fraction" and len(holds) > 1:  # no positions: only how much is taken matters
            taken = sum(use.units for use, _ in holds)
            holds = ((Use(taken, None, share_milli=taken), None),)
        key = gpu.model, gpu.mode, frozenset(gpu.sharings), sharing, frozenset(Counter(holds).items())
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.states)
            self.states.append(State(gpu, sharing, holds))
            self._losses = None
        return number

    def empty(self, number: int) -> int:
        """The state of an empty GPU like that of another state."""
        if number not in self._empties:
            state = self.states[number]
            found = 0 if state is None else self._number(state.gpu, min(state.gpu.sharings), ())
            self._empties[number] = self._empties[found] = found
        return self._empties[number]

    def free(self) -> Ints:
        """Thousandths that are free of a GPU in each state."""
        if len(self._free) < len(self.states):
            new = self.states[len(self._free) :]
            self._free = np.append(self._free, [0 if state is None else 1000 - state.used for state in new])
        return self._free

    def share(self, item: int) -> int:
        """Thousandths of a GPU that an item takes (0: it has no place here)."""
        if item not in self._shares:
            roots = {self.empty(number): None for number in self._visited}
            ends = (self.states[turn.state] for root in roots for turn in self.turns(item, root))
            self._shares[item] = next((state.used for state in ends if state is not None), 0)
        return self._shares[item]

    def turns(self, item: int, state: int) -> tuple[Turn, ...]:
        """All that an item can make of a state; where the manager picks slots, in its first legal one."""
        key = item, state
        if key not in self._turns:
            self._turns[key] = tuple(self._find_turns(self._tables[item].item, state))
        return self._turns[key]

    def room(self, item: int) -> Ints:
        """For each state in which GPUs are, how many items of one sort it takes at most."""
        table, seen = self._room.get(item, (np.zeros(0, dtype=np.int64), 0))
        if seen < len(self._visited):
            new = self._visited[seen:]
            counts = [self.most(item, state) for state in new]
            grown = np.zeros(max(len(self.states), len(table)), dtype=np.int64)
            grown[: len(table)] = table
            grown[new] = counts
            table = grown
            self._room[item] = table, len(self._visited)
        return table

    def used(self) -> Ints:
        """How much of a GPU in each state is held, in thousandths."""
        known = len(self._used)
        if known < len(self.states):
            more = [0 if state is None else state.used for state in self.states[known:]]
            self._used = np.concatenate((self._used, np.array(more, dtype=np.int64)))
        return self._used

    def most(self, item: int, state: int) -> int:
        """How many items of one sort a state takes at most. All are equally long, so nothing beats taking the first
        legal slot each time (interval scheduling).
        """
        key = item, state
        if key not in self._most:
            firsts = {turn.sharing: turn for turn in reversed(self.turns(item, state))}
            self._most[key] = max((self._in_a_row(item, turn.state) for turn in firsts.values()), default=0)
        return self._most[key]

    def _in_a_row(self, item: int, state: int) -> int:
        """How many items are taken, each in its first legal slot, once the first has led to a state."""
        count = 1
        while turns := self.turns(item, state):
            count, state = count + 1, turns[0].state
        return count

    def _find_turns(self, item: Item, number: int) -> Iterator[Turn]:
        state = self.states[number]
        if state is None:
            return
        gpu, (ask, needs) = state.gpu, item
        for sharing in (state.sharing,) if state.holds else gpu.sharings:
            use = use_for(self.cluster, ask, needs, gpu, sharing)
            if use is None:
                continue
            slots = free_slots(use, model_of(self.cluster, gpu).row_units(sharing), state.holds)
            alike = self._first_legal or sharing not in POSITIONAL
            for slot in slots[:1] if alike else slots:
                after = self._number(gpu, sharing, (*state.holds, (use, slot)))
                yield Turn(after, sharing, None if sharing == "passthrough" else slot)

    # what is lost

    def expect(self, item: Item, times: int) -> None:
        """Reckon with one item so many times more (or fewer)."""
        column = self._expected.setdefault(self.item(item), len(self._expected))
        if column == len(self._weights):
            self._weights.append(0)
        self._weights[column] += times
        self._losses = None
        self.changes += 1

    @property
    def weight(self) -> int:
        """All weights together."""
        return sum(self._weights)

    def losses(self) -> Ints:
        """What each state strands, times the weights."""
        if self._losses is None:
            self._fill()
            rows, columns = self._filled
            self._losses = self._lost[:rows, :columns] @ np.array(self._weights, dtype=np.int64)
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
        key = gpu.model, gpu.mode, frozenset(gpu.sharings)
        known, found = self._served.get(key, (0, []))
        for number, column in islice(self._expected.items(), known, None):
            ask, needs = item = self._tables[number].item
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
        table = self._tables[item]
        for number in self._visited[table.seen :]:
            table.take(number, self.turns(item, number))
        costs = self.costs()
        asked = self.changes, table.seen, len(self.states)
        if item in self._answered and self._answered[item][0] == asked:
            return self._answered[item][1]
        found = np.full(len(self.states), NEVER, dtype=np.int64)
        after = np.arange(len(self.states))
        if table.sources:
            sources, targets, starts = table.arrays()
            grown = costs[targets] - costs[sources]
            first = starts
            if len(starts) < len(sources):
                places = np.lexsort((grown, sources))
                grouped = sources[places]
                first = places[np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])]
            found[sources[first]] = grown[first]
            after[sources[first]] = targets[first]
        self._answered[item] = asked, (found, after)
        return found, after

    def warm_up(self) -> None:
        """Work out beforehand what each item that is known can make of each state in which GPUs are."""
        for item in range(len(self._tables)):
            self.best(item)


class _Table:
    """The turns of one item, from each state that was looked at."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.seen = 0
        self.sources: list[int] = []
        self._targets: list[int] = []
        self._starts: list[int] = []
        self._arrays: tuple[Ints, Ints, Ints] | None = None

    def take(self, number: int, turns: Sequence[Turn]) -> None:
        """Note what the item makes of a state."""
        self.seen += 1
        if turns:
            self._starts.append(len(self.sources))
            self.sources.extend([number] * len(turns))
            self._targets.extend(turn.state for turn in turns)
            self._arrays = None

    def arrays(self) -> tuple[Ints, Ints, Ints]:
        """Source and target of each turn, and where the turns of each source begin."""
        if self._arrays is None:
            lists = self.sources, self._targets, self._starts
            self._arrays = tuple(np.array(one, dtype=np.int64) for one in lists)  # type: ignore[assignment]
        assert self._arrays is not None
        return self._arrays
