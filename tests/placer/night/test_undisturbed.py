"""Runs of jobs lie where nobody leaves or comes, if a rule holds at rest: what it keeps is kept all night."""

from __future__ import annotations

from placer.consolidate import consolidate
from placer_models.night import Consolidate
from placer_models.plan import Plan
from tests.good_nights import quick
from tests.nights import Night, at, window
from tests.worlds import host


def early(hours: float) -> Plan:
    """A night of eight hours in which one of two hosts is empty, and the VM of the other sleeps for one hour."""
    asked = {"kind": "consolidate", "windows": [window(0, 8 * 3600)], "ready_by": at(3600)}
    sleeper = quick("a", on="h1", cpus=2, may="suspend restart")
    job = {"name": "film", "whole_host": True, "hours": hours, "instances": 2, "value": 3}
    one = Night([host("h1", cpus=4), host("spare", cpus=4)], [sleeper], asked, [job], [{"kind": "reserve"}])
    assert isinstance(one.asked, Consolidate)
    return consolidate(one.snapshot, one.asked, one.work)


def test_a_job_is_not_run_into_the_hours_in_which_a_restart_counts_on_its_host() -> None:
    assert early(5).score["job-value"] == 0
    assert early(0.5).score["job-value"] == 6
