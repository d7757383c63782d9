"""What is expected is a list of VMs, or one of asks with their weights; all else is refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from placer import Faults
from placer.warm.expected import asks_and_vms
from placer_models.cluster import Ask, Needs, Vm

HALF, NEEDS = Ask(milli=500), Needs()
POD = Vm(name="pod", power="off", cpus=1, memory_mib=1, gpus=(HALF,))


def test_vms_count_once_each_and_asks_by_their_weight() -> None:
    assert asks_and_vms([POD, POD]) == (((HALF, NEEDS, 2),), [POD, POD])
    assert asks_and_vms(((HALF, NEEDS, 7),)) == (((HALF, NEEDS, 7),), [])
    assert asks_and_vms([]) == ((), [])


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("pods", "'p'"),
        (7, "7"),
        ([HALF], "milli=500"),
        ([(HALF, NEEDS)], "a list"),
        ([(HALF, NEEDS, 0)], "a list"),
        ([(HALF, NEEDS, 0.5)], "a list"),
        ([(HALF, NEEDS, 10**30)], "a list"),
        ([POD, (HALF, NEEDS, 1)], "name='pod'"),
        ([POD, "pod"], "'pod'"),
    ],
)
def test_what_is_neither_is_refused(expected: Any, found: str) -> None:
    with pytest.raises(Faults, match=r"expected a list of VMs, or one of asks") as refusal:
        asks_and_vms(expected)
    assert found in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
