"""Synthetic clusters of growing size: placer as a whole process on each, its answer judged, what it took as JSON lines.

A row is a kind of cluster (`bench.clusters.KINDS`) and a size. The time is that of the whole process, Python's start,
import and reading included; the gap is the largest one among the goals that count what is placed.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from bench.clusters import KINDS
from bench.clusters import synthetic as made
from bench.machine import about
from bench.process import placer
from bench.report import console
from placer import verify
from placer_models.document import dump, parse, read_json
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot

PACKAGES = ("gpu-placer", "ortools", "numpy", "pydantic")
PLACING = ("placed", "gpu-milli")
"""Goals that count what is placed: how their labels begin."""

Line = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A cluster to measure with, and the seconds that the search may take."""

    kind: str
    hosts: int
    vms: int
    seconds: float

    @property
    def name(self) -> str:
        """`loaded-100-1000`."""
        return f"{self.kind}-{self.hosts}-{self.vms}"


ROWS = tuple(
    Row(*row)
    for row in (
        ("loaded", 100, 1_000, 10),
        ("ruled", 100, 1_000, 10),
        ("storm", 100, 1_000, 10),
        ("diverse", 100, 1_000, 20),
        ("over-subscribed", 100, 1_500, 20),
        ("loaded", 1_000, 10_000, 15),
        ("ruled", 1_000, 10_000, 10),
        ("storm", 1_000, 10_000, 20),
        ("diverse", 1_000, 10_000, 30),
        ("over-subscribed", 1_000, 15_000, 30),
        ("loaded", 5_000, 50_000, 45),
        ("over-subscribed", 5_000, 75_000, 120),
    )
)

GROWTH = tuple(Row("loaded", hosts, 10 * hosts, 60) for hosts in (100, 200, 500, 1_000, 2_000, 5_000))
"""The same kind of cluster from small to large."""


def snapshot_of(row: Row, seed: int) -> bytes:
    """A row's cluster."""
    return dump(Snapshot.of(made(row.hosts, row.vms, seed, row.kind), row.name)).encode()


def measure(row: Row, seed: int, decision: str, moves: int = 0) -> Line:
    """Let placer answer a row as a whole process, judge what it says, and tell it as a JSON line."""
    data = snapshot_of(row, seed)
    snapshot = Snapshot.load(data)
    line: Line = {"work": "synthetic", "row": row.name, "kind": row.kind, "hosts": row.hosts, "vms": row.vms}
    line |= {"asked": len(snapshot.requests), "seed": seed, "decision": decision, "time_limit": row.seconds}
    line |= {"snapshot_sha256": snapshot.sha256, **about(*PACKAGES)}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "snapshot.json", Path(folder) / "out.json"
        path.write_bytes(data)
        limits = ("--decision", decision, "--time-limit", str(row.seconds), "--moves", str(moves))
        most = 3 * row.seconds + 60
        ended = placer("place", str(path), "--quiet", "-o", str(out), *limits, most_seconds=most)
        line |= ended.figures
        if ended.code not in (0, 1):
            return {**line, "status": "none", "said": ended.killed or ended.said}
        answer = parse(Placements, read_json(out.read_bytes(), "placer's answer"), "placer's answer")
    return {**line, **judged(snapshot, answer)}


def judged(snapshot: Snapshot, answer: Placements) -> Line:
    """What an answer says, once the judge has looked at it."""
    faults = verify(snapshot, answer)
    if faults:
        return {"status": "refused", "said": f"{len(faults)} faults: {faults[0]}"}
    return {
        "status": answer.status,
        "said": answer.stopped,
        "score": dict(answer.score),
        "bound": dict(answer.bound),
        "gap_percent": gap_percent(answer),
        "unplaced": len(answer.unplaced),
    }


def gap_percent(answer: Placements) -> float | None:
    """The largest gap among the goals that count what is placed, up to the first that is open (what follows is bounded
    for the scores before it); None: it has no bound.
    """
    for label in answer.score:
        if label.startswith(PLACING):
            gap = answer.gap.get(label)
            if gap is None or gap > 0:
                return None if gap is None else round(100 * gap, 4)
    return 0.0


def table(lines: Iterable[Line]) -> Table:
    """The lines as a table: medians over seeds."""
    rows: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        rows.setdefault((line["row"], line["decision"]), []).append(line)
    found = Table(title="whole process, medians over seeds", title_justify="left")
    for head in ("cluster", "decision", "seeds", "asked", "off", "gap %", "s", "CPU s", "MiB", "status"):
        found.add_column(head, justify="left" if head in ("cluster", "decision", "status") else "right")
    for (name, decision), some in rows.items():
        gaps = [line.get("gap_percent") for line in some]
        known = [gap for gap in gaps if gap is not None]
        found.add_row(
            name,
            decision,
            str(len(some)),
            _median(some, "asked"),
            _median(some, "unplaced"),
            f"{statistics.median(known):.3f}" if len(known) == len(gaps) else "",
            _median(some, "seconds", 1),
            _median(some, "cpu_seconds", 1),
            _median(some, "peak_rss_mib"),
            ", ".join(sorted({line["status"] for line in some})),
        )
    return found


