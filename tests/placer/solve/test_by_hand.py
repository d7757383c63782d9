"""Hosts emptied one by one without a solver: what a night has where every board is too large."""

from __future__ import annotations

from typing import Any

from placer.consolidate import consolidate
from placer.judge.timed import TimedReplay
from placer.solve.by_hand import with_jobs
from placer.solve.target import JobOn, NightAsk, Target, Work
from placer_models.decision import shipped_decision
from placer_models.night import Consolidate
from placer_models.plan import Plan
from tests.good_nights import quick
from tests.nights import Night, Values, window
from tests.worlds import host

FILM = {"name": "film", "whole_host": True, "hours": 0.1, "value": 5, "instances": 2}


def by_hand(vms: list[Values], *, cpus: tuple[int, ...] = (4, 4, 8), **more: Any) -> Plan:
    """A night for which no board may be built, on hosts of so many CPUs; it is judged once more."""
    rules = more.pop("rules", [])
    asked = {"windows": [window(0, 1000)], "way_back": "same-host", **more}
    night = Night([host(f"h{n}", cpus=many) for n, many in enumerate(cpus, 1)], vms, asked, [FILM], rules=rules)
    assert isinstance(night.asked, Consolidate)
    decision = shipped_decision("consolidate")
    tight = decision.model_copy(update={"search": decision.search.model_copy(update={"memory_limit_mib": 1})})
    plan = consolidate(night.snapshot, night.asked, night.work, tight)
    assert TimedReplay(night.cluster, night.holding, night.asked, night.work, plan).faults == []
    assert "too large" in plan.stopped or plan.status == "optimal"
    return plan


def freed(plan: Plan) -> list[str]:
    return [one.host for one in plan.freed]


def test_as_many_hosts_are_emptied_as_find_room_and_jobs_run_on_them() -> None:
    plan = by_hand([quick("a", on="h1", cpus=3), quick("b", on="h2", cpus=3)])
    assert freed(plan) == ["h1", "h2"]
    assert plan.score["job-value"] == 10


def test_the_host_that_is_named_is_emptied_and_nobody_comes_to_it() -> None:
    plan = by_hand([quick("a", on="h1"), quick("b", on="h2"), quick("c", on="h3")], free=["h3"])
    assert freed(plan) == ["h3"]


def test_who_finds_no_room_is_suspended_if_he_may_be_else_his_host_is_left_alone() -> None:
    large = [quick("a", on="h1", cpus=4), quick("b", on="h2", cpus=4), quick("c", on="h3", cpus=8)]
    assert freed(by_hand(large)) == []
    sleepy = by_hand([quick("a", on="h1", cpus=4, may="suspend"), *large[1:]])
    assert freed(sleepy) == ["h1"]
    assert [step.kind for step in sleepy.steps if step.vm == "a"] == ["suspend", "resume"]


def test_no_more_moves_are_made_and_no_more_states_stored_than_may_be() -> None:
    vms = [quick("a", on="h1"), quick("b", on="h2", may="suspend")]
    assert freed(by_hand(vms, limits={"most_moves": 1, "store_mib": 1})) == ["h3"]
    assert len(freed(by_hand(vms, limits={"most_moves": 2, "store_mib": 1}))) == 2
    assert len(freed(by_hand(vms, limits={"most_moves": 2}))) == 2


def test_a_reserve_survives() -> None:
    vms = [quick("a", on="h1", cpus=1), quick("b", on="h2", cpus=4, may=""), quick("c", on="h3", cpus=4, may="restart")]
    assert freed(by_hand(vms, cpus=(2, 8, 4))) == ["h1"]
    assert freed(by_hand(vms, cpus=(2, 8, 4), rules=[{"kind": "reserve"}])) == []


def test_jobs_that_bring_most_for_what_they_take_come_first_and_none_is_promised_twice() -> None:
    rooms = {host: {"cpus": 8 * 10, "time": 10} for host in ("a", "b")}
    takes = {"whole": {"cpus": 8 * 10, "time": 10}, "small": {"cpus": 2 * 5}}
    amounts = {(job, host): its for job, its in takes.items() for host in rooms}
    spots = [JobOn(job, host, 1 if job == "whole" else 8) for job in takes for host in rooms]
    work = Work({"whole": 10, "small": 2}, {"whole": 5, "small": 6}, spots, amounts, rooms)
    found = with_jobs(Target(emptied=["a", "b"]), NightAsk({}, frozenset("ab"), work=work))
    assert found.jobs == {("small", "a"): 6, ("whole", "b"): 1}


def test_a_job_is_dealt_out_to_hosts_that_have_nothing_of_what_it_does_not_take() -> None:
    rooms, amounts = {"a": {"gpus": 0, "time": 10}}, {("small", "a"): {"gpus": 0, "time": 5}}
    work = Work({"small": 2}, {"small": 6}, [JobOn("small", "a", 8)], amounts, rooms)
    assert with_jobs(Target(emptied=["a"]), NightAsk({}, frozenset("a"), work=work)).jobs == {("small", "a"): 2}
