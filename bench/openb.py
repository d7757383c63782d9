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

from bench.online import Order, Trace, read_orders, until_full
from bench.options import FILE, SECONDS, asked_seeds
from bench.place import LATE, gpus_of, placed, shares
from bench.process import answered
from bench.world import WHOLE

DECISION = "gpu_allocation"


@click.command()
@click.option("--nodes", type=FILE, required=True, help="The trace's node CSV.")
@click.option("--pods", type=FILE, required=True, help="The trace's pod CSV (any of its variants).")
@click.option("--orders", type=FILE, help="Arrival orders by seed (JSON); without: the pods as they are listed.")
@click.option("--seeds", callback=asked_seeds, help="Seeds, joined by commas (default: all in the file).")
@click.option("--time-limit", type=SECONDS, default=60, show_default=True, help="Seconds of search at most.")
@click.option("--least", type=float, default=0, show_default=True, help="Fail where fewer % of the GPUs are given.")
def openb(
    nodes: Path, pods: Path, orders: Path | None, seeds: Sequence[int] | None, time_limit: float, least: float
) -> None:
    """Place the whole openb trace, nothing running before: a JSON line for each order."""
    if orders is None and seeds is not None:
        raise click.UsageError("--seeds needs --orders.")
    short = False
    for order in [None] if orders is None else read_orders(orders, seeds):
        with tempfile.TemporaryDirectory() as folder:
            arrived = pods
            if order is not None:
                arrived = Path(folder) / pods.name
                arrived.write_text(arrivals(nodes, pods, order), encoding="utf-8")
            line = _line(nodes, arrived, time_limit)
        click.echo(json.dumps({"work": "openb", "trace": pods.stem, "seed": order and order.seed, **line}))
        short |= line["gpu_percent"] < least
    if short:
        raise click.ClickException(f"expected at least {least} %")


def _line(nodes: Path, pods: Path, time_limit: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Path(folder) / "openb.json"
        files = ["--nodes", str(nodes), "--pods", str(pods), "-o", str(snapshot)]
        read = answered("import", "openb", *files, most_seconds=LATE)
        _, line = placed(snapshot, DECISION, time_limit)
        return {**shares(line, *gpus_of(snapshot)), "import_seconds": round(read.seconds, 2), **line}


def arrivals(nodes: Path, pods: Path, order: Order) -> str:
    """A pod CSV of those that have arrived in an order when all GPUs have been asked for."""
    trace = Trace.read(nodes, pods)
    capacity = WHOLE * int(trace.world().devices.sum())
    counted = order.pods[: len(until_full(trace.arrivals(order), capacity))]
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
