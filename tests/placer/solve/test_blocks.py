"""Large nights in blocks: what is dealt out adds up, and what one block does is in no other's way."""

from __future__ import annotations

import time

import pytest

from placer.judge.check import broken
from placer.solve import blocks
from placer.solve.blocks import dealt, in_blocks, shares
from placer.solve.budget import Budget
from placer.solve.survey import Survey
from placer.solve.target import JobOn, NightAsk, NightQuestion, Target, Ways, Work
from placer_models.decision import Search, shipped_decision
from placer_models.goals.night import NIGHT_GOALS
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

HOSTS = tuple(f"h{i:02}" for i in range(12))


def scene() -> Scene:
    """Twelve hosts of 8 CPUs: a third have six VMs of one, a third two, a third one."""
    many = {host: (6, 2, 1)[i % 3] for i, host in enumerate(HOSTS)}
    document = {
        "format": "placer.snapshot/1",
        "cluster": "blocks",
        "taken_at": "2026-11-20T18:00:00Z",
        "hosts": [{"name": host, "cpus": 8, "memory_mib": 8192} for host in HOSTS],
        "vms": [
            {"name": f"{host}-{i}", "power": "on", "host": host, "cpus": 1, "memory_mib": 256}
            | {"may": {"live_migrate": True}}
            for host, count in many.items()
            for i in range(count)
        ],
    }
    return Scene.now(Snapshot.of(document, "blocks").content)


@pytest.fixture(autouse=True)
def four_hosts_in_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "HOSTS", 4)


def found(ask: NightAsk) -> Target:
    now, rules = scene(), shipped_decision("consolidate").rules_of([])
    goals = [NIGHT_GOALS[kind] for kind in ("job-value", "hosts-freed", "moves")]
    target = in_blocks(NightQuestion(now, rules, goals, ask, Search(workers=1, seed=0)), Budget(time.monotonic() + 60))
    after = now.copy()
    for stand in target.stands:
        after.remove(now.of(stand.vm)[0])
    for stand in target.stands:
        after.put(stand)
    assert not any(broken(after, rules))
    assert not any(after.on(host) for host in target.emptied)
    return target


def asked(**more: object) -> NightAsk:
    ways = {stand.vm: Ways(True, ()) for stand in scene().stands()}
    return NightAsk(ways, frozenset(HOSTS), **more)  # type: ignore[arg-type]


def test_every_block_frees_what_it_can_and_no_vm_is_in_anothers_way() -> None:
    target = found(asked())
    assert len(target.emptied) == 6
    assert len(target.stands) == target.score("moves", asked()) == 8


def test_what_the_night_may_spend_is_spent_once() -> None:
    assert len(found(asked(most_freed=4)).emptied) == 4
    assert len(found(asked(most_moves=3)).stands) <= 3


def test_each_instance_of_a_job_is_promised_once() -> None:
    spots = [JobOn("render", host, 2) for host in HOSTS]
    amounts = {("render", host): {"time": 10} for host in HOSTS}
    rooms = {host: {"time": 20} for host in HOSTS}
    ask = asked(most_freed=6, work=Work({"render": 5}, {"render": 9}, spots, amounts, rooms))
    target = found(ask)
    assert sum(target.jobs.values()) == 9
    assert target.score("job-value", ask) == 45


def test_a_pool_deals_its_jobs_to_hosts_with_time_for_them() -> None:
    spots = [JobOn(job, host, 2) for job in ("long", "short") for host in ("a", "b")]
    amounts = {("long", host): {"time": 6} for host in "ab"} | {("short", host): {"time": 4} for host in "ab"}
    work = Work({}, {}, spots, amounts, {"a": {"time": 10}, "b": {"time": 11}}, {"a": "pool", "b": "pool"})
    dealt_out = work.dealt({("short", "pool"): 2, ("long", "pool"): 2}, ["a", "b"])
    assert dealt_out == {("long", "a"): 1, ("long", "b"): 1, ("short", "a"): 1, ("short", "b"): 1}


def test_blocks_have_busy_and_idle_hosts_and_every_host_once() -> None:
    now = scene()
    dealt_out = dealt(now, Survey(now.cluster, shipped_decision("consolidate").rules_of([]), ()))
    assert sorted(host for block in dealt_out for host in block) == sorted(HOSTS)
    assert all({len(list(now.on(host))) for host in block} == {1, 2, 6} for block in dealt_out)


def test_shares_add_up() -> None:
    assert shares(10, [1, 1, 1]) == [3, 3, 4]
    assert shares(5, [0, 3, 0]) == [0, 5, 0]
    assert shares(7, [0, 0]) == [0, 0]
