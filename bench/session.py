"""How quickly a `Session` decides: on a seeded cluster VMs come and go; each arrival is proposed and committed. Whether
it decides as well as `place` is asked on small clusters (`bench.session_equal`).
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from bench.clusters import KINDS, synthetic
from bench.machine import about
from bench.session_equal import equality
from placer import Session
from placer.judge.check import broken, worse
from placer_models.decision import shipped_decision
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

Line = dict[str, Any]


MOST_EXPLAINED = 50
"""How many refusals are asked about again: why, and whether one move makes room."""


def latency(hosts: int, vms: int, kind: str, seed: int, proposals: int, moves: bool = False) -> Line:
    """Seconds of wall clock and of CPU for each proposal and commit; about as many VMs stop as start. What finds no
    room is asked about again with reasons, and with one of the `moves`. At the end the cluster is judged: nothing may
    be more broken than it was.
    """
    snapshot = Snapshot.of(synthetic(hosts, vms, seed, kind), kind)
    started = time.perf_counter()
    session = Session(snapshot)
    ready = time.perf_counter() - started
    chance = random.Random(seed)
    running = [vm.name for vm in snapshot.vms if vm.power == "on"]
    waiting = [vm.name for vm in snapshot.vms if vm.power != "on"]
    refused = 0
    wall: list[float] = []
    cpu: list[float] = []
    commits: list[float] = []
    explained: list[float] = []
    moved: list[float] = []
    gc.collect()
    while len(wall) < proposals and (waiting or running):
        if running and (not waiting or chance.random() < 0.5):
            gone = _drawn(chance, running)
            session.release(gone)
            waiting.append(gone)
        vm = _drawn(chance, waiting)
        before, cpu_before = time.perf_counter(), time.process_time()
        proposal = session.propose(vm, reasons=False)
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - before)
        if proposal.host is None:
            refused += 1
            if refused <= MOST_EXPLAINED:
                explained.append(_timed(partial(session.propose, vm)))
                moved.extend([_timed(partial(session.propose, vm, moves=1, reasons=False))] if moves else [])
            waiting.append(vm)
            continue
        before = time.perf_counter()
        session.commit(proposal)
        commits.append(time.perf_counter() - before)
        running.append(vm)
    return {
        "work": "session",
        "kind": kind,
        "hosts": hosts,
        "vms": vms,
        "seed": seed,
        "proposals": len(wall),
        "refused": refused,
        "ready_seconds": round(ready, 2),
        "median_ms": _at(wall, 50),
        "p99_ms": _at(wall, 99),
        "cpu_median_ms": _at(cpu, 50),
        "cpu_p99_ms": _at(cpu, 99),
        "most_ms": round(1000 * max(wall, default=0), 3),
        "commit_median_ms": _at(commits, 50),
        "refusal_median_ms": _at(explained, 50),
        "refusal_most_ms": round(1000 * max(explained, default=0), 3),
        "move_median_ms": _at(moved, 50),
        "move_most_ms": round(1000 * max(moved, default=0), 3),
        "faults": faults(snapshot, session.snapshot()),
    }


def _timed(do: Callable[[], object]) -> float:
    before = time.perf_counter()
    do()
    return time.perf_counter() - before


def _drawn(chance: random.Random, names: list[str]) -> str:
    at = chance.randrange(len(names))
    names[at], names[-1] = names[-1], names[at]
    return names.pop()


def _at(seconds: Sequence[float], percent: int) -> float:
    """A percentile in milliseconds."""
    if len(seconds) < 2:
        return round(1000 * sum(seconds), 4)
    return round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 4)


def faults(before: Snapshot, after: Snapshot) -> list[str]:
    """What is more broken in one snapshot than in another, by all rules."""
    rules = shipped_decision("power_on").rules_of(before.rules)
    first = broken(Scene.now(before.content), rules)
    return [breach.said for breach in worse(rules, first, broken(Scene.now(after.content), rules))]


@click.command()
@click.option("--hosts", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--vms", type=click.IntRange(1), default=10000, show_default=True)
@click.option("--kind", "kinds", type=click.Choice(list(KINDS)), multiple=True, help="May be repeated; default: all.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--proposals", type=click.IntRange(0), default=2000, show_default=True)
@click.option("--moves", is_flag=True, help="Time one move, too, for what is refused.")
@click.option("--compare", type=click.IntRange(0), default=1000, show_default=True, help="Requests asked of both.")
@click.option("--compare-hosts", type=click.IntRange(1), default=8, show_default=True)
def session(
    hosts: int,
    vms: int,
    kinds: Sequence[str],
    seed: int,
    proposals: int,
    moves: bool,
    compare: int,
    compare_hosts: int,
) -> None:
    """Time single decisions of a session, and compare them with cold ones: JSON lines."""
    wanted = kinds or tuple(KINDS)
    wrong = 0
    for kind in wanted if proposals else ():
        line = latency(hosts, vms, kind, seed, proposals, moves)
        wrong += len(line["faults"])
        click.echo(json.dumps({**line, **about()}))
    for line in equality(compare, compare_hosts, wanted, seed) if compare else ():
        wrong += line["other_than_proven"]
        click.echo(json.dumps({**line, **about()}))
    if wrong:
        raise click.ClickException(f"{wrong} answers are not what they should be")
