"""One VM placed by looking at every host is placed as well as `place` proves that it can be, by every goal."""

from __future__ import annotations

import random

import pytest

from placer import Session, place
from placer.judge.replay import Replay
from placer.warm.asking import Unsure
from placer.warm.field import Field
from placer_models.decision import Decision, shipped_decision
from placer_models.goals.stranded import typical_asks
from placer_models.plan import Placements
from placer_models.snapshot import PowerOn, Snapshot
from tests.agreement import World
from tests.build import Json, gpu, host, off, on, profile, snapshot, whole
from tests.worlds import WORLDS

EVERY = [pytest.param(world, id=f"{about}: {world.name}") for about, worlds in WORLDS.items() for world in worlds]
POWER_ON = shipped_decision("power_on")


def compare(whole: Snapshot, vm: str, decision: Decision = POWER_ON) -> None:
    """Ask both the same; the session's answer must also pass the judge that replays answers of `place`."""
    alone = whole.with_parts(requests=(PowerOn(vm=vm),))
    warm, cold = Session(whole, decision).propose(vm), place(alone, decision)
    if cold.status == "optimal":
        assert dict(warm.score) == dict(cold.score)
        assert [one.reasons for one in warm.unplaced] == [one.reasons for one in cold.unplaced]
    else:  # a narrow board may miss what there is
        goals = decision.goals_of(alone.content)
        signs = [(goal.label, -1 if goal.sense == "most" else 1) for goal in goals]
        assert [sign * warm.score[goal] for goal, sign in signs] <= [sign * cold.score[goal] for goal, sign in signs]
    answer = Placements(status="feasible", placed=warm.placed, moves=warm.moves)
    assert Replay(alone.content, decision.rules_of(alone.rules), answer).faults == []


@pytest.mark.parametrize("world", EVERY)
def test_each_vm_of_the_agreement_test_s_worlds(world: World) -> None:
    for vm in world.snapshot().vms:
        if vm.power != "on":
            compare(world.snapshot(), vm.name)


@pytest.mark.parametrize("goals", [("should", "placed"), ("balance", "stranded"), ("gpu-milli", "placed", "balance")])
def test_goals_in_another_order_are_met_in_that_order(goals: tuple[str, ...]) -> None:
    decision = POWER_ON.model_copy(update={"goals": goals})
    for world in [*WORLDS["affinity"], *WORLDS["stranded"], *WORLDS["mig"]]:
        for vm in world.snapshot().vms:
            if vm.power != "on":
                compare(world.snapshot(), vm.name, decision)


def test_a_wish_that_comes_before_being_placed_keeps_the_vm_off() -> None:
    story = snapshot(
        [host("h1", labels={"tier": "gold"})],
        [off("a")],
        rules=[{"kind": "affinity", "vms": ["a"], "host_labels": {"tier": "gold"}, "strength": "should-not"}],
    )
    decision = POWER_ON.model_copy(update={"goals": ("should", "placed")})
    assert Session(story, decision).propose("a").placed == ()
    assert Session(story).propose("a").host == "h1"


ASKS: list[list[Json]] = [
    [],
    [profile("A40-8Q")],
    [profile("A40-12Q"), profile("A40-24Q")],
    [profile("A40-48Q", count=2)],
    [profile("1g.10gb", count=3)],
    [profile("3g.40gb"), profile("1g.10gb")],
    [whole("H100XM")],
    [whole("H100XM", count=2)],
    [whole("A40"), whole("H100XM")],
    [{"models": ["Tesla T4"], "milli": 400, "count": 2}],
    [{"models": ["Tesla T4"], "milli": 300}, {"models": ["Tesla T4"], "milli": 700}],
]
NEEDS: list[dict[str, bool]] = [{}, {}, {}, {"same_numa_node": True}, {"same_board": True}, {"nvlink": True}]
SLOTS = ("chosen", "first-legal")


def mixed(seed: int) -> Snapshot:
    """A few hosts of all kinds on which VMs were started one by one, and some more that ask."""
    chance = random.Random(seed)
    sharings = {"A40": ["same-size", "mixed-size", "passthrough"], "H100XM": ["mig", "passthrough"]}
    hosts = []
    for number in range(4):
        model = chance.choice(["A40", "H100XM", "Tesla T4"])
        open_to = sharings.get(model, ["fraction"])
        gpus = [
            gpu(model, chance.choice(open_to), may_share=open_to, numa_node=i // 2, board=str(i // 2)) for i in range(4)
        ]
        hosts.append(host(f"h{number}", *gpus, cpus=chance.choice([24, 40]), labels={"rack": f"r{number % 2}"}))
        hosts[-1]["nvlink_groups"] = [["g0", "g1"], ["g2", "g3"]]
    vms = [
        off(f"vm{number}", *chance.choice(ASKS), cpus=chance.choice([2, 4, 8]), needs=chance.choice(NEEDS))
        for number in range(24)
    ]
    rules: list[Json] = [
        {"kind": "apart", "vms": ["vm1", "vm2", "vm3"], "by": "rack", "strength": "should"},
        {"kind": "together", "vms": ["vm4", "vm5"], "strength": "must"},
        {"kind": "limit", "most_vms": 7},
    ]
    platform = {"kind": "kvm", "slots": chance.choice(SLOTS)}
    session = Session(snapshot(hosts, vms, rules=rules, platform=platform))
    for number in range(18):
        session.commit(session.propose(f"vm{number}", reasons=False))
    return session.snapshot()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_left_of_a_mixed_cluster(seed: int) -> None:
    story = mixed(seed)
    for vm in [vm for vm in story.vms if vm.power != "on"][:6]:
        compare(story, vm.name)


def test_what_depends_on_which_gpus_a_vm_gets_is_searched_for() -> None:
    story = snapshot(
        [host("h1", gpu("L40S", "mixed-size"))],
        [off("a", profile("L40S-8Q", count=2))],
        platform={"kind": "kvm", "slots": "worst-case"},
    )
    cluster = story.content
    field = Field(cluster, POWER_ON.rules_of(()), POWER_ON.goals_of(cluster))
    with pytest.raises(Unsure):
        field.pick(cluster.vms["a"])
    compare(story, "a")


def test_of_hosts_that_the_goals_find_equal_the_one_that_loses_least_is_taken() -> None:
    story = snapshot(
        [host("empty", gpu("Tesla T4", "fraction")), host("begun", gpu("Tesla T4", "fraction"))],
        [on("old", "begun", {"milli": 400, "at": [{"gpu": "g0"}]}), off("new", {"milli": 400})],
    )
    decision = POWER_ON.model_copy(update={"goals": ("placed",)})
    big = off("big", whole("Tesla T4"))
    expected = typical_asks(snapshot([], [big]).content)
    assert Session(story, decision, expected).propose("new").host == "begun"
