"""In which order hosts are best: by each goal, and of those that the goals find equal by the look ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from placer.warm.states import Ints

Key = Callable[[Ints], Ints]
"""What a goal would count if a VM came to some of the hosts that have room for it, by their places among those."""


class Look(Protocol):
    """What is lost of what is expected if a VM comes to some of the hosts that have room for it, by their places."""

    def lost(self, some: Ints) -> Ints:
        """On each of them."""

    def least(self, some: Ints) -> Ints:
        """Those of them on which least is lost."""


class Best(NamedTuple):
    """A host by its place, what each goal would count there, and (of the best) how many hosts each goal left, and last
    the look ahead.
    """

    at: int
    counts: Mapping[str, int]
    left: tuple[tuple[str, int], ...] = ()


def in_order(keys: Sequence[tuple[str, Key]], ahead: Look, count: int) -> Iterator[Best]:
    """The hosts from the best on (of equals the first). A goal is asked about those that the goals before it left."""
    if not count:
        return
    some = np.arange(count)
    counts: dict[str, int] = {}
    left: list[tuple[str, int]] = []
    for name, key in keys:
        values = key(some)
        counts[name] = int(values.min())
        some = some[values == counts[name]]
        left.append((name, len(some)))
    if len(some) > 1:
        some = ahead.least(some)
    first = int(some[0])
    yield Best(first, counts, (*left, ("ahead", len(some))))
    every = np.arange(count)
    known = {name: key(every) for name, key in keys}
    order = np.lexsort([ahead.lost(every), *reversed(known.values())])
    for at in order.tolist():
        if at != first:
            yield Best(at, {name: int(values[at]) for name, values in known.items()})
