"""When steps run: who waits for whom, ways round knots, limits."""

from __future__ import annotations

from typing import Any

from placer.solve.detours import Detours
from placer.solve.motion import Schedule, list_schedule
from placer.solve.target import Way, Ways
from placer.solve.traffic import Action
from placer_models.decision import shipped_decision
from placer_models.document import parse
from placer_models.night import Limits
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot

GOALS = ("job-value", "hosts-freed", "downtime", "stun", "moves")
AWAY: dict[Way, int] = {"suspend": 1000, "power-off": 1001}


def swapped(
    *ways: Way, hosts: int = 2, goals: tuple[str, ...] = GOALS, moves_left: int | None = None, **limits: Any
) -> Schedule:
    """a fills h1 and b fills h2, and each wants to go to where the other is; `ways` are open to both of them."""
    snapshot = Snapshot.of(
        {
            "format": "placer.snapshot/1",
            "cluster": "lab",
            "taken_at": "2026-11-23T06:30:00Z",
            "hosts": [
                {"name": f"h{i + 1}", "labels": {"rack": f"r{i}"}, "cpus": 8, "memory_mib": 65536} for i in range(hosts)
            ],
            "vms": [
                {"name": vm, "power": "on", "host": host, "cpus": 8, "memory_mib": 1024, "may": {"live_migrate": True}}
                for vm, host in (("a", "h1"), ("b", "h2"))
            ],
        }
    )
    cluster, scene = snapshot.content, Scene.now(snapshot.content)
    rules = shipped_decision("consolidate").rules_of(())
    most = parse(Limits, limits, "limits")
    may = {vm: Ways(True, tuple((way, AWAY[way]) for way in ways)) for vm in ("a", "b")}
    actions = [
        Action(vm, "migrate", 10, scene.of(vm)[0], Stand(vm, to), stun_seconds=0.5, state_mib=1024)
        for vm, to in (("a", "h2"), ("b", "h1"))
    ]
    detours = Detours(cluster, rules, most, may, goals, list(cluster.hosts), moves_left)
    return list_schedule(scene, rules, actions, most, {}, detour=detours)


def kinds(schedule: Schedule) -> list[str]:
    assert not schedule.stuck
    return sorted(timed.action.kind for timed in schedule.timed)


def test_a_swap_goes_over_a_spare_host() -> None:
    assert kinds(swapped("suspend", hosts=3)) == ["migrate"] * 3


def test_a_swap_with_no_spare_host_is_solved_by_a_suspension() -> None:
    schedule = swapped("suspend", "power-off")
    assert kinds(schedule) == ["migrate", "resume", "suspend"]
    assert [timed.action.aside for timed in schedule.timed if timed.action.kind == "suspend"] in ([("a",)], [("b",)])


def test_a_swap_with_no_room_in_the_store_is_solved_by_a_power_cycle() -> None:
    assert kinds(swapped("suspend", "power-off", store_mib=512)) == ["migrate", "power-off", "power-on"]


def test_a_swap_of_vms_that_may_do_nothing_else_is_stuck() -> None:
    assert {action.vm for action in swapped().stuck} == {"a", "b"}


def test_a_goal_that_comes_first_is_not_spent_on_a_detour() -> None:
    assert swapped("suspend", goals=("downtime", *GOALS)).stuck
    assert kinds(swapped("suspend", hosts=3, goals=("stun", "moves", "downtime"))) == ["migrate", "resume", "suspend"]


def test_no_hop_where_there_may_be_no_more_moves() -> None:
    assert kinds(swapped("suspend", hosts=3, moves_left=0)) == ["migrate", "resume", "suspend"]
    assert swapped(hosts=3, moves_left=0).stuck


def test_moves_at_once_are_no_more_than_the_cluster_bears() -> None:
    schedule = swapped(hosts=3, moves_at_once=1)
    assert schedule.seconds == 30


def test_a_link_too_thin_for_one_migration_bears_none() -> None:
    thin = [{"label": "rack", "mib_per_second": 10}]
    assert swapped(hosts=3, links=thin).stuck
    assert not swapped(hosts=3, links=[{"label": "rack", "mib_per_second": 10000}]).stuck
