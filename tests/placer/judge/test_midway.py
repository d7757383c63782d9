"""Plans that go on in the midst of a night: what the judge takes over from the hours before."""

from __future__ import annotations

from typing import Any

import pytest

from placer.judge.timed import TimedReplay
from placer_models.document import parse
from placer_models.goals.night import finished
from placer_models.plan import Plan
from tests.good_nights import midway
from tests.nights import Values, at


def faults(change: Any = None, **begun: Any) -> list[str]:
    """What the judge says of the good plan after a change to its values."""
    night, values = midway()
    values["asked"]["begun"] |= begun
    if change is not None:
        change(values)
    return TimedReplay(night.cluster, night.holding, night.asked, night.work, parse(Plan, values, "plan")).faults


def steps(values: Values, *ids: str) -> None:
    """Leave these steps out."""
    values["steps"] = [step for step in values["steps"] if step["id"] not in ids]
    for step in values["steps"]:
        step["waits_for"] = [name for name in step.get("waits_for", ()) if name not in ids]


def test_what_has_ended_is_not_played_again() -> None:
    assert faults() == []


def test_a_vm_moved_before_is_due_on_its_first_host() -> None:
    said = faults(lambda values: steps(values, "m5"))
    assert said == ["d: does not run on h3 at 2026-11-20T22:02:20Z, when it is due"]
    assert faults(lambda values: steps(values, "m5"), homes={"s": "h1"}) == []


def test_a_vm_suspended_before_is_resumed() -> None:
    assert faults(lambda values: steps(values, "r1")) == [
        "s: does not run on h1 at 2026-11-20T22:02:20Z, when it is due"
    ]


def test_who_is_excused_is_not_due() -> None:
    assert faults(lambda values: steps(values, "m5", "r1"), excused={"d": "h3 is lost", "s": "its state is lost"}) == []


def test_who_was_stopped_by_others_stays_off() -> None:
    said = faults(homes={"d": "h3"})
    assert said[0] == "step r1: s is suspended in the snapshot, and stays so"


def test_migrations_of_the_hours_before_count() -> None:
    night, values = midway()
    limits = night.asked.limits.model_copy(update={"most_moves": 5})
    asked = night.asked.model_copy(update={"limits": limits})
    replay = TimedReplay(night.cluster, night.holding, asked, night.work, parse(Plan, values, "plan"))
    assert replay.faults == ["6 migrations, at most 5 are allowed"]


def test_states_of_the_hours_before_are_in_the_store() -> None:
    night, values = midway()
    limits = night.asked.limits.model_copy(update={"store_mib": 100})
    asked = night.asked.model_copy(update={"limits": limits})
    replay = TimedReplay(night.cluster, night.holding, asked, night.work, parse(Plan, values, "plan"))
    assert any("the store holds" in said for said in replay.faults)


@pytest.mark.parametrize(
    ("homes", "sentence"),
    [
        ({"ghost": "h1"}, "asked.begun.homes: found 'ghost', expected a VM"),
        ({"d": "h9"}, "asked.begun.homes[d]: found 'h9', expected a host"),
    ],
    ids=["a VM", "a host"],
)
def test_homes_are_of_the_snapshot(homes: dict[str, str], sentence: str) -> None:
    assert any(said.startswith(sentence) for said in faults(homes={"d": "h3", "s": "h1", **homes}))


def test_a_run_that_began_before_may_be_stopped_and_then_is_not_finished() -> None:
    def stop(values: Values) -> None:
        values["jobs"][0]["end"] = at(40)
        next(step for step in values["steps"] if step["id"] == "stop-0").update(start=at(40), end=at(40))

    assert faults(stop) == []
    night, values = midway()
    stop(values)
    assert finished(night.work[0], parse(Plan, values, "plan")) == [1]


def test_an_instance_is_finished_when_it_has_run_as_long_as_it_is_said_to_need() -> None:
    night, values = midway()
    longer = parse(type(night.work[0]), night.work[0].model_dump(mode="json") | {"running": [_until(70)]}, "job")
    plan = parse(Plan, values, "plan")
    assert finished(night.work[0], plan) == [0, 1]
    assert finished(longer, plan) == [1]


def _until(seconds: int) -> Values:
    return {"instance": 0, "until": at(seconds)}
