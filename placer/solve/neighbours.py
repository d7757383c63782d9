"""Which hosts are decided about together: some with much left over, beside others by chance."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

NOISE = 0.5
"""How far chance may bring a host forward among those with more left over, in shares of a host."""


def neighbourhood(chance: Random, hosts: Sequence[str], left: Sequence[float], size: float) -> list[str]:
    """So many of these hosts at most, of which each has so much left over (in shares of a host)."""
    most = min(int(size), len(hosts))
    slack = [share + chance.random() * NOISE for share in left]
    ranked = [hosts[number] for number in sorted(range(len(slack)), key=lambda number: -slack[number])]
    first = ranked[: (most + 1) // 2]
    return first + chance.sample(ranked[len(first) :], most - len(first))
