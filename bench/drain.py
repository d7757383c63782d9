"""`python -m bench drain`: one host of many, or some, emptied, by placer and by proxlb-solver, side by side.

Clusters of CPUs and memory alone, because the peer knows nothing else; and the swap of two VMs with no spare host. The
peer runs twice: as it is by default, and with the fewest moves that it can be asked for (`balanciness` 1); it ends by
its own time limit (60 s). What each of them would do is judged by placer's judge.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.machine import about
from bench.options import FOLDER
from bench.peers import proxlb
from bench.place import judged_plan
from bench.process import MOST_MIB, Ended, answered, watch
from bench.yard import Json, Yard
from placer import verify
from placer_models.document import dump
from placer_models.plan import Move, Placements
from placer_models.snapshot import Snapshot

WINDOW = "2026-11-20T20:00:00Z/2026-11-21T06:30:00Z"
MOST_SECONDS = 120
BALANCINESS = (3, 1)
"""Its default, and where it moves only for maintenance or broken rules."""
STEP = re.compile(r"^- (\S+): (\S+) → (\S+)", re.MULTILINE)


def full(hosts: int, vms: int, seed: int = 1) -> Json:
    """So many hosts, filled to about 85 % of their memory; the first of them is to be emptied."""
    yard = Yard(f"drain-{hosts}-{vms}", {"kind": "other"}, seed)
    sizes = [(cpus, 4096 * cpus * yard.chance.choice((1, 2))) for cpus in yard.chance.choices((2, 4, 8), k=vms)]
    names = [f"node-{number}" for number in range(hosts)]
    memory_gib = -(-sum(memory for _, memory in sizes) // (hosts * 870))
    for name in names:
        yard.host(name, 128, memory_gib)
    for number, (cpus, memory) in enumerate(sizes):
        vm = {"name": f"vm-{number}", "cpus": cpus, "memory_mib": memory, "may": {"live_migrate": True}}
        yard.start(vm, yard.chance.sample(names, hosts))
    return yard.document


def swap() -> Json:
    """To empty the third of three hosts, the VMs on the first two must change places, and neither has room for both;
    one of them may be suspended meanwhile.
    """
    yard = Yard("drain-swap", {"kind": "other"}, 1)
    for name, memory_gib in (("node-1", 64), ("node-2", 64), ("node-0", 32)):
        yard.host(name, 16, memory_gib)
    for name, memory_gib, host in (("erp", 64, "node-1"), ("wiki", 32, "node-2"), ("build", 32, "node-0")):
        may = {"live_migrate": True, "suspend": name == "wiki"}
        yard.start({"name": name, "cpus": 2, "memory_mib": memory_gib * 1024, "may": may}, [host])
    yard.rule("affinity", vms=["build"], hosts=["node-1", "node-0"], strength="must")
    return yard.document


@dataclass(frozen=True)
class Row:
    """A cluster, which of its hosts are to be emptied, and how many migrations each host bears at once."""

    made: Callable[[int], Json]
    hosts: tuple[str, ...] = ("node-0",)
    at_once: int = 1


ROWS: Mapping[str, Row] = {
    "8x60": Row(lambda seed: full(8, 60, seed)),
    "16x160": Row(lambda seed: full(16, 160, seed)),
    "32x400": Row(lambda seed: full(32, 400, seed)),
    "32x400, four hosts": Row(lambda seed: full(32, 400, seed), tuple(f"node-{number}" for number in range(4)), 4),
    "swap": Row(lambda _: swap()),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(ROWS)))
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--proxlb", "peer", type=FOLDER, help="Where it is installed.")
def drain(names: tuple[str, ...], seed: int, peer: Path | None) -> None:
    """Empty hosts (default: of each cluster) and write what it took as JSON lines: moves, when they are empty and what
    no plan beats in that, seconds, memory.
    """
    for name in names or ROWS:
        row = ROWS[name]
        snapshot = Snapshot.of(row.made(seed), name)
        for line in (_placer(snapshot, row), *(_proxlb(snapshot, row, peer, level) for level in BALANCINESS)):
            known = {"work": "drain", "row": name, "seed": seed, "vms_there": len(_there(snapshot, row.hosts))}
            click.echo(json.dumps({**known, **line, **about()}))


def scenario(snapshot: Snapshot, hosts: Collection[str], balanciness: int) -> str:
    """The cluster in the peer's format: the hosts that are to be emptied are in maintenance."""
    nodes = {
        host.name: {"cpu_total": host.cpu_room_milli, "memory_total_gb": host.memory_room_mib / 1024}
        | ({"maintenance": True} if host.name in hosts else {})
        for host in snapshot.hosts
    }
    vms = {vm.name: {"node": vm.host, "cpu": vm.cpu_milli, "memory_gb": vm.memory_mib / 1024} for vm in snapshot.vms}
    pins = [
        {"vm": vm, "nodes": stated["hosts"]}
        for stated in (rule.model_dump() for rule in snapshot.rules)
        for vm in stated["vms"]
    ]
    balancing = {"method": "memory", "cpu_overcommit": 1.0, "balanciness": balanciness}
    found = {"name": "drain", "balancing": balancing, "nodes": nodes, "vms": vms, "constraints": {"pin": pins}}
    return json.dumps(found)


