"""Freed hosts flashed for jobs of the night, as small stories: when it pays, when it does not, what is put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from placer.consolidate import consolidate
from placer.judge.timed import TimedReplay
from placer_models.document import dump
from placer_models.night import Consolidate
from placer_models.plan import Plan, Step
from tests.good_nights import m60, quick
from tests.nights import Night, Values, at, window
from tests.worlds import gpu, host, want

HOUR = 3600
COMPUTE = {"models": ["Tesla M60"], "mode": "compute"}


def night(of: Sequence[Values], vms: Sequence[Values], *jobs: Values, hours: float = 4, **more: Any) -> Plan:
    """A plan for a night of so many hours; it is judged once more."""
    given = {"windows": [window(0, round(hours * HOUR))], **more}
    one = Night(of, vms, {"kind": "consolidate", **given}, [{"hours": 1, **job} for job in jobs])
    assert isinstance(one.asked, Consolidate)
    plan = consolidate(one.snapshot, one.asked, one.work)
    assert dump(consolidate(one.snapshot, one.asked, one.work)) == dump(plan)
    replay = TimedReplay(one.cluster, one.holding, one.asked, one.work, plan)
    assert replay.faults == []
    bound = plan.bound["job-value"]
    assert bound is None or bound >= plan.score["job-value"]
    return plan


def compute(name: str = "train", count: int = 1, **more: Any) -> Values:
    """A job that wants M60s in compute mode."""
    return {"name": name, "gpus": [{**COMPUTE, "count": count}], **more}


def modes(plan: Plan) -> list[tuple[str | None, str | None, int]]:
    """Which host's GPUs are put in which mode, and how many, in order."""
    steps: list[Step] = [step for step in plan.steps if step.kind == "set-mode"]
    return [(step.host, step.mode, len(step.gpus)) for step in sorted(steps, key=lambda step: step.start)]


def test_a_host_is_flashed_for_a_job_and_back_before_its_desk_returns() -> None:
    hosts = [host("h1", m60(), m60("passthrough")), host("h2", m60())]
    plan = night(hosts, [quick("desk", want("M60-1Q", "g0/0"), on="h1")], compute(count=2), free=["h1"])
    assert modes(plan) == [("h1", "compute", 2), ("h1", "graphics", 2)]
    assert plan.score["job-value"] == plan.bound["job-value"] == 1
    (run,) = plan.jobs
    leaves = [step.end for step in plan.steps if step.kind == "leave-maintenance"]
    assert leaves[0] == run.start
    starts = [step for step in plan.steps if step.kind == "start-job"]
    assert len(starts[0].waits_for) == 1


def test_only_the_gpus_that_the_job_gets_are_flashed() -> None:
    plan = night([host("h1", m60("passthrough"), m60("passthrough"))], [], compute())
    assert modes(plan) == [("h1", "compute", 1), ("h1", "graphics", 1)]


def test_a_host_in_compute_mode_is_flashed_for_a_job_that_renders() -> None:
    there = {**gpu("Tesla M60"), "mode": "compute"}
    plan = night([host("h1", there)], [], {"name": "film", "gpus": [{"models": ["Tesla M60"]}]})
    assert modes(plan) == [("h1", "graphics", 1), ("h1", "compute", 1)]


def test_no_host_is_flashed_where_another_has_the_mode_already() -> None:
    there = {**gpu("Tesla M60"), "mode": "compute"}
    plan = night([host("h1", m60("passthrough")), host("h2", there)], [], compute())
    assert modes(plan) == []
    assert plan.score["job-value"] == 1


def test_a_night_too_short_for_two_flashes_leaves_the_job_undone() -> None:
    assert night([host("h1", m60("passthrough"))], [], compute(), hours=2).score["job-value"] == 1
    short = night([host("h1", m60("passthrough"))], [], compute(), hours=1.99)
    assert (modes(short), short.score["job-value"], short.bound["job-value"]) == ([], 0, 0)


def test_a_host_is_flashed_for_the_more_valuable_of_two_jobs_that_want_different_modes() -> None:
    film = {"name": "film", "gpus": [{"models": ["Tesla M60"]}], "hours": 2}
    for value, flashes in ((5, 2), (2, 0)):
        plan = night([host("h1", m60("passthrough"))], [], {**film, "value": 3}, compute(hours=2, value=value))
        assert (len(modes(plan)), plan.score["job-value"]) == (flashes, max(3, value))


