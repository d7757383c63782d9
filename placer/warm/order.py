"""In which order hosts are best: by each goal, and of those that the goals find equal by the look ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from placer.warm.rows import Ints

Look = Callable[[Ints], Ints]
"""What is lost of what is expected if a VM comes to some of the hosts that have room for it, by their places."""


def in_order(
    keys: Sequence[tuple[str, Ints]], ahead: Look, count: int
) -> Iterator[tuple[int, tuple[tuple[str, int], ...]]]:
    """The hosts from the best on (of equals the first), each by its place in the keys, with how many each key left, and
    last the look ahead.
    """
    if not count:
        return
    some = np.arange(count)
    left: list[tuple[str, int]] = []
    for name, values in keys:
        some = some[values[some] == values[some].min()]
        left.append((name, len(some)))
    if len(some) > 1:
        lost = ahead(some)
        some = some[lost == lost.min()]
    first = int(some[0])
    yield first, (*left, ("ahead", len(some)))
    order = np.lexsort([ahead(np.arange(count)), *(values for _, values in reversed(keys))])
    yield from ((int(at), ()) for at in order if at != first)
