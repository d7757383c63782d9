"""Seats on a host's GPUs for VMs with one GPU item each, or none, where rule `reserve` asks: found by the states that
GPUs are in. What an item makes of a state is worked out once for all GPUs of a cluster. The seats are those that
`placer_models.seating` and `placer_models.rules.seats` find, which serve all other VMs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import NamedTuple

from placer_models.cluster import Ask, Cluster, Gpu, Host, Vm
from placer_models.gpus import Sharing
from placer_models.gpus_together import misfit
from placer_models.gpus_use import Held, held, model_of, use_for
from placer_models.rules.seats import MOST_SEATINGS, Holds
from placer_models.scene import Hold, Scene, items
from placer_models.seating import open_slots, whereabouts


class Seat(NamedTuple):
    """What one item has of a host's GPUs: which of them, in which sharing, at which slot."""

    gpu: int
    sharing: Sharing
    slot: int | None


Turn = tuple[int | None, "State"]
"""A slot that an item may take, and the state of its GPU then."""


@dataclass(eq=False)
class State:
    """What a GPU like `gpu` is in; `content` numbers what it holds. `turns` are what items (by number) may make of it
    in each sharing, the best slots first.
    """

    gpu: Gpu
    sharing: Sharing
    held: Held
    content: int
    used_milli: int
    turns: dict[int, list[tuple[Sharing, list[Turn]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A host's GPUs: the state of each, and which of them are together on boards, NUMA nodes and in NVLink groups."""

    gpus: tuple[State, ...]
    where: tuple[int, ...]

    @cached_property
    def fullest_first(self) -> tuple[int, ...]:
        """The order in which GPUs are tried."""
        used = [state.used_milli for state in self.gpus]
        return tuple(sorted(range(len(used)), key=used.__getitem__, reverse=True))  # of equals the first comes first

    def turned(self, at: int, state: State) -> Row:
        """The same with one GPU in another state."""
        return Row((*self.gpus[:at], state, *self.gpus[at + 1 :]), self.where)


Seated = tuple[tuple[Seat | None, ...], Row]
"""VMs' seats (None: a VM without a GPU), and the host's GPUs with them there."""


class SeatFinder:
    """Finds seats for VMs, whose items are meant by their numbers (`item`)."""

    def __init__(self) -> None:
        self._states: dict[Hashable, State] = {}
        self._contents: dict[Hashable, int] = {}
        self._next = count()  # numbers go on when contents are let go of: rows that are kept have the old ones
        self._numbers: dict[Hashable, int] = {}
        self._vms: list[Vm] = []
        self._items: list[Ask | None] = []
        self._simple: list[bool] = []

    def forget(self) -> None:
        """Let go of the states that are known: what is asked about next finds its own anew."""
        self._states.clear()
        self._contents.clear()

    def row(self, scene: Scene, host: Host) -> Row:
        """A host's GPUs as they stand in a scene."""
        states = (self._state(gpu, scene.sharing(host.name, gpu), held(scene, host, gpu)) for gpu in host.gpus)
        places: dict[Hashable, int] = {}
        where = (places.setdefault(whereabouts(host, gpu), len(places)) for gpu in host.gpus)
        return Row(tuple(states), tuple(where))

    def _state(self, gpu: Gpu, sharing: Sharing, holds: Held) -> State:
        content = frozenset(Counter(holds).items())
        key = gpu.make, gpu.sharings, sharing, content
        state = self._states.get(key)
        if state is None:
            if content not in self._contents:
                self._contents[content] = next(self._next)
            number = self._contents[content]
            used = sum(use.share_milli for use, _ in holds)
            state = self._states[key] = State(gpu, sharing, holds, number, used)
        return state

    def item(self, cluster: Cluster, vm: Vm) -> int:
        """The number of what a VM asks for of GPUs."""
        number = self._numbers.setdefault((vm.wants, vm.needs), len(self._numbers))
        if number == len(self._vms):
            asked, needs = items(vm), vm.needs
            anywhere = not (needs.same_board or needs.same_numa_node or needs.nvlink)
            self._simple.append(len(asked) < 2 and anywhere and misfit(cluster, vm) is None)
            self._items.append(asked[0] if asked else None)
            self._vms.append(vm)
        return number

    def simple(self, item: int) -> bool:
        """Whether seats for this are found here."""
        return self._simple[item]

    def beside(self, cluster: Cluster, first: Seated, empty: Row, all_items: Sequence[int]) -> Seated | None:
        """Seats for these items on GPUs in a row of states: where all but the last can keep the seats found for them
        `first`, they do. None: there are none, or too many ways were tried.
        """
        for seat, row in self._ways(cluster, first[1], all_items[-1]):
            return (*first[0], seat), row
        if next(self._ways(cluster, empty, all_items[-1]), None) is None:
            return None
        return _Together(self, cluster, all_items).found(empty) if len(all_items) > 1 else None

    def holds(self, host: Host, seats: Sequence[Seat | None], all_items: Sequence[int]) -> tuple[Holds, ...]:
        """What seats are on a host, VM by VM."""
        return tuple(self._hold(host, seat, item) for seat, item in zip(seats, all_items, strict=True))

    def _hold(self, host: Host, seat: Seat | None, item: int) -> Holds:
        ask = self._items[item]
        if seat is None or ask is None:
            return ()
        slot = None if seat.sharing == "passthrough" else seat.slot
        return (Hold(host.gpus[seat.gpu].id, seat.sharing, ask.profile, slot, ask.milli),)

    def _ways(self, cluster: Cluster, row: Row, item: int) -> Iterator[tuple[Seat | None, Row]]:
        """Every seat for an item, the preferred first, save that of GPUs that are alike in all that matters one is
        taken.
        """
        if self._items[item] is None:
            yield None, row
            return
        seen = set()
        for at in row.fullest_first:
            state = row.gpus[at]
            for sharing, turns in self._turns(cluster, state, item):
                one = state, row.where[at], sharing
                if one not in seen:
                    seen.add(one)
                    for slot, after in turns:
                        yield Seat(at, sharing, slot), row.turned(at, after)

    def _turns(self, cluster: Cluster, state: State, item: int) -> list[tuple[Sharing, list[Turn]]]:
        found = state.turns.get(item)
        if found is None:
            found = state.turns[item] = list(self._find_turns(cluster, state, item))
        return found

    def _find_turns(self, cluster: Cluster, state: State, item: int) -> Iterator[tuple[Sharing, list[Turn]]]:
        ask, needs, gpu = self._items[item], self._vms[item].needs, state.gpu
        for sharing in (state.sharing,) if state.held else gpu.sharings:
            use = None if ask is None else use_for(cluster, ask, needs, gpu, sharing)
            if use is not None:
                slots = open_slots(model_of(cluster, gpu), sharing, use, state.held)
                yield sharing, [(slot, self._state(gpu, sharing, (*state.held, (use, slot)))) for slot in slots]


class _Together:
    """Depth first over items that are to be seated together, as `placer_models.rules.seats.Seats` does."""

    def __init__(self, finder: SeatFinder, cluster: Cluster, all_items: Sequence[int]) -> None:
        self._finder, self._cluster, self._items = finder, cluster, all_items
        self._seen: set[Hashable] = set()
        self._tries = 0

    def found(self, row: Row, put: tuple[Seat | None, ...] = ()) -> Seated | None:
        """Seats for all of them; None: there are none, or it was not found."""
        if len(put) == len(self._items):
            return put, row
        for seat, after in self._finder._ways(self._cluster, row, self._items[len(put)]):
            self._tries += 1
            if self._tries > MOST_SEATINGS:
                return None
            held_then = len(put), tuple(state.content for state in after.gpus)
            if held_then not in self._seen:
                self._seen.add(held_then)
                every = self.found(after, (*put, seat))
                if every is not None:
                    return every
        return None
