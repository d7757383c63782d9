"""An answer says how much of the solver's time each part took, the same every time."""

from __future__ import annotations

import pytest

from placer import place
from placer.consolidate import consolidate
from placer.evacuate import evacuate
from placer.spending import Spending
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.night import Consolidate, Evacuate
from tests.good_nights import quick
from tests.nights import Night
from tests.placer.solve.small import gpu_hosts, shares, snapshot
from tests.worlds import host


def test_what_is_spent_inside_a_part_of_a_part_counts_once() -> None:
    spending = Spending()
    with spending.part("search"):
        spending.add(1.0)
        with spending.part("bounds"):
            spending.add(0.25)
        spending.add(2.0)
    spending.add(7.0)  # by no part
    assert spending.work == {"search": 3.0, "bounds": 0.25}
    assert set(spending.real) == {"search", "bounds"}


def test_the_parts_add_up_and_two_runs_say_the_same() -> None:
    made = snapshot(gpu_hosts(3), shares(700, 600, 500, 500, 400, 300, 300, 200), [])
    spending = Spending()
    answer = place(made, shipped_decision("power_on"), spending=spending)
    assert answer.seconds > 0
    assert sum(answer.spent.values()) == pytest.approx(answer.seconds, abs=1e-5)
    assert {"looking", "first answers", "judging", "reasons"} <= set(spending.real)
    assert dump(answer) == dump(place(made, shipped_decision("power_on")))


def test_the_parts_of_a_night_and_of_maintenance_add_up_too() -> None:
    hosts = [host(f"h{i}", cpus=8) for i in range(4)]
    vms = [quick(f"v{i}", on=f"h{i % 4}", cpus=1 + i % 3) for i in range(8)]
    freed, rolled = Night(hosts, vms), Night(hosts, vms, {"kind": "evacuate", "hosts": ["h0", "h1"], "at_once": 1})
    assert isinstance(freed.asked, Consolidate)
    assert isinstance(rolled.asked, Evacuate)
    for plan in (consolidate(freed.snapshot, freed.asked), evacuate(rolled.snapshot, rolled.asked)):
        assert plan.seconds > 0
        assert sum(plan.spent.values()) == pytest.approx(plan.seconds, abs=1e-5)
