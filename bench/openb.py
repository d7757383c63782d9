"""The openb trace, everything known at once: imported and placed as a user does, in processes of their own.

What counts is the share of all GPUs that is given to pods, its bound, and the whole process' seconds and memory. The
trace's files are given by path and never shipped. With arrival orders, the pods of each are those that have arrived
when 100 % of the GPUs have been asked for (a pod that is drawn again is another one).
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from bench.online import Trace, read_orders, until_full
from bench.place import LATE, gpus_of, placed, shares
from bench.process import answered
from bench.world import WHOLE

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DECISION = "gpu_allocation"


@click.command()
@click.option("--nodes", type=FILE, required=True, help="The trace's node CSV.")
@click.option("--pods", type=FILE, required=True, help="The trace's pod CSV (any of its variants).")
@click.option("--orders", type=FILE, help="Arrival orders by seed (JSON); without: the pods as they are listed.")
@click.option("--seeds", help="Seeds, joined by commas (default: all in the file).")
@click.option("--time-limit", type=float, default=60, show_default=True, help="Seconds of search at most.")
@click.option("--least", type=float, default=0, show_default=True, help="Fail where fewer % of the GPUs are given.")
def openb(nodes: Path, pods: Path, orders: Path | None, seeds: str | None, time_limit: float, least: float) -> None:
    """Place the whole openb trace, nothing running before: a JSON line for each order."""
    wanted: list[int | None] = [None]
    try:
        if orders is not None:
            chosen = None if seeds is None else [int(seed) for seed in seeds.split(",")]
            wanted = [order.seed for order in read_orders(orders, chosen)]
        for seed in wanted:
            with tempfile.TemporaryDirectory() as folder:
                arrived = pods if orders is None or seed is None else Path(folder) / pods.name
                if orders is not None and seed is not None:
                    arrived.write_text(arrivals(nodes, pods, orders, seed), encoding="utf-8")
                line = _line(nodes, arrived, time_limit)
            click.echo(json.dumps({"work": "openb", "trace": pods.stem, "seed": seed, **line}))
            if line["gpu_percent"] < least:
                raise click.ClickException(f"expected at least {least} %")
    except (OSError, KeyError, ValueError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error


def _line(nodes: Path, pods: Path, time_limit: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Path(folder) / "openb.json"
        files = ["--nodes", str(nodes), "--pods", str(pods), "-o", str(snapshot)]
        read = answered("import", "openb", *files, most_seconds=LATE)
        _, line = placed(snapshot, DECISION, time_limit)
        return {**shares(line, *gpus_of(snapshot)), "import_seconds": round(read.seconds, 2), **line}


def arrivals(nodes: Path, pods: Path, orders: Path, seed: int) -> str:
    """A pod CSV of those that have arrived in an order when all GPUs have been asked for."""
    trace = Trace.read(nodes, pods)
    (order,) = read_orders(orders, [seed])
    capacity = WHOLE * int(trace.world().devices.sum())
    counted = order.pods[: len(until_full([trace.pods[row] for row in order.pods], capacity))]
    with pods.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    return _table(head, [rows[row] for row in counted])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows as a CSV; a name that comes again gets a number."""
    name, times = head.index("name"), Counter[str]()
    lines = [",".join(head)]
    for row in rows:
        times[row[name]] += 1
        again = times[row[name]]
        cells = [f"{cell}-{again}" if number == name and again > 1 else cell for number, cell in enumerate(row)]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"
