"""Nights to plan: seeded clusters with their request and jobs, each planned by placer as a whole process, and judged.

- `consolidation`: hosts and VMs of CPUs and memory alone, so many hosts to be freed: comparable with BtrPlace's bench.
- `vdi`: desktops with vGPUs on M60 boards, some pass-through, jobs for the freed hosts, all back in the morning.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from bench.machine import about
from bench.options import FOLDER, SECONDS
from bench.place import judged_plan
from bench.process import answered
from bench.yard import Json, Yard
from placer_models.document import dump
from placer_models.snapshot import Snapshot

EVENING, MORNING = "2026-11-20T20:00:00Z", "2026-11-21T06:30:00Z"


def consolidation(hosts: int, vms: int, free: int, seed: int = 1) -> Json:
    """Hosts of 64 cores and 512 GiB, VMs of 2, 4 or 8 cores with 4 or 8 GiB for each of them, wherever chance put them:
    63 % of the cores are used at ten VMs a host.
    """
    yard = Yard(f"consolidation-{hosts}-{vms}", {"kind": "other"}, seed)
    names = [f"node-{number}" for number in range(hosts)]
    for name in names:
        yard.host(name, 64, 512)
    for number in range(vms):
        cpus = yard.chance.choices((2, 4, 8), (39, 41, 20))[0]
        memory = cpus * 4096 * yard.chance.choices((1, 2), (6, 4))[0]
        vm = {"name": f"vm-{number}", "cpus": cpus, "memory_mib": memory, "may": {"live_migrate": True}}
        yard.start(vm, yard.chance.sample(names, min(hosts, 50)))
    yard.document["requests"] = [_asked(free=free, way_back="none")]
    return yard.document


def vdi(hosts: int, vms: int, jobs: int = 20, seed: int = 1) -> Json:
    """Desktops on hosts with two M60 boards each: M60-1Q, M60-2Q and some M60-4Q, which migrate or may be suspended;
    some CAD VMs with a GPU passed through, which stay. The jobs want whole hosts, GPUs, or CPUs and memory alone.
    """
    yard = Yard(f"vdi-{hosts}-{vms}", {"kind": "vsphere", "version": "8.0.3"}, seed)
    share = {"ecc": False, "sharing": "same-size", "may_share": ["passthrough", "same-size"]}
    names = [f"esx{number:04}" for number in range(1, hosts + 1)]
    for number, name in enumerate(names):
        gpus = [{"model": "Tesla M60", "board": f"{board}", **share} for board in (1, 2) for _ in range(2)]
        if number % 20 == 0:
            gpus = [{**gpu, "sharing": "passthrough"} if index > 1 else gpu for index, gpu in enumerate(gpus)]
        own = {"cpu_ratio": 6, "reserved_cpus": 4, "reserved_memory_mib": 48 * 1024, "vgpu_manager": "550.90.05"}
        yard.host(name, 48, 768, gpus, labels={"rack": f"r{number // 16}"}, **own)
    for number in range(0, hosts, 20):
        cad = {"cpus": 8, "memory_mib": 32 * 1024, "gpus": [{"models": ["Tesla M60"], "mode": "graphics", "count": 1}]}
        yard.start({"name": f"cad-{number}", **cad}, [names[number]])
    for number in range(vms):
        word, cpus, memory, profile = yard.chance.choices(
            (("desk", 4, 8, "M60-1Q"), ("power", 6, 16, "M60-2Q"), ("designer", 8, 32, "M60-4Q")), (70, 25, 5)
        )[0]
        may = {"live_migrate": True, "suspend": yard.chance.random() < 0.2}
        vm = {"name": f"{word}-{number:05}", "cpus": cpus, "memory_mib": memory * 1024, "may": may}
        yard.start({**vm, "gpus": [{"profile": profile}]}, yard.chance.sample(names, min(hosts, 30)))
    yard.document["jobs"] = [_job(yard, number, hosts) for number in range(jobs)]
    limits = {"moves_at_once_per_host": 4, "mib_per_second": 1000}
    yard.document["requests"] = [_asked(way_back="same-host", limits=limits)]
    return yard.document


def _job(yard: Yard, number: int, hosts: int) -> Json:
    """A job: a third want whole hosts, a third GPUs, a third CPUs."""
    hours = yard.chance.choice((1, 2, 3, 4))
    instances = max(1, hosts // 20) * yard.chance.randint(1, 3)
    base = {"name": f"job-{number:02}", "hours": hours, "instances": instances}
    if number % 3 == 0:
        return {**base, "cpus": 40, "memory_mib": 256 * 1024, "whole_host": True, "value": 10 * hours}
    if number % 3 == 1:
        gpus = [{"models": ["Tesla M60"], "mode": "graphics", "count": yard.chance.choice((1, 2))}]
        return {**base, "cpus": 8, "memory_mib": 64 * 1024, "gpus": gpus, "value": 4 * hours}
    return {**base, "cpus": 16, "memory_mib": 128 * 1024, "value": 3 * hours}


def _asked(**more: object) -> Json:
    return {"kind": "consolidate", "windows": [{"from": EVENING, "until": MORNING}], **more}


@dataclass(frozen=True)
class Row:
    """A night to plan, and the seconds that the search may take."""

    made: Callable[[int], Json]
    seconds: float


ROWS: Mapping[str, Row] = {
    "consolidation-100": Row(lambda seed: consolidation(100, 1_000, 34, seed), 20),
    "consolidation-500": Row(lambda seed: consolidation(500, 5_000, 180, seed), 60),
    "consolidation-1000": Row(lambda seed: consolidation(1_000, 10_000, 300, seed), 120),
    "vdi-8": Row(lambda seed: vdi(8, 96, seed=seed), 20),
    "vdi-100": Row(lambda seed: vdi(100, 1_600, seed=seed), 50),
    "vdi-1000": Row(lambda seed: vdi(1_000, 12_000, seed=seed), 240),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(ROWS)))
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--time-limit", type=SECONDS, help="Seconds of search at most (default: each row's).")
@click.option("--keep", type=FOLDER, help="A folder for snapshots and plans.")
def night(names: tuple[str, ...], seed: int, time_limit: float | None, keep: Path | None) -> None:
    """Plan nights (default: all) and write what it took as JSON lines: scores, bounds, seconds, CPU seconds, memory."""
    with tempfile.TemporaryDirectory() as folder:
        where = keep or Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        for name in names or ROWS:
            row = ROWS[name]
            click.echo(json.dumps(measured(name, row, seed, time_limit or row.seconds, where)))


def measured(name: str, row: Row, seed: int, seconds: float, folder: Path) -> dict[str, object]:
    """One night planned in a process of its own; a plan that is written has been judged. ClickException if none is."""
    snapshot, plan = folder / f"{name}.json", folder / f"{name}-plan.json"
    snapshot.write_text(dump(Snapshot.of(row.made(seed), name)), encoding="utf-8")
    limits = ("-q", "--time-limit", str(seconds), "-o", str(plan))
    ended = answered("consolidate", str(snapshot), *limits, most_seconds=math.inf, most_mib=sys.maxsize)
    found = judged_plan(snapshot, plan)
    return {
        "work": "night",
        "row": name,
        "seed": seed,
        "judged": True,
        "decision": found.decision,
        "search_seed": found.seed,
        "score": dict(found.score),
        "bound": dict(found.bound),
        "stopped": found.stopped,
        "time_limit": seconds,
        "snapshot_sha256": found.snapshot_sha256,
        "steps": len(found.steps),
        "runs": len(found.jobs),
        **ended.figures,
        **about(),
    }
