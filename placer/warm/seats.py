"""Where on one host a VM's items go so that least is lost: over its GPUs, one after the other, each with some of the
items that are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from placer.warm.rows import NEVER, Rows
from placer.warm.states import Item, Turn
from placer_models.cluster import Host, Needs, Vm
from placer_models.goals.stranded import item_of
from placer_models.gpus_together import zones
from placer_models.scene import Hold

Counts = tuple[int, ...]
"""How many items of each of a VM's asks."""

Path = tuple[tuple[int, Turn], ...]
"""Items put on one GPU one after the other: the number of the ask, and the turn."""


class Seats:
    """The best seats on a host, by what is lost of its GPUs."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._ends: dict[tuple[tuple[int, ...], int, Counts], dict[int, Path]] = {}

    def best(self, vm: Vm, host: Host, states: Sequence[int]) -> tuple[int, tuple[Hold, ...]] | None:
        """By how much what is lost grows, and the holds, in the order of the VM's asks; None: there are no seats."""
        if not vm.gpus:
            return 0, ()
        alike = simple(vm)
        if alike is not None:
            return self.alike(vm, host, states, self._rows.item(alike[0]), alike[1])
        allowed = zones(host, vm.needs)
        whole = vm.needs.nvlink
        found: tuple[int, tuple[tuple[int, Path], ...]] | None = None
        for zone in [None] if allowed is None else allowed:
            gpus = [i for i, gpu in enumerate(host.gpus) if zone is None or gpu.id in zone]
            if whole and len(gpus) != sum(ask.count for ask in vm.wants):
                continue
            gpus.sort(key=lambda i: -self._used(states[i]))  # of equal ones the fullest
            one = self._over(vm, [(i, states[i]) for i in gpus], whole)
            if one is not None and (found is None or one[0] < found[0]):
                found = one
        return None if found is None else (found[0], _holds(vm, host, found[1]))

    def alike(
        self, vm: Vm, host: Host, states: Sequence[int], item: int, count: int
    ) -> tuple[int, tuple[Hold, ...]] | None:
        """The same for a VM whose only item (by its number) goes on so many GPUs, one on each."""
        costs, _ = self._rows.best(item)
        chosen = sorted(range(len(host.gpus)), key=lambda i: (costs[states[i]], -self._used(states[i])))[:count]
        if len(chosen) < count or any(costs[states[i]] >= NEVER for i in chosen):
            return None
        return sum(int(costs[states[i]]) for i in chosen), self.held(vm, host, [(i, states[i]) for i in chosen], item)

    def held(self, vm: Vm, host: Host, gpus: Sequence[tuple[int, int]], item: int) -> tuple[Hold, ...]:
        """What a VM holds whose only item goes on each of these of a host's GPUs, which are in these states."""
        after, (ask,) = self._rows.best(item)[1], vm.wants
        turns = ((i, self._turn(item, state, int(after[state]))) for i, state in gpus)
        return tuple(Hold(host.gpus[i].id, turn.sharing, ask.profile, turn.slot, ask.milli) for i, turn in turns)

    def _turn(self, item: int, before: int, after: int) -> Turn:
        """The turn that leads from one state to another."""
        return next(turn for turn in self._rows.turns(item, before) if turn.state == after)

    def _used(self, number: int) -> int:
        state = self._rows.states[number]
        return 0 if state is None else state.used

    def _over(
        self, vm: Vm, gpus: Sequence[tuple[int, int]], whole: bool
    ) -> tuple[int, tuple[tuple[int, Path], ...]] | None:
        """The least that is lost over these GPUs (each its number on the host, and its state)."""
        items = tuple(self._rows.item(item_of(ask, vm)) for ask in vm.wants)
        goal = tuple(ask.count for ask in vm.wants)
        on_one = tuple(ask.count if ask.profile is not None else 1 for ask in vm.wants)
        none = (0,) * len(goal)
        reached: dict[Counts, tuple[int, tuple[tuple[int, Path], ...]]] = {none: (0, ())}
        for place, state in gpus:
            choices = [
                (some, self._least(items, state, some))
                for some in product(*(range(most + 1) for most in on_one))
                if any(some) or not whole
            ]
            before, reached = reached, {}
            for counts, (lost, paths) in before.items():
                for some, end in choices:
                    after = tuple(a + b for a, b in zip(counts, some, strict=True))
                    if end is None or any(a > b for a, b in zip(after, goal, strict=True)):
                        continue
                    total = lost + end[0]
                    if after not in reached or total < reached[after][0]:
                        reached[after] = total, ((*paths, (place, end[1])) if end[1] else paths)
        return reached.get(goal)

    def _least(self, items: tuple[int, ...], state: int, some: Counts) -> tuple[int, Path] | None:
        """The least that is lost where so many items of each ask go to one GPU."""
        if not any(some):
            return 0, ()
        key = items, state, some
        if key not in self._ends:
            self._ends[key] = self._reach(items, state, some)
        ends = self._ends[key]
        if not ends:
            return None
        costs = self._rows.costs()
        end = min(ends, key=lambda number: costs[number])
        return int(costs[end] - costs[state]), ends[end]

    def _reach(self, items: tuple[int, ...], state: int, some: Counts) -> dict[int, Path]:
        """Every state to which these items can bring a GPU, and one way there; the items in the VM's order."""
        ends: dict[int, Path] = {state: ()}
        for number, count in enumerate(some):
            for _ in range(count):
                further: dict[int, Path] = {}
                for at, path in ends.items():
                    for turn in self._rows.turns(items[number], at):
                        further.setdefault(turn.state, (*path, (number, turn)))
                ends = further
        return ends


def simple(vm: Vm) -> tuple[Item, int] | None:
    """The only item that a VM asks for, and on how many GPUs, one on each; None: its asks are more than that."""
    if len(vm.gpus) != 1 or _together(vm.needs):
        return None
    (ask,) = vm.wants
    return (item_of(ask, vm), ask.count) if ask.count == 1 or ask.profile is None else None


def _together(needs: Needs) -> bool:
    """Whether a VM's GPUs must be near each other."""
    return needs.same_board or needs.same_numa_node or needs.nvlink


def _holds(vm: Vm, host: Host, paths: Sequence[tuple[int, Path]]) -> tuple[Hold, ...]:
    holds: list[list[Hold]] = [[] for _ in vm.wants]
    for place, number, turn in _flat(paths):
        ask = vm.wants[number]
        holds[number].append(Hold(host.gpus[place].id, turn.sharing, ask.profile, turn.slot, ask.milli))
    return tuple(hold for some in holds for hold in some)


def _flat(paths: Sequence[tuple[int, Path]]) -> Iterator[tuple[int, int, Turn]]:
    for place, path in paths:
        for number, turn in path:
            yield place, number, turn
