"""What runs of a job do for one of its instances."""

from __future__ import annotations

from typing import Any

from placer_models.document import parse
from placer_models.night import Job


def job(**more: Any) -> Job:
    return parse(Job, {"name": "train", "hours": 2, **more}, "the job")


def test_of_a_job_that_may_not_be_stopped_only_the_longest_run_counts() -> None:
    assert job().done([3600, 3700]) == 3700
    assert job().done([]) == 0


def test_parts_add_up_but_for_what_saving_and_loading_takes() -> None:
    assert job(checkpointed=True).done([3600, 4200]) == 7200
    assert job(checkpointed=True, checkpoint_minutes=0).done([1800] * 4) == 7200


def test_a_part_that_is_too_short_does_nothing_and_costs_nothing() -> None:
    assert job(checkpointed=True).done([1799, 7200, 60]) == 7200


def test_a_part_that_ends_before_all_is_loaded_undoes_nothing() -> None:
    assert job(checkpointed=True, checkpoint_minutes=60).done([3600, 1800, 7200]) == 7200


def test_a_job_of_a_few_minutes_is_done_in_one_run_however_long_parts_must_be() -> None:
    assert job(checkpointed=True, hours=0.1).done([360]) == 360
