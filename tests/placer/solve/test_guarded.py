"""The search where a rule looks at every host for each, on clusters small enough to be solved exactly as well."""

from __future__ import annotations

from typing import Any

import pytest

from bench.mid_size import ahv_m60
from placer import place, verify
from placer.judge.check import broken, scores, worse
from placer.solve import guarded
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.seating import stand_on
from placer_models.snapshot import Snapshot
from tests.agreement import World
from tests.placer.solve.small import deciding, gpu_hosts, snapshot
from tests.worlds import RESERVE, RESERVE_GPUS

AGAIN = {"restart": True, "live_migrate": True}
RULE = {"kind": "reserve"}


def restarting(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": f"vm{i}", "may": AGAIN, **more} for i in range(count)]


@pytest.mark.parametrize("world", [*RESERVE, *RESERVE_GPUS], ids=lambda world: world.name)
def test_no_answer_beats_the_exact_one_and_no_bound_is_below_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.snapshot()
    exact = place(made)
    monkeypatch.setattr(guarded, "FEW", -1)
    answer = place(made)
    assert verify(made, answer) == []
    goal = next(name for name in exact.score if name.startswith("placed"))
    bound = answer.bound[goal]
    assert answer.score[goal] <= exact.score[goal]
    assert bound is None or bound >= exact.score[goal]


@pytest.mark.parametrize("few", [-1, 10**6], ids=["guarded", "exact"])
def test_as_many_start_as_would_start_again(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hosts with two GPUs each: what four of them hold finds room after any loss."""
    monkeypatch.setattr(guarded, "FEW", few)
    made = snapshot(gpu_hosts(3), restarting(9, gpus=[{"milli": 1000}]), [RULE])
    answer = place(made)
    assert (answer.score["placed"], answer.bound["placed"]) == (4, 4)
    assert any("no failover: if h0, h1 or h2 were lost" in reason for reason in answer.unplaced[0].reasons)


def test_clusters_too_large_for_a_board_are_answered_by_neighbourhoods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "FEW", -1)
    monkeypatch.setattr(guarded, "MANY", -1)
    made = snapshot(gpu_hosts(3), restarting(9, gpus=[{"milli": 1000}]), [RULE])
    assert place(made).score["placed"] == 4


def test_what_the_judge_cannot_show_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards that allow too much propose it; the answer is what is left of it."""
    monkeypatch.setattr(guarded, "FEW", -1)
    monkeypatch.setattr("placer_models.rules.reserve.Reserve.encode", lambda rule, board: None)
    made = snapshot(gpu_hosts(3), restarting(9, gpus=[{"milli": 1000}]), [RULE])
    answer = place(made)
    assert verify(made, answer) == []
    assert answer.score["placed"] == 4
    assert answer.status == "feasible"


def test_a_vm_moves_to_where_it_can_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "FEW", -1)
    hosts = [{"name": "h0", "cpus": 4}, {"name": "h1", "cpus": 4}, {"name": "h2", "cpus": 4}]
    running = [{"name": name, "cpus": 2, "host": "h0", "may": AGAIN} for name in ("a", "b")]
    made = snapshot(hosts, [*running, {"name": "big", "cpus": 4, "may": AGAIN}], [RULE])
    answer = place(made, moves=2)
    assert verify(made, answer) == []
    assert answer.score["placed"] == 1


def test_nothing_started_is_the_answer_when_there_is_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "FEW", -1)
    made = snapshot(gpu_hosts(3), restarting(9, gpus=[{"milli": 1000}]), [RULE])
    answer = place(made, deciding("power_on", seconds=1e-6))
    assert (answer.status, answer.stopped, answer.placed) == ("feasible", "time limit", ())


def test_a_mid_size_cluster_is_filled_as_well_as_by_trying_each_vm_on_each_host() -> None:
    values = ahv_m60(2)
    for vm in values["vms"]:
        vm["may"] = {**vm.get("may", {}), "restart": True}
    values["rules"].append(RULE)
    made = Snapshot.of(values)
    answer = place(made)
    assert list(answer.score.values())[:2] >= greedy(made)[:2]


def greedy(made: Snapshot) -> list[int]:
    """The scores when each VM is put on the first host where the judge says nothing."""
    cluster, decision = made.content, shipped_decision("power_on")
    rules, before, scene = decision.rules_of(made.rules), Scene.now(cluster), Scene.now(cluster)
    now = broken(scene, rules)
    for name in sorted(cluster.asked, key=lambda name: -cluster.asked[name]):
        for host in cluster.hosts.values():
            stand = stand_on(scene, cluster.vms[name], host)
            if stand is None:
                continue
            with scene.trial(stand):
                legal = not worse(rules, now, broken(scene, rules))
            if legal:
                scene.put(stand)
                break
    return scores(decision.goals_of(cluster), before, scene, rules)
