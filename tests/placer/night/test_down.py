"""How long VMs are down at least: never more than they are, and more than nothing where somebody has to be."""

from __future__ import annotations

import pytest

from placer.consolidate import consolidate
from placer_models.night import Consolidate
from placer_models.plan import Plan
from tests.good_nights import quick
from tests.nights import Night, Values
from tests.worlds import host


def freed(many: int, *vms: Values, way_back: str = "same-host") -> Plan:
    """A night in which one host of two is freed; a VM fills the other."""
    hosts = [host("h1", cpus=8), host("h2", cpus=8)]
    night = Night(hosts, [*vms, quick("full", on="h2", cpus=7, may="")], {"free": many, "way_back": way_back})
    assert isinstance(night.asked, Consolidate)
    return consolidate(night.snapshot, night.asked)


@pytest.mark.parametrize(("way_back", "each"), [("same-host", 8 + 8), ("none", 8)])
def test_two_of_three_have_to_sleep_where_one_finds_room(way_back: str, each: int) -> None:
    plan = freed(1, *(quick(f"v{i}", on="h1", may="live_migrate suspend") for i in range(3)), way_back=way_back)
    assert plan.score["hosts-freed"] == 1
    bound = plan.bound["downtime"]
    assert bound == 2 * each
    assert bound <= plan.score["downtime"]


def test_nobody_has_to_sleep_where_all_find_room() -> None:
    plan = freed(1, quick("v", on="h1", may="live_migrate suspend"))
    assert plan.score["downtime"] == plan.bound["downtime"] == 0


def test_those_count_that_sleep_the_shortest() -> None:
    slow = quick("slow", on="h1", may="power_cycle", cpus=4)
    plan = freed(1, slow, quick("v", on="h1", may="suspend", cpus=4))
    assert plan.score["hosts-freed"] == 1
    assert plan.bound["downtime"] == (6 + 7) + (8 + 8)