def moves(report: str) -> list[Move]:
    """The moves that the peer's report lists, in its order."""
    return [
        Move(id=f"move-{number}", vm=vm, from_=start, to=to)
        for number, (vm, start, to) in enumerate(STEP.findall(report), 1)
    ]


def _there(snapshot: Snapshot, hosts: Collection[str]) -> list[str]:
    return [vm.name for vm in snapshot.vms if vm.host in hosts]


def _line(peer: str, ended: Ended, **more: Any) -> dict[str, Any]:
    return {"peer": peer, **more, **ended.figures}


def _placer(snapshot: Snapshot, row: Row) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path, plan = Path(folder) / "snapshot.json", Path(folder) / "plan.json"
        path.write_text(dump(snapshot), encoding="utf-8")
        hosts = [part for host in row.hosts for part in ("--host", host)]
        limits = ("--moves-at-once-per-host", str(row.at_once))
        asked = (str(path), *hosts, *limits, "--window", WINDOW, "-q", "-o", str(plan))
        ended = answered("evacuate", *asked, most_seconds=MOST_SECONDS)
        found = judged_plan(path, plan)
    kinds = [step.kind for step in found.steps]
    emptied = {freed.host for freed in found.freed} == set(row.hosts)
    return _line(
        "placer",
        ended,
        status="emptied" if emptied else "not emptied",
        judged=True,
        moves=kinds.count("migrate"),
        others=kinds.count("suspend") + kinds.count("power-off"),
        empty_after=found.score["soonest"],
        bound_empty_after=found.bound["soonest"],
        said=found.stopped,
    )


def _proxlb(snapshot: Snapshot, row: Row, peer: Path | None, balanciness: int) -> dict[str, Any]:
    name = f"proxlb, balanciness {balanciness}"
    program = peer and proxlb.program(peer)
    if program is None:
        said = "not installed: python -m bench peers --install-proxlb DIR, then --proxlb DIR"
        return {"peer": name, "status": "absent", "said": said}
    with tempfile.TemporaryDirectory() as folder:
        command, report = proxlb.call(program, scenario(snapshot, row.hosts, balanciness), Path(folder))
        ended = watch(
            command,
            Path(folder) / "errors",
            most_seconds=MOST_SECONDS,
            most_mib=MOST_MIB,
            environment=proxlb.environment(os.environ),
            folder=Path(folder),
        )
        text = report.read_text(encoding="utf-8") if report.exists() else ""
    found = moves(text)
    faults = list(_faults(snapshot, row.hosts, found))
    status = "not emptied" if not found else "refused by the judge" if faults else "emptied"
    reached = "UNREACHABLE" if "UNREACHABLE" in text else proxlb.status(text)
    said = "; ".join([f"says {reached}", *faults[:1], *filter(None, [ended.killed or ("" if text else ended.said)])])
    return _line(name, ended, status=status, judged=bool(found and not faults), moves=len(found), others=0, said=said)


def _faults(snapshot: Snapshot, hosts: Collection[str], found: list[Move]) -> Iterator[str]:
    """What the judge has against these moves, one after the other, and who has not left."""
    waits = [move.model_copy(update={"waits_for": (f"move-{number}",)}) for number, move in enumerate(found[1:], 1)]
    yield from verify(snapshot, Placements(status="feasible", moves=tuple(found[:1] + waits)))
    yield from (f"{vm} has not left" for vm in set(_there(snapshot, hosts)) - {move.vm for move in found})
