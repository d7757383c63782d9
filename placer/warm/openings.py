"""On which hosts a VM has room, by what counts amounts and by the states of GPUs: of all hosts at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from placer.warm.asking import Unsure
from placer.warm.columns import Bools, Columns
from placer.warm.rows import NEVER, Rows
from placer.warm.seats import Seats, simple
from placer.warm.sights import MOST_KEPT, Sight
from placer.warm.states import Ints
from placer_models.cluster import Cluster, Host, Vm
from placer_models.gpus_together import misfit
from placer_models.scene import Hold

One = tuple[int | None, int]
"""The only item that a VM asks for, by its number (None: it asks for none), and on how many GPUs."""


@dataclass(frozen=True)
class Open:
    """The `hosts` on which a VM has room, by their places; of every host by how much more would be lost there of GPUs
    (`cost`); and where it asks for `one` item at most, the GPUs that it would take (a row for each). What is said of
    hosts without room means nothing.
    """

    hosts: Ints
    cost: Ints
    one: One | None
    gpus: Ints

    def lost(self, hosts: Ints, up: Ints) -> Ints:
        """How much more would be lost of GPUs on some hosts, if they are `up`."""
        return self.cost[hosts] * up[hosts]


class Openings:
    """Looks for room by the rules that must hold."""

    def __init__(self, cluster: Cluster, columns: Columns, rows: Rows) -> None:
        self._cluster, self._columns, self._rows = cluster, columns, rows
        self._rooms = [room for room in columns.rooms if not room.rule.soft]
        self.seats = Seats(rows)
        self._seats_known: dict[tuple[object, ...], int] = {}
        self._changes_then = 0
        self._sights = lru_cache(MOST_KEPT)(partial(_unseen, len(columns.hosts)))

    def check_sayable(self, vm: Vm) -> None:
        """Raise Unsure where a VM's places cannot be enumerated."""
        several = sum(ask.count for ask in vm.gpus if ask.profile is not None) > 1
        if several and self._cluster.platform.slot_choice == "worst-case":
            raise Unsure

    def one(self, vm: Vm) -> One | None:
        """What a VM asks for, if that is one item at most; None: it asks for more."""
        if not vm.gpus:
            return None, 0
        only = simple(vm)
        return None if only is None else (self._rows.item(only[0]), only[1])

    def of(self, vm: Vm) -> Open:
        """The hosts with room for a VM."""
        one = self.one(vm)
        sight = self._seen(vm, one)
        fits: Bools = sight.cost < NEVER
        for room in self._rooms:
            if room.rule.concerns(vm):
                room.narrow(vm, fits)
        return Open(fits.nonzero()[0], sight.cost, one, sight.gpus)

    def _seen(self, vm: Vm, one: One | None) -> Sight:
        """What a VM sees of all hosts, as they are."""
        sight = self._sights((vm.wants, vm.needs), 0) if one is None else self._sights(one, one[1])
        if sight.nowhere is None:
            sight.nowhere = misfit(self._cluster, vm) is not None
        stale = sight.stale(self._columns, self._rows.changes)
        if sight.nowhere or not len(stale):
            return sight
        if not vm.gpus:
            sight.cost[stale] = 0
        elif one is not None and one[0] is not None:
            found = self._rows.spread(one[0], one[1], self._columns.by_gpu[:, stale])
            sight.cost[stale], sight.gpus[:, stale] = found
        else:
            hosts, states = self._columns.hosts, self._columns.gpus[stale].tolist()
            costs = [self.cost(vm, hosts[number], some) for number, some in zip(stale.tolist(), states, strict=True)]
            sight.cost[stale] = costs
        return sight

    def cost(self, vm: Vm, host: Host, states: Sequence[int]) -> int:
        """The cost on one host, whose GPUs are in these states: hosts in the same share it as long as the weights are
        the same.
        """
        if self._changes_then != self._rows.changes:
            self._changes_then = self._rows.changes
            self._seats_known.clear()
        key = vm.wants, vm.needs, tuple(states), _places(host)
        if key not in self._seats_known:
            best = self.seats.best(vm, host, states)
            self._seats_known[key] = NEVER if best is None else best[0]
        return self._seats_known[key]

    def seated(self, vm: Vm, host: Host, open_: Open) -> tuple[Hold, ...]:
        """A VM's best seats on a host that is open to it."""
        number = self._columns.index[host.name]
        states = self._columns.by_gpu[:, number].tolist()
        if open_.one is None:
            best = self.seats.best(vm, host, states)
            assert best is not None, f"{host.name} has no seat for {vm.name}"
            return best[1]
        item, _ = open_.one
        return () if item is None else self.seats.held(vm, host, [(i, states[i]) for i in open_.gpus[:, number]], item)


def _unseen(hosts: int, what: Hashable, gpus: int) -> Sight:
    """What VMs see that ask for so many GPUs of something: nothing yet."""
    return Sight(hosts, gpus)


def _places(host: Host) -> tuple[object, ...]:
    """What tells GPUs of a host apart for VMs whose GPUs must be together."""
    at = {gpu.id: i for i, gpu in enumerate(host.gpus)}
    groups = tuple(tuple(sorted(at[name] for name in group)) for group in host.nvlink_groups)
    return tuple((gpu.board, gpu.numa_node) for gpu in host.gpus), groups