@pytest.mark.parametrize("late", [True, False])
def test_where_there_is_time_a_host_renders_before_or_after_it_is_flashed_for_a_training(late: bool) -> None:
    film = {"name": "film", "gpus": [{"models": ["Tesla M60"]}], "hours": 1.5, "value": 2}
    hour: Values = {"not_before": at(2 * HOUR)} if late else {"deadline": at(2 * HOUR)}
    plan = night([host("h1", m60("passthrough"))], [], film, compute(hours=1.5, **hour))
    assert plan.score["job-value"] == plan.bound["job-value"] == 3
    assert modes(plan) == [("h1", "compute", 1), ("h1", "graphics", 1)]
    assert [run.job for run in sorted(plan.jobs, key=lambda run: run.start)] == (
        ["film", "train"] if late else ["train", "film"]
    )
    ends, starts = ({step.job: step for step in plan.steps if step.kind == kind} for kind in ("stop-job", "start-job"))
    enters = [step for step in plan.steps if step.kind == "enter-maintenance"]
    leaves = [step for step in plan.steps if step.kind == "leave-maintenance"]
    if late:
        assert enters[0].waits_for == (ends["film"].id,)
        assert starts["film"].waits_for == ()
    else:
        assert starts["film"].waits_for == (leaves[1].id,)


def test_jobs_that_need_no_gpu_share_the_flashed_host() -> None:
    plan = night([host("h1", m60("passthrough"), cpus=4)], [], compute(cpus=2), {"name": "fold", "cpus": 2}, hours=3)
    assert plan.score["job-value"] == 2
    assert len(modes(plan)) == 2


def test_a_gpu_that_has_no_such_mode_or_is_not_known_is_never_flashed() -> None:
    for model in ("T4", "NVIDIA Never Heard Of"):
        job = {"name": "train", "gpus": [{"models": [model], "mode": "compute"}]}
        plan = night([host("h1", gpu(model))], [], job)
        assert (modes(plan), plan.score["job-value"]) == ([], 0)


def test_hosts_outside_the_scope_are_not_flashed() -> None:
    hosts = [host("h1", m60("passthrough")), host("h2", m60("passthrough"))]
    plan = night(hosts, [], compute(instances=2), hosts=["h1"], hours=2)
    assert {step.host for step in plan.steps if step.kind == "set-mode"} == {"h1"}
    assert plan.score["job-value"] == 1


def test_each_of_two_nights_has_its_own_flashes() -> None:
    windows = [window(0, 2 * HOUR), window(24 * HOUR, 26 * HOUR)]
    plan = night([host("h1", m60("passthrough"))], [], compute(instances=2), windows=windows)
    assert [mode for _, mode, _ in modes(plan)] == ["compute", "graphics"] * 2
    assert plan.score["job-value"] == 2


def test_one_gpu_is_flashed_for_training_while_the_other_renders() -> None:
    film = {"name": "film", "gpus": [{"models": ["Tesla M60"]}]}
    plan = night([host("h1", m60("passthrough"), m60("passthrough"))], [], film, compute(), hours=2)
    assert plan.score["job-value"] == plan.bound["job-value"] == 2
    assert modes(plan) == [("h1", "compute", 1), ("h1", "graphics", 1)]


def test_a_job_that_asks_for_both_modes_has_one_gpu_of_two_flashed() -> None:
    both = {"name": "demo", "gpus": [{"models": ["Tesla M60"]}, COMPUTE]}
    plan = night([host("h1", m60("passthrough"), m60("passthrough"))], [], both, hours=2)
    assert plan.score["job-value"] == plan.bound["job-value"] == 1
    assert modes(plan) == [("h1", "compute", 1), ("h1", "graphics", 1)]


def test_where_nothing_returns_the_bound_knows_that_nobody_need_flash_back() -> None:
    plan = night([host("h1", m60("passthrough"))], [], compute(hours=3.4), way_back="none")
    assert (plan.score["job-value"], plan.bound["job-value"]) == (0, 1)


def test_of_two_nights_the_bound_knows_that_a_host_may_be_flashed_in_the_one_and_back_in_the_other() -> None:
    windows = [window(0, 4 * HOUR), window(24 * HOUR, 28 * HOUR)]
    plan = night([host("h1", m60("passthrough"))], [], compute(hours=3.4, instances=2), windows=windows)
    assert (plan.score["job-value"], plan.bound["job-value"]) == (0, 2)
