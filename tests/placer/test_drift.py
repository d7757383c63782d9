"""What a plan took for granted, and is no longer so."""

from __future__ import annotations

from typing import Any

from placer.drift import drift
from placer_models.document import parse
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot
from tests.good_nights import desktops, quick
from tests.worlds import want

NIGHT, VALUES = desktops()
PLAN = parse(Plan, VALUES, "the plan").model_copy(update={"snapshot_sha256": "0" * 64})


def drifted(change: Any) -> list[str]:
    """What has drifted when the snapshot's plain values are changed so, but for the digests."""
    values = NIGHT.snapshot.model_dump(mode="json", by_alias=True, exclude_none=True)
    change(values)
    digests, *rest = drift(Snapshot.of(values, sha256="1" * 64), PLAN)
    assert digests == "the plan was made for another snapshot (000000000000, and this is 111111111111)"
    return rest


def test_where_only_other_things_changed_nothing_is_said() -> None:
    assert drifted(lambda values: values.update(notes="later")) == []


def test_a_vm_that_is_gone_off_or_elsewhere_is_named() -> None:
    def change(values: Any) -> None:
        a, b, _ = values["vms"]
        b.update(power="off")
        b["gpus"][0].pop("at")
        a.update(host="h2")
        a["gpus"][0]["at"] = [{"gpu": "g0", "slot": 1}]

    assert drifted(change) == ["a was on h1, and is on h2", "b was on h1, and is off"]
    assert drifted(lambda values: values["vms"].pop(0)) == ["'a' is gone"]


def test_a_host_or_gpu_that_the_plan_uses_is_missed() -> None:
    def change(values: Any) -> None:
        h1, _, h3 = values["hosts"]
        h3["state"] = "maintenance"
        h1["gpus"].pop(1)
        values["vms"].pop(1)

    assert drifted(change) == ["'b' is gone", "h1: GPU 'g1' is gone", "h3 is in maintenance"]


def test_a_stranger_on_a_freed_host_is_named() -> None:
    stranger = quick("new", want("M60-1Q", "g0/1"), on="h1")
    said = drifted(lambda values: values["vms"].append(stranger))
    assert said == ["new stands on h1, which the plan frees, and the plan does not know it"]
