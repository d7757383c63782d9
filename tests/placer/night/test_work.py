"""What jobs can bring on freed hosts, as the target counts it: nothing that no hours could hold."""

from __future__ import annotations

from typing import Any

from placer.consolidate import consolidate
from placer_models.night import Consolidate
from placer_models.plan import Plan
from tests.good_nights import quick
from tests.nights import Night, at, window
from tests.worlds import host

HOUR = 3600


def night(*jobs: dict[str, Any], hours: float = 10) -> Plan:
    """A night in which one host of two CPUs can be freed."""
    hosts = [host("stays", cpus=8), host("free", cpus=2)]
    asked = {"kind": "consolidate", "windows": [window(0, round(hours * HOUR))]}
    one = Night(hosts, [quick("goes", on="free"), quick("pinned", on="stays", may="")], asked, list(jobs))
    assert isinstance(one.asked, Consolidate)
    return consolidate(one.snapshot, one.asked, one.work)


def test_what_one_run_after_the_other_leaves_of_each_cpu_is_not_added_up() -> None:
    plan = night({"name": "render", "hours": 4, "cpus": 1, "instances": 9, "value": 1}, hours=7.5)
    assert plan.score["job-value"] == plan.bound["job-value"] == 2


def test_three_hours_after_a_whole_host_run_are_no_room_for_a_job_of_four() -> None:
    whole = {"name": "whole", "hours": 6, "whole_host": True, "value": 7}
    plan = night(whole, {"name": "render", "hours": 4, "cpus": 1, "instances": 2, "value": 3})
    assert plan.score["job-value"] == plan.bound["job-value"] == 7


def test_a_job_that_has_to_wait_until_midnight_is_no_reason_to_promise_less() -> None:
    late = {"name": "late", "hours": 3, "whole_host": True, "value": 7, "not_before": at(round(2.5 * HOUR))}
    plan = night(late, {"name": "render", "hours": 1, "cpus": 1, "instances": 9, "value": 1})
    assert plan.score["job-value"] == plan.bound["job-value"] == 7 + 9


def test_a_job_that_only_some_hosts_of_a_kind_have_time_for_runs_on_those() -> None:
    hosts = [host(name, cpus=4) for name in ("full", "spare")]
    asked = {"kind": "consolidate", "windows": [window(0, 8 * HOUR)], "ready_by": at(HOUR)}
    jobs = [
        {"name": "long", "hours": 5, "whole_host": True},
        {"name": "short", "hours": 0.5, "cpus": 1, "instances": 2},
    ]
    one = Night(hosts, [quick("a", on="full", may="suspend")], asked, jobs)
    assert isinstance(one.asked, Consolidate)
    plan = consolidate(one.snapshot, one.asked, one.work)
    assert plan.score["job-value"] == 3
    assert [run.host for run in plan.jobs if run.job == "long"] == ["spare"]
