"""What a session is to reckon with, as it is said to it: VMs like those that will come, or only their asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from placer_models.cluster import Ask, Needs, Typical, Vm
from placer_models.document import Faults, quote
from placer_models.goals.stranded import asks_made_by

MOST_TIMES = 2**31
"""The greatest weight of an ask."""


def asks_and_vms(expected: Typical | Sequence[Vm]) -> tuple[Typical, list[Vm]]:
    """The asks that are expected, each with its weight, and the VMs that make them, where VMs are given. Raises Faults
    for what is neither a list of VMs nor one of weighed asks.
    """
    several = expected if isinstance(expected, Sequence) else ()
    vms = [one for one in several if isinstance(one, Vm)]
    if several is expected and len(vms) == len(several):
        return asks_made_by(vms), vms
    asks = [one for one in several if _weighed(one)]
    if not asks or len(asks) < len(several):
        odd = next((one for one in several if not _weighed(one)), expected)
        raise Faults("expected", [f"found {quote(odd)}, expected a list of VMs, or one of asks with needs and weights"])
    return tuple(asks), []


def _weighed(one: object) -> TypeGuard[tuple[Ask, Needs, int]]:
    """Whether it is an ask with its needs and its weight."""
    if not isinstance(one, tuple) or len(one) != 3:
        return False
    ask, needs, times = one
    return isinstance(ask, Ask) and isinstance(needs, Needs) and isinstance(times, int) and 0 < times <= MOST_TIMES
