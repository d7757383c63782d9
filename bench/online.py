"""The online protocol of FGD's simulator on the openb trace: pods arrive one at a time, and none moves.

Per seed an arrival order and a rank of the nodes that settles ties. A pod that fits nowhere is dropped. What counts is
the share of all GPUs that is allocated at the moment when the pods that arrived, dropped ones too, have asked for 100 %
of it: after the last pod with which they ask for no more than that.

Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023, section 6.2. The trace's files are given by path and never shipped.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.fgd import Fgd, typical
from bench.machine import about
from bench.options import FILE, asked_seeds, reading
from bench.policies import SIMPLE
from bench.tables import console, online_table
from bench.warm import WAYS, Warm
from bench.world import WHOLE, Pod, Policy, World

NODE = ("cpu_milli", "memory_mib", "gpu", "model")
POD = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec")
POLICIES = (*SIMPLE, "fgd", *WAYS)
"""Their names, roughly from the worst to the best. The last ones are placer's `Session`, asked in several ways."""


@dataclass(frozen=True)
class Trace:
    """The nodes and pods of a trace, as the CSVs list them."""

    nodes: Sequence[Mapping[str, str]]
    pods: Sequence[Pod]

    @classmethod
    def read(cls, nodes: Path, pods: Path) -> Trace:
        """Read the node and the pod CSV. Raises click.UsageError."""
        with reading(nodes, "the trace's node CSV"):
            hosts = _rows(nodes, NODE)
        with reading(pods, "the trace's pod CSV"):
            return cls(hosts, [_pod(row) for row in _rows(pods, POD)])

    def world(self, rank: Sequence[int] | None = None) -> World:
        """The empty cluster."""
        return World(
            [int(row["cpu_milli"]) for row in self.nodes],
            [int(row["memory_mib"]) for row in self.nodes],
            [[WHOLE] * int(row["gpu"]) for row in self.nodes],
            [row["model"] for row in self.nodes],
            rank,
        )

    def arrivals(self, order: Order) -> list[Pod]:
        """The pods of an order, as they arrive. Raises click.UsageError where it is another trace's."""
        if len(order.rank) != len(self.nodes) or max(order.pods, default=0) >= len(self.pods):
            raise click.UsageError(f"order {order.seed} is of another trace: it ranks {len(order.rank)} nodes.")
        return [self.pods[row] for row in order.pods]

    def policy(self, name: str, world: World, seed: int = 0) -> Policy:
        """A fresh policy for a world. FGD is told the mix of the whole trace, as its authors do."""
        if name in WAYS:
            return Warm(world, self.pods, WAYS[name], seed)
        return Fgd(typical(self.pods)) if name == "fgd" else SIMPLE[name](seed)


def _rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = csv.DictReader(file)
        for column in columns:
            if column not in (found.fieldnames or ()):
                raise KeyError(column)
        return list(found)


def _pod(row: Mapping[str, str]) -> Pod:
    gpus, models = int(row["num_gpu"]), frozenset(filter(None, row["gpu_spec"].split("|")))
    return Pod(
        name=row["name"],
        cpu_milli=int(row["cpu_milli"]),
        memory_mib=int(row["memory_mib"]),
        gpus=gpus,
        milli=int(row["gpu_milli"]) if gpus else 0,
        models=models if gpus and models else None,
    )


@dataclass(frozen=True)
class Order:
    """One arrival order: rows of the pod CSV, and the rank of each node."""

    seed: int
    pods: Sequence[int]
    rank: Sequence[int]


def read_orders(path: Path, seeds: Iterable[int] | None = None) -> list[Order]:
    """The orders of these seeds (default: all) from a JSON object. Raises click.UsageError."""
    with reading(path, "arrival orders as JSON, seed -> {pods, node_rank}"):
        known = json.loads(path.read_text(encoding="utf-8"))
        wanted = known if seeds is None else [str(seed) for seed in seeds]
        return [Order(int(seed), known[seed]["pods"], known[seed]["node_rank"]) for seed in wanted]


