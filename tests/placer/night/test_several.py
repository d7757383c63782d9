"""Several nights: what one leaves to the next, and jobs that run in whichever suits."""

from __future__ import annotations

from typing import Any

from placer.consolidate import consolidate
from placer.judge.timed import TimedReplay
from placer_models.night import Consolidate
from placer_models.plan import Plan
from tests.good_nights import quick
from tests.nights import Night, Values, at, window
from tests.worlds import host

HOUR = 3600
TWO, THREE = ([window(24 * n * HOUR, (24 * n + 8) * HOUR) for n in range(many)] for many in (2, 3))
PAIR = [quick("stays", on="h1", may=""), quick("goes", on="h2")]


def nights(*jobs: Values, windows: list[Values] = TWO, vms: list[Values] = PAIR, many: int = 2, **more: Any) -> Plan:
    """A plan for nights of eight hours; it is judged once more."""
    hosts = [host(f"h{number}", cpus=4) for number in range(1, many + 1)]
    whole = [{"whole_host": True, **job} for job in jobs]
    one = Night(hosts, vms, {"kind": "consolidate", "windows": windows, **more}, whole)
    assert isinstance(one.asked, Consolidate)
    plan = consolidate(one.snapshot, one.asked, one.work)
    assert TimedReplay(one.cluster, one.holding, one.asked, one.work, plan).faults == []
    bound = plan.bound["job-value"]
    assert bound is not None
    assert bound >= plan.score["job-value"]
    return plan


def job(name: str, hours: float, **more: Any) -> Values:
    return {"name": name, "hours": hours, **more}


def parts(name: str, hours: float, **more: Any) -> Values:
    return job(name, hours, checkpointed=True, **more)


def test_three_nights_do_two_jobs_of_eleven_hours_one_after_the_other() -> None:
    plan = nights(parts("x", 11, instances=3), windows=THREE)
    assert plan.score["job-value"] == plan.bound["job-value"] == 2
    assert len(plan.jobs) == 4


def test_what_cannot_be_ended_by_its_deadline_is_not_begun() -> None:
    assert nights(parts("x", 12, deadline=at(26 * HOUR))).jobs == ()
    assert nights(parts("x", 12, deadline=at(29 * HOUR))).score["job-value"] == 1


def test_going_on_costs_minutes_that_the_last_night_does_not_have() -> None:
    assert nights(parts("x", 15.9)).score["job-value"] == 0
    assert nights(parts("x", 15.9, checkpoint_minutes=0)).score["job-value"] == 1


def test_a_rest_that_is_too_short_to_count_is_made_longer() -> None:
    plan = nights(parts("x", 8.25, least_part_hours=2))
    assert plan.score["job-value"] == 1
    assert min((run.end - run.start).total_seconds() for run in plan.jobs) >= 2 * HOUR


def test_moves_are_counted_over_all_nights() -> None:
    plan = nights(job("x", 7, instances=2), limits={"most_moves": 3})
    assert (plan.score["moves"], plan.score["job-value"]) == (2, 1)


def test_moves_are_kept_for_the_second_night_where_they_bring_more() -> None:
    jobs = job("x", 7, value=4), job("tomorrow", 7, not_before=at(20 * HOUR), value=9)
    plan = nights(*jobs, limits={"most_moves": 2})
    assert (plan.score["job-value"], plan.bound["job-value"]) == (9, 13)


def test_moves_are_shared_where_each_night_has_its_own_job() -> None:
    jobs = job("tonight", 7, deadline=at(9 * HOUR)), job("tomorrow", 7, not_before=at(20 * HOUR))
    vms = [quick("stays", on="h1", may=""), *(quick(f"goes-{number}", on=f"h{number}") for number in (2, 3))]
    plan = nights(*jobs, vms=vms, many=3, limits={"most_moves": 4})
    assert (plan.score["job-value"], plan.bound["job-value"]) == (2, 2)
    assert plan.score["moves"] == 4


def test_the_store_is_as_full_as_earlier_nights_have_left_it() -> None:
    sleepers = [quick(f"v{number}", on=f"h{number}", may="suspend") for number in (1, 2)]
    plan = nights(job("x", 7, instances=4), vms=sleepers, way_back="none", limits={"store_mib": 1500})
    assert sum(step.kind == "suspend" for step in plan.steps) == 1
    assert plan.score["job-value"] == 2


def test_who_may_be_away_until_the_last_morning_lets_a_host_be_free_for_longer_than_is_planned() -> None:
    late = [PAIR[0], {**PAIR[1], "ready_by": at(31 * HOUR)}]
    plan = nights(job("x", 7.999, instances=2), vms=late)
    assert (plan.score["job-value"], plan.bound["job-value"]) == (0, 2)


def test_a_host_that_does_not_pay_is_not_freed_in_either_night() -> None:
    plan = nights(parts("x", 12, value=5), limits={"least_gain": 6})
    assert plan.freed == plan.jobs == ()


def test_jobs_on_a_flashed_host_stay_where_they_are_when_the_others_are_dealt_out_again() -> None:
    m60 = {"id": "g0", "model": "Tesla M60", "sharing": "passthrough"}
    hosts = [{**host("h1"), "gpus": [m60]}, host("h2")]
    train = {"name": "train", "gpus": [{"models": ["Tesla M60"], "mode": "compute"}], "hours": 6, "value": 3}
    films = [job("film", 7, value=4, whole_host=True), job("tonight", 7, deadline=at(9 * HOUR), whole_host=True)]
    one = Night(hosts, [], {"kind": "consolidate", "windows": TWO, "free": ["h1", "h2"]}, [train, *films])
    assert isinstance(one.asked, Consolidate)
    plan = consolidate(one.snapshot, one.asked, one.work)
    assert plan.score["job-value"] == 3 + 4 + 1