def _median(lines: Sequence[Line], key: str, places: int = 0) -> str:
    values = [line[key] for line in lines if key in line]
    return f"{statistics.median(values):.{places}f}" if values else ""


def growth_of(lines: Sequence[Line]) -> dict[str, float]:
    """The powers of the number of VMs with which seconds and memory grow: least squares on logarithms."""
    import numpy as np

    sizes = np.log([line["vms"] for line in lines])
    found = {}
    for key in ("cpu_seconds", "peak_rss_mib"):
        found[key] = float(np.polyfit(sizes, np.log([max(line[key], 1e-3) for line in lines]), 1)[0])
    return found


def plot_growth(lines: Sequence[Line], path: Path) -> None:
    """Draw time and memory against size. Needs matplotlib (extra `bench`)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    powers = growth_of(lines)
    figure, left = pyplot.subplots(figsize=(9, 5))
    right = left.twinx()
    sizes = [line["vms"] for line in lines]
    for axes, key, colour, says in (
        (left, "cpu_seconds", "C0", "CPU seconds"),
        (right, "peak_rss_mib", "C1", "peak memory, MiB"),
    ):
        axes.loglog(sizes, [line[key] for line in lines], "o-", color=colour)
        axes.set_ylabel(f"{says} (grows as VMs^{powers[key]:.2f})", color=colour)
    left.set_xlabel("VMs")
    left.set_title(f"{lines[0]['kind']} clusters, {lines[0]['decision']}: whole process")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _measured(rows: Iterable[Row], seeds: Sequence[int], decision: str, output: Path | None) -> Iterator[Line]:
    for row in rows:
        for seed in seeds:
            line = measure(row, seed, decision)
            text = json.dumps(line)
            if output is None:
                click.echo(text)
            else:
                with output.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")
            yield line
            if line["status"] in ("refused", "none"):
                raise click.ClickException(f"{row.name}: {line['said']}")


def _row(_context: click.Context, _parameter: click.Parameter, names: Sequence[str]) -> list[Row]:
    """Rows by name, or any others as KIND-HOSTS-VMS-SECONDS."""
    known = {row.name: row for row in ROWS}
    found = []
    for name in names:
        if name in known:
            found.append(known[name])
            continue
        kind, *numbers = name.rsplit("-", 3)
        if kind not in KINDS or len(numbers) != 3 or not all(number.isdigit() for number in numbers):
            raise click.BadParameter(f"found {name!r}, expected one of {', '.join(known)}, or KIND-HOSTS-VMS-SECONDS")
        found.append(Row(kind, int(numbers[0]), int(numbers[1]), float(numbers[2])))
    return found


OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command("synthetic")
@click.option("--row", "rows", multiple=True, callback=_row, help="A row by name, or KIND-HOSTS-VMS-SECONDS. [all]")
@click.option("--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True)
@click.option("--decision", default="gpu_allocation", show_default=True)
@click.option("-o", "--output", type=OUTPUT, help="A file to which JSON lines are added (default: stdout).")
def synthetic(rows: Sequence[Row], seeds: Sequence[int], decision: str, output: Path | None) -> None:
    """Place synthetic clusters of 100 to 5,000 hosts as whole processes, and judge what comes out."""
    console(stderr=True).print(table(list(_measured(rows or ROWS, seeds, decision, output))))


@click.command()
@click.option("--row", "rows", multiple=True, callback=_row, help="Rows, at least two. [loaded, 100 to 5,000 hosts]")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--decision", default="gpu_allocation", show_default=True)
@click.option("--plot", "picture", type=OUTPUT, help="Also draw a picture (PNG, SVG).")
@click.option("-o", "--output", type=OUTPUT, help="A file to which JSON lines are added (default: stdout).")
def growth(rows: Sequence[Row], seed: int, decision: str, picture: Path | None, output: Path | None) -> None:
    """Fit time and memory against size."""
    lines = list(_measured(rows or GROWTH, (seed,), decision, output))
    console(stderr=True).print(table(lines))
    powers = growth_of(lines)
    says = f"CPU time grows as VMs^{powers['cpu_seconds']:.2f}, memory as VMs^{powers['peak_rss_mib']:.2f}"
    click.echo(says, err=True)
    if picture is not None:
        plot_growth(lines, picture)