def until_full(pods: Iterable[Pod], capacity: int) -> list[Pod]:
    """The arrivals that are counted: as long as they ask together for at most `capacity` thousandths of a GPU."""
    counted: list[Pod] = []
    asked = 0
    for pod in pods:
        asked += pod.demand
        if asked > capacity:
            break
        counted.append(pod)
    return counted


@dataclass(frozen=True)
class Played:
    """How one order went: thousandths of a GPU, pods, and seconds per decision (of one pod, or one batch)."""

    capacity: int
    arrived: int
    arrived_milli: int
    placed: int
    allocated: int
    decisions: Sequence[float]

    @property
    def percent(self) -> float:
        """The GPU allocation ratio in percent."""
        return 100 * self.allocated / self.capacity if self.capacity else 0.0


def play(
    world: World, arrivals: Iterable[Pod], policy: Policy, clock: Callable[[], float] = time.perf_counter
) -> Played:
    """Let pods arrive in a world, which is changed, until they have asked for all of its GPUs."""
    capacity = WHOLE * int(world.devices.sum())
    pods = until_full(arrivals, capacity)
    decisions: list[float] = []
    placed = allocated = 0
    size = policy.batch if isinstance(policy, Warm) else 1
    for start in range(0, len(pods), size):
        some = pods[start : start + size]
        started = clock()
        choices = policy.choose_all(some) if isinstance(policy, Warm) else [policy.choose(world, some[0])]
        decisions.append(clock() - started)
        for pod, was, now in policy.carry_out() if isinstance(policy, Warm) else ():
            world.place(pod, *now)  # on the move it stands on both
            world.release(pod, *was)
        for pod, choice in zip(some, choices, strict=True):
            if choice is not None:
                world.place(pod, *choice)
                placed += 1
                allocated += pod.demand
    return Played(capacity, len(pods), sum(pod.demand for pod in pods), placed, allocated, decisions)


def line(policy: str, seed: int, played: Played) -> dict[str, object]:
    """What a run leaves behind as one JSON line."""
    ordered = sorted(played.decisions)
    return {
        "work": "online",
        "policy": policy,
        "seed": seed,
        "gpu_percent": round(played.percent, 4),
        "gpu_milli": played.allocated,
        "arrived": played.arrived,
        "arrived_milli": played.arrived_milli,
        "placed": played.placed,
        "seconds": round(sum(ordered), 3),
        "median_ms": round(1000 * statistics.median(ordered), 4) if ordered else 0.0,
        "p99_ms": round(1000 * ordered[len(ordered) * 99 // 100], 4) if ordered else 0.0,
    }


@click.command()
@click.option("--nodes", type=FILE, required=True, help="The trace's node CSV.")
@click.option("--pods", type=FILE, required=True, help="The trace's pod CSV.")
@click.option("--orders", type=FILE, required=True, help="Arrival orders and node ranks by seed (JSON).")
@click.option("--seeds", callback=asked_seeds, help="Seeds, joined by commas (default: all in the file).")
@click.option("--policy", "policies", type=click.Choice(POLICIES), multiple=True, help="May be repeated; default: all.")
def online(nodes: Path, pods: Path, orders: Path, seeds: Sequence[int] | None, policies: Sequence[str]) -> None:
    """Play the openb trace's arrivals, one by one and in batches: a JSON line for each order, then a table."""
    trace = Trace.read(nodes, pods)
    chosen = read_orders(orders, seeds)
    lines: list[dict[str, Any]] = []
    for name in policies or POLICIES:
        for order in chosen:
            arrivals = trace.arrivals(order)
            world = trace.world(order.rank)
            policy = trace.policy(name, world, order.seed)
            lines.append({**line(name, order.seed, play(world, arrivals, policy)), "trace": pods.stem})
            if isinstance(policy, Warm):
                lines[-1] |= {"moves": policy.moves, "faults": policy.faults()}
            lines[-1] |= about()
            click.echo(json.dumps(lines[-1]))
    console(stderr=True).print(online_table(lines))
    if wrong := sum(len(line.get("faults", ())) for line in lines):
        raise click.ClickException(f"the judge finds {wrong} faults")
