"""Anybody's plan before the judge: by what it was asked for, on the snapshot as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from placer.judge.verify import asked_of, verify
from placer_models.document import Faults, dump, parse
from placer_models.night import Asked, Consolidate
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot
from tests.good_nights import desktops
from tests.nights import window

NIGHT, VALUES = desktops()
ASKED = Asked(request=NIGHT.asked, jobs=tuple(NIGHT.work))


def plan(**update: Any) -> Plan:
    """The good plan, which says what it was asked for."""
    return parse(Plan, VALUES, "the plan").model_copy(update={"asked": ASKED, **update})


def test_a_plan_is_judged_by_what_it_says_it_was_asked_for() -> None:
    assert verify(NIGHT.snapshot, plan()) == []
    less = Asked(request=NIGHT.asked)
    assert any("expected a job" in fault for fault in verify(NIGHT.snapshot, plan(asked=less)))


def test_or_by_what_somebody_else_says() -> None:
    assert isinstance(NIGHT.asked, Consolidate)
    short = NIGHT.asked.model_copy(update={"limits": NIGHT.asked.limits.model_copy(update={"most_moves": 3})})
    faults = verify(NIGHT.snapshot, plan(), asked=Asked(request=short, jobs=tuple(NIGHT.work)))
    assert faults == ["4 migrations, at most 3 are allowed"]


def test_a_plan_that_does_not_say_it_is_judged_by_the_snapshot_s_request() -> None:
    with pytest.raises(Faults, match="found 0 of kind 'consolidate', expected one"):
        verify(NIGHT.snapshot, plan(asked=None))
    asking = NIGHT.snapshot.model_copy(update={"requests": (NIGHT.asked,), "jobs": tuple(NIGHT.work)})
    assert asked_of(asking, plan(asked=None)) == ASKED
    assert verify(asking, plan(asked=None)) == []


def test_a_score_that_is_not_so_and_a_bound_that_is_beaten_are_refused() -> None:
    told = plan(decision="consolidate", score={"job-value": 1, "moves": 3}, bound={"hosts-freed": 0})
    faults = verify(NIGHT.snapshot, told)
    assert "score['moves']: found 3, the judge counts 4" in faults
    assert "bound['hosts-freed']: found 0, which the plan beats with 1" in faults


def test_what_was_asked_of_hosts_that_are_gone_is_a_fault() -> None:
    request = parse(Consolidate, {"kind": "consolidate", "windows": [window()], "free": ["h9"]}, "the request")
    (fault,) = verify(NIGHT.snapshot, plan(asked=Asked(request=request)))
    assert fault.startswith("request.free[0]: found 'h9', expected a host of this snapshot")


def test_a_plan_read_back_is_the_same_plan(tmp_path: Path) -> None:
    again = Plan.model_validate_json(dump(plan()), by_alias=True, by_name=False)
    assert again == plan()
    assert isinstance(Snapshot.load(dump(NIGHT.snapshot).encode()), Snapshot)
