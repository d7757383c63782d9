"""What the planner says of a night, and what the judge says of every timed plan of it."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from placer.consolidate import consolidate
from placer_models.plan import Plan
from tests.agreement_in_time import TICK, Agreement, World, disagreements, timing_disagreements
from tests.nights import Night, Values, at, window
from tests.worlds import gpu, host, vm, want

ALL_TEN = dict.fromkeys(
    ("migrate_seconds", "stun_seconds", "suspend_seconds", "power_off_seconds", "power_on_seconds"), TICK
) | {"stun_seconds": 2}


def ten(name: str, on: str, *asks: Values, may: str = "live_migrate", **more: Any) -> Values:
    """A VM of which each step takes a tick."""
    return {**vm(name, *asks, on=on, **more), "may": dict.fromkeys(may.split(), True), "measured": ALL_TEN}


def night(
    ticks: int, hosts: list[Values], vms: list[Values], jobs: list[Values] | None = None, **request: Any
) -> Night:
    """A night of so many ticks."""
    rules = request.pop("rules", [])
    asked = {"windows": [window(0, ticks * TICK)], **request}
    return Night(hosts, vms, asked, jobs or [], rules, {"kind": "kvm"})


def job(name: str, ticks: int, **more: Any) -> Values:
    """A job of so many ticks."""
    return {"name": name, "hours": ticks * TICK / 3600, **more}


def parts(name: str, ticks: int, **more: Any) -> Values:
    """A job of so many ticks that may be stopped after any of them, and goes on at once."""
    return job(name, ticks, **{"checkpointed": True, "least_part_hours": TICK / 3600, "checkpoint_minutes": 0, **more})


WORLDS = [
    World("one of two hosts is freed", night(4, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h2", may="")]), 4),
    World("either host can be freed", night(4, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h2")]), 4),
    World(
        "a host takes one move at a time",
        night(6, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h1"), ten("c", "h2", may="")]),
        6,
    ),
    World(
        "three hosts and room for two VMs on each",
        night(4, [host(f"h{i}", cpus=2) for i in (1, 2, 3)], [ten("a", "h1"), ten("b", "h2"), ten("c", "h3", may="")]),
        4,
    ),
    World(
        "a job for the freed host",
        night(
            5,
            [host("h1", cpus=4), host("h2", cpus=8)],
            [ten("a", "h1"), ten("b", "h2", may="")],
            [job("x", 2, cpus=4, value=3)],
        ),
        5,
    ),
    World(
        "two jobs one after the other, and a third that finds no time",
        night(
            6,
            [host("h1", cpus=4), host("h2", cpus=8)],
            [ten("a", "h1"), ten("b", "h2", may="")],
            [job("x", 2, whole_host=True, value=3, instances=2), job("y", 3, whole_host=True, value=4)],
        ),
        6,
    ),
    World(
        "asleep where there is no room",
        night(4, [host("h1", cpus=1), host("h2", cpus=1)], [ten("a", "h1", may="suspend"), ten("b", "h2", may="")]),
        4,
        reaches=3,  # the host stays free to the end, though a shorter sleep would be enough to have it free once
    ),
    World(
        "the store has room for one of two",
        night(
            4,
            [host("h1", cpus=1), host("h2", cpus=1)],
            [ten("a", "h1", may="suspend"), ten("b", "h2", may="suspend")],
            limits={"store_mib": 1500},
        ),
        4,
        reaches=3,
    ),
    World(
        "no way back",
        night(3, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h2")], [job("x", 2, cpus=8)], way_back="none"),
        3,
    ),
    World(
        "a window too short",
        night(3, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h1"), ten("c", "h2", may="")], free=["h1"]),
        3,
    ),
    World(
        "moves are counted",
        night(4, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h2")], limits={"most_moves": 1}),
        4,
    ),
    World(
        "a wall between two VMs",
        night(
            4,
            [host("h1"), host("h2"), host("h3")],
            [ten("a", "h1"), ten("b", "h2", may="")],
            free=["h1"],
            rules=[{"kind": "apart", "vms": ["a", "b"]}],
        ),
        4,
    ),
    World(
        "two jobs that want different hosts, one after the other",
        night(
            7,
            [host("h1", gpu("T4")), host("h2", gpu("A30"))],
            [ten("a", "h1")],
            [job("x", 1, gpus=[{"models": ["T4"]}]), job("y", 1, gpus=[{"models": ["A30"]}])],
        ),
        7,
        reaches=0,  # it frees hosts once a night: that more could be had in turns must not be denied by its bound
    ),
    World(
        "two long jobs that want different hosts",
        night(
            6,
            [host("h1", gpu("T4")), host("h2", gpu("A30"))],
            [ten("a", "h1")],
            [job("x", 3, gpus=[{"models": ["T4"]}]), job("y", 4, gpus=[{"models": ["A30"]}], value=2)],
        ),
        6,
    ),
    World(
        "a VM that is off for the night",
        night(4, [host("h1", cpus=1), host("h2", cpus=1)], [ten("a", "h1", may="power_cycle"), ten("b", "h2", may="")]),
        4,
        reaches=3,
    ),
    World(
        "a size that fits on one of two GPUs",
        night(
            4,
            [host("h1", gpu("Tesla M60", "same-size")), host("h2", gpu("Tesla M60", "same-size"))],
            [ten("a", "h1", want("M60-4Q", "g0/0")), ten("b", "h2", want("M60-4Q", "g0/0"), may="")],
        ),
        4,
    ),
    World(
        "a size that does not go beside another",
        night(
            4,
            [host("h1", gpu("Tesla M60", "same-size")), host("h2", gpu("Tesla M60", "same-size"))],
            [ten("a", "h1", want("M60-4Q", "g0/0")), ten("b", "h2", want("M60-8Q", "g0/0"), may="")],
        ),
        4,
    ),
    World(
        "back early",
        night(6, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h2", may="")], ready_by=at(50)),
        6,
    ),
    World(
        "a job in two parts around one that has its hour",
        night(
            7,
            [host("h1", cpus=4), host("h2", cpus=8)],
            [ten("a", "h1", may=""), ten("b", "h2")],
            [parts("x", 3, cpus=8), job("y", 2, cpus=8, not_before=at(20), deadline=at(40))],
        ),
        7,
    ),
    World(
        "two hosts of three ticks do a job of two ticks three times",
        night(
            3,
            [host("h1"), host("h2"), host("h3")],
            [ten("a", "h1", may="")],
            [parts("x", 2, whole_host=True, instances=3)],
        ),
        3,
    ),
    World(
        "a job in two nights",
        night(
            9,
            [host("h1"), host("h2")],
            [ten("a", "h1"), ten("b", "h2", may="")],
            [parts("x", 4, cpus=8)],
            windows=[window(0, 40), window(50, 90)],
        ),
        9,
        reaches=4,
    ),
    World(
        "a job in two nights that may not be stopped",
        night(
            9,
            [host("h1"), host("h2")],
            [ten("a", "h1"), ten("b", "h2", may="")],
            [job("x", 3, cpus=8, value=5), job("y", 2, cpus=8, value=2, deadline=at(40))],
            windows=[window(0, 40), window(50, 90)],
        ),
        9,
        reaches=4,
    ),
    World(
        "two nights are one too few for what going on costs",
        night(
            9,
            [host("h1"), host("h2")],
            [ten("a", "h1"), ten("b", "h2", may="")],
            [parts("x", 4, cpus=8, checkpoint_minutes=1)],
            windows=[window(0, 40), window(50, 90)],
        ),
        9,
        reaches=4,
    ),
    World(
        "away between the nights, because it is due after them",
        night(
            8,
            [host("h1", cpus=1), host("h2", cpus=8)],
            [ten("a", "h1", ready_by=at(80)), ten("b", "h2", may="")],
            [parts("x", 4, cpus=1)],
            windows=[window(0, 40), window(40, 80)],
        ),
        8,
        reaches=3,
    ),
    World(
        "an empty host need not pay",
        night(3, [host("h1"), host("h2")], [ten("a", "h1")], [job("x", 3, value=2)], limits={"least_gain": 3}),
        3,
    ),
    World(
        "a window in which there is only time to go and to come back",
        night(2, [host("h1"), host("h2")], [ten("a", "h1"), ten("b", "h2", may="")]),
        2,
    ),
    World(
        "due when the second window begins",
        night(
            7,
            [host("h1", cpus=1), host("h2", cpus=1)],
            [ten("a", "h1", may="suspend", ready_by=at(40)), ten("b", "h2", may="")],
            windows=[window(0, 30), window(40, 70)],
            way_back="any-host",
        ),
        7,
        reaches=3,
    ),
    World(
        "least gain",
        night(
            4,
            [host("h1"), host("h2")],
            [ten("a", "h1"), ten("b", "h2", may="")],
            [job("x", 2, value=2)],
            limits={"least_gain": 3},
        ),
        4,
    ),
]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_no_plan_beats_what_the_planner_says(world: World) -> None:
    assert disagreements(world) == []


EITHER, TURNS = WORLDS[1], next(world for world in WORLDS if world.reaches == 0)


def test_a_bound_that_forgets_about_turns_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("placer.consolidate"), "for_every_plan", lambda night, outcome: outcome)
    assert any("is bounded by 1" in said for said in disagreements(TURNS))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hosts-freed": 0, "moves": 0}, "the best plan"),
        ({"hosts-freed": 2}, "no better than"),
        ({"moves": 1}, "no better than"),
        ({"stun": 9000}, "is said to be proven"),
    ],
)
def test_a_planner_that_does_less_or_counts_wrong_is_found(
    change: dict[str, int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*given: Any) -> Plan:
        plan = consolidate(*given)
        return plan.model_copy(update={"score": {**plan.score, **change}, "status": "optimal"})

    monkeypatch.setattr("tests.agreement_in_time.consolidate", wrong)
    assert any(said in one for one in disagreements(EITHER))


def test_a_bound_that_plans_beat_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*given: Any) -> Plan:
        plan = consolidate(*given)
        return plan.model_copy(update={"bound": {**plan.bound, "moves": 3}})

    monkeypatch.setattr("tests.agreement_in_time.consolidate", wrong)
    assert any("moves is bounded by 3" in one for one in disagreements(EITHER))


def test_a_bound_on_downtime_that_plans_beat_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("placer.consolidate"), "down_at_least", lambda night, promised: promised)
    sleepy = next(world for world in WORLDS if world.name == "the store has room for one of two")
    assert any("downtime is bounded by" in said for said in disagreements(sleepy))


def test_a_bound_of_several_nights_that_plans_beat_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.night.several.most_of", lambda *given: {"job-value": 0, "hosts-freed": 0})
    nights = next(world for world in WORLDS if world.name == "a job in two nights")
    assert any("job-value is bounded by 0" in said for said in disagreements(nights))


def test_a_judge_that_lets_two_vms_stand_on_one_cpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = WORLDS[6]
    full = next(rule for rule in Agreement(crowded).rules if rule.kind == "capacity")
    monkeypatch.setattr(type(full), "check", lambda self, scene, hosts=None: iter(()))
    awake = replace(crowded, night=night(4, [host("h1", cpus=1), host("h2", cpus=1)], [ten("a", "h1"), ten("b", "h2")]))
    assert disagreements(awake) != []


def in_a_ring() -> Night:
    """Two hosts with room for two, one with room for three: who goes round must wait for who is before it."""
    hosts = [host("h1", cpus=2, labels={"rack": "r1"}), host("h2", cpus=2), host("h3", cpus=3, labels={"rack": "r2"})]
    vms = [ten("a", "h1"), ten("b", "h1"), ten("c", "h2"), ten("d", "h2"), ten("e", "h3")]
    return night(5, hosts, vms, way_back="none", limits={"moves_at_once_per_host": 2})


RING = [("c", "h3"), ("a", "h2"), ("e", "h1")]


@pytest.mark.parametrize(
    "limits",
    [
        {"moves_at_once_per_host": 2},
        {"moves_at_once_per_host": 1},
        {"moves_at_once_per_host": 2, "moves_at_once": 1},
        {"moves_at_once_per_host": 2, "links": [{"label": "rack", "moves_at_once": 1}]},
    ],
    ids=", ".join,
)
def test_times_are_allowed_where_the_judge_is_silent_and_only_there(limits: Values) -> None:
    ring = in_a_ring()
    asked = Night(ring.hosts, ring.vms, {**ring.request, "limits": limits}, platform=ring.platform)
    assert timing_disagreements(asked, RING, 5) == []


def test_times_that_forget_about_room_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.solve.timing.Times._within", lambda self, takes, room: None)
    assert timing_disagreements(in_a_ring(), RING, 5) != []
