"""The states that GPUs are in, numbered, and what items make of them.

A cluster of thousands of GPUs has few states: a model, a mode, the sharings open to it, and what it holds. What an item
can do with a state is worked out once and then looked up for all GPUs at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs
from placer_models.gpus import Sharing, Use, free_slots
from placer_models.gpus_use import POSITIONAL, Held, held, model_of, use_for
from placer_models.scene import Scene

Ints = npt.NDArray[np.int64]
Item = tuple[Ask, Needs]
"""One item of an ask (`count` 1), and whether it needs CUDA."""


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


class States:
    """The states of a cluster's GPUs, and the items that VMs ask for, both by number. State 0 is no GPU at all."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.states: list[State | None] = [None]
        self.items: list[Item] = []
        self.visited: list[int] = []
        """The states in which GPUs were, in the order in which they were first seen there."""
        self._seen: set[int] = set()
        self._first_legal = cluster.platform.slot_choice != "chosen"
        self._numbers: dict[Hashable, int] = {}
        self._items: dict[Item, int] = {}
        self._turns: dict[tuple[int, int], tuple[Turn, ...]] = {}
        self._most: dict[tuple[int, int], int] = {}
        self._room: dict[int, tuple[Ints, int]] = {}
        self._used: Ints = np.zeros(0, dtype=np.int64)
        self._free: Ints = np.zeros(0, dtype=np.int64)
        self._empties: dict[int, int] = {}
        self._shares: dict[int, int] = {}

    def item(self, item: Item) -> int:
        """The number of an item."""
        number = self._items.setdefault(item, len(self._items))
        if number == len(self.items):
            self.items.append(item)
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
        self.visited.extend(number for number in dict.fromkeys(numbers) if number not in self._seen)
        self._seen.update(numbers)

    def _number(self, gpu: Gpu, sharing: Sharing, holds: Held) -> int:
        if sharing == "fraction" and len(holds) > 1:  # no positions: only how much is taken matters
            taken = sum(use.units for use, _ in holds)
            holds = ((Use(taken, None, share_milli=taken), None),)
        key = gpu.make, frozenset(gpu.sharings), sharing, frozenset(Counter(holds).items())
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.states)
            self.states.append(State(gpu, sharing, holds))
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
            roots = {self.empty(number): None for number in self.visited}
            ends = (self.states[turn.state] for root in roots for turn in self.turns(item, root))
            self._shares[item] = next((state.used for state in ends if state is not None), 0)
        return self._shares[item]

    def turns(self, item: int, state: int) -> tuple[Turn, ...]:
        """All that an item can make of a state; where the manager picks slots, in its first legal one."""
        key = item, state
        if key not in self._turns:
            self._turns[key] = tuple(self._find_turns(self.items[item], state))
        return self._turns[key]

    def room(self, item: int) -> Ints:
        """For each state in which GPUs are, how many items of one sort it takes at most."""
        table, seen = self._room.get(item, (np.zeros(0, dtype=np.int64), 0))
        if seen < len(self.visited):
            new = self.visited[seen:]
            counts = [self.most(item, state) for state in new]
            grown = np.zeros(max(len(self.states), len(table)), dtype=np.int64)
            grown[: len(table)] = table
            grown[new] = counts
            table = grown
            self._room[item] = table, len(self.visited)
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
