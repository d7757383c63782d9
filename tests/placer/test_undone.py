"""What was asked and is not done."""

from __future__ import annotations

from typing import Any

from placer.undone import undone
from placer_models.document import parse
from placer_models.night import Asked
from placer_models.plan import LeftOut, Plan
from tests.good_nights import desktops
from tests.nights import window

NIGHT, VALUES = desktops()
PLAN = parse(Plan, VALUES, "the plan")


def asked(request: dict[str, Any], **update: Any) -> Plan:
    """The good plan, had this been asked."""
    values = {"request": {"windows": [window()], **request}, "jobs": update.pop("jobs", [])}
    return PLAN.model_copy(update={"asked": parse(Asked, values, "asked"), **update})


def test_a_plan_that_does_all_leaves_nothing_to_say() -> None:
    assert undone(asked({"kind": "consolidate"})) == []
    assert undone(asked({"kind": "consolidate", "free": ["h1"]})) == []
    assert undone(PLAN) == []


def test_hosts_that_were_named_or_counted_and_are_not_freed() -> None:
    stays = LeftOut(host="h2", reasons=("c may not be moved",))
    named = asked({"kind": "consolidate", "free": ["h1", "h2"]}, left_out=(stays,))
    assert undone(named) == ["h2 is not freed: c may not be moved"]
    assert undone(asked({"kind": "consolidate", "free": 2})) == ["1 of 2 hosts are freed"]


def test_vms_that_stay_are_no_failure_where_as_many_hosts_as_pay_are_asked_for() -> None:
    assert undone(asked({"kind": "consolidate"}, freed=(), jobs=[])) == []


def test_instances_that_do_not_run_or_not_for_long_enough() -> None:
    film = {"name": "film", "hours": 0.01, "instances": 3}
    assert undone(asked({"kind": "consolidate"}, jobs=[film])) == ["film: 1 of 3 instances run"]
    assert undone(asked({"kind": "consolidate"}, jobs=[{**film, "hours": 9}])) == ["film: 0 of 3 instances run"]


def test_hosts_and_gpus_that_stay_as_they_are() -> None:
    evacuate = asked({"kind": "evacuate", "hosts": ["h1"]})
    assert undone(evacuate) == ["h1 is not put in maintenance"]
    left = LeftOut(host="h1", reasons=("render stays",))
    mode = asked({"kind": "set-mode", "host": "h1", "mode": "compute"}, left_out=(left,))
    assert undone(mode) == ["not all GPUs of h1 are changed: render stays"]
