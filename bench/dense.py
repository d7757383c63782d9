"""Dense rearrangements: hosts nine tenths full, of which VMs are to go elsewhere one after the other; how soon can all
of them have gone, from a list and searched for?
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from bench.machine import about
from bench.night import EVENING
from bench.yard import Yard
from placer.judge.timed import TimedReplay
from placer.steps import Steps
from placer_models.clock import Clock, Span
from placer_models.decision import shipped_decision
from placer_models.motion import migrate_seconds
from placer_models.night import Consolidate, Limits
from placer_models.plan import Plan
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from placer.solve.motion import Schedule


@dataclass(frozen=True)
class Rearrangement:
    """A scene, and the stands to which VMs are to go: in this order each finds room."""

    now: Scene
    stands: list[Stand]


def rearrangement(hosts: int, moves: int, full: float = 0.9, seed: int = 1) -> Rearrangement:
    """Hosts of 64 cores and 512 GiB, filled up to a share of the cores with VMs of 2, 4 or 8 cores; each move that is
    asked for had room when it was drawn, after all before it.
    """
    yard = Yard(f"dense-{hosts}-{moves}", {"kind": "other"}, seed)
    names = [f"node-{number:03}" for number in range(hosts)]
    for name in names:
        yard.host(name, 64 * full, 512)
    for number in range(hosts * 64):
        cpus = yard.chance.choices((2, 4, 8), (39, 41, 20))[0]
        vm = {"name": f"vm-{number:05}", "cpus": cpus, "memory_mib": cpus * 4096, "may": {"live_migrate": True}}
        if not yard.start(vm, yard.chance.sample(names, hosts)):
            break
    for host in yard.document["hosts"]:
        host["cpus"] = 64
    now = Scene.now(Snapshot.of(yard.document, "dense").content)
    cluster, room = now.cluster, {name: 64_000 - now.use(name).cpu_milli for name in names}
    stands: list[Stand] = []
    for one in yard.chance.sample(sorted(cluster.vms.values(), key=lambda vm: vm.name), len(cluster.vms)):
        (source,), need = now.of(one.name), one.cpu_milli
        others = (name for name in yard.chance.sample(names, hosts) if name != source.host and room[name] >= need)
        to = next(others, None)
        if to is not None and len(stands) < moves:
            stands.append(Stand(one.name, to))
            room[to] -= need
            room[source.host] += need
    return Rearrangement(now, stands)


def measured(asked: Rearrangement, at_once: int) -> Mapping[str, object]:
    """What the list needs, what is found by searching, and what no schedule beats: seconds of the night, and of CPU.
    Raises ClickException where the judge finds fault with either.
    """
    from placer.solve.budget import Budget
    from placer.solve.motion import list_schedule
    from placer.solve.timing import busiest, sooner
    from placer.solve.traffic import Action

    now, limits = asked.now, Limits(moves_at_once_per_host=at_once)
    rules = shipped_decision("consolidate").rules_of([])
    vms = now.cluster.vms
    actions = [
        Action(stand.vm, "migrate", migrate_seconds(now.cluster, vms[stand.vm], limits), now.of(stand.vm)[0], stand)
        for stand in asked.stands
    ]
    began = time.process_time()
    listed = list_schedule(now, rules, actions, limits, {})
    then = time.process_time()
    budget = Budget(time.monotonic() + shipped_decision("consolidate").search.time_limit_seconds)
    found = sooner(now, rules, listed, limits, budget) if not listed.stuck else listed
    for schedule in (listed, found):
        if wrong := faults(now, schedule, limits, {stand.vm: stand.host for stand in asked.stands}):
            raise click.ClickException(f"the judge says: {wrong[0]}")
    return {
        "judged": True,
        "moves": len(actions),
        "stuck": len(listed.stuck),
        "list_seconds": listed.seconds,
        "found_seconds": found.seconds,
        "bound_seconds": busiest(now, actions, limits),
        "list_cpu_seconds": round(then - began, 2),
        "found_cpu_seconds": round(time.process_time() - then, 2),
    }


def faults(now: Scene, schedule: Schedule, limits: Limits, asked: Mapping[str, str]) -> list[str]:
    """What the judge has against a schedule, played as the plan of a night without a way back, and whom it does not
    bring to the host that was asked for (all are, but for those that are stuck).
    """
    clock = Clock(datetime.fromisoformat(EVENING))
    steps = Steps(now.cluster, clock)
    steps.evening(schedule.timed, 0, "move-", ())
    window = Span.model_validate({"from": clock.origin, "until": clock.instant(max(1, schedule.seconds))})
    request = Consolidate(windows=(window,), way_back="none", limits=limits)
    plan = Plan(status="feasible", steps=tuple(steps.steps))
    replay = TimedReplay(now.cluster, shipped_decision("consolidate").rules_of([]), request, (), plan)
    stuck = {action.vm for action in schedule.stuck}
    ends = {vm: [stand.host for stand in replay.scene.of(vm)] for vm in asked}
    missed = (f"{vm} is not on {host}" for vm, host in asked.items() if vm not in stuck and ends[vm] != [host])
    return [*replay.faults, *missed]


@click.command()
@click.option("--hosts", type=click.IntRange(2), default=100, show_default=True)
@click.option("--moves", type=click.IntRange(1), default=500, show_default=True)
@click.option("--full", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="Share of the cores in use.")
@click.option("--at-once", type=click.IntRange(1), default=8, show_default=True, help="Migrations at once per host.")
@click.option("--seed", type=int, default=1, show_default=True)
def dense(hosts: int, moves: int, full: float, at_once: int, seed: int) -> None:
    """Time rearrangements of full clusters, from a list and searched for, as a JSON line."""
    line = measured(rearrangement(hosts, moves, full, seed), at_once)
    click.echo(json.dumps({"work": "dense", "seed": seed, "full": full, "at_once": at_once, **line, **about()}))
