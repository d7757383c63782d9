"""Synthetic clusters of growing size: placer as a whole process on each, its answer judged, what it took as JSON lines.

A row is a kind of cluster (`bench.clusters.KINDS`) and a size. The time is that of the whole process, Python's start,
import and reading included; the gap is the largest one among the goals that count what is placed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.clusters import KINDS
from bench.clusters import synthetic as made
from bench.machine import about
from bench.options import OUTPUT, PLACES
from bench.process import placer
from bench.tables import TABLES, console
from placer import verify
from placer_models.decision import shipped_decision
from placer_models.document import dump, parse, read_json
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot

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
        ("over-subscribed", 1_000, 15_000, 28),
        ("loaded", 5_000, 50_000, 45),
        ("over-subscribed", 5_000, 75_000, 110),
    )
)


def snapshot_of(row: Row, seed: int) -> bytes:
    """A row's cluster."""
    return dump(Snapshot.of(made(row.hosts, row.vms, seed, row.kind), row.name)).encode()


def measure(row: Row, seed: int, data: bytes, snapshot: Snapshot, decision: str) -> Line:
    """Let placer answer a row's snapshot as a whole process, and judge what it says."""
    line: Line = {"row": row.name, "kind": row.kind, "hosts": row.hosts, "vms": row.vms}
    line |= {"asked": len(snapshot.requests), "seed": seed, "decision": decision, "time_limit": row.seconds}
    line |= {"snapshot_sha256": snapshot.sha256}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "snapshot.json", Path(folder) / "out.json"
        path.write_bytes(data)
        limits = ("--decision", decision, "--time-limit", str(row.seconds))
        most = 3 * row.seconds + 60
        ended = placer("place", str(path), "--quiet", "-o", str(out), *limits, most_seconds=most)
        line |= ended.figures
        if ended.code not in (0, 1):
            return {**line, "status": "none", "said": ended.killed or ended.said}
        answer = parse(Placements, read_json(out.read_bytes(), "placer's answer"), "placer's answer")
    return {**line, **judged(snapshot, answer, decision)}


def judged(snapshot: Snapshot, answer: Placements, decision: str) -> Line:
    """What an answer says, once the judge has looked at it."""
    faults = verify(snapshot, answer, shipped_decision(decision))
    if faults:
        return {"status": "refused", "said": f"{len(faults)} faults: {faults[0]}"}
    return {
        "status": answer.status,
        "judged": True,
        "search_seed": answer.seed,
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


def measured(
    work: str, rows: Iterable[Row], seeds: Sequence[int], repeat: int, decision: str, output: Path | None
) -> Iterator[Line]:
    """Measure rows, and write a line for each run as it ends. Raises ClickException where placer gives no answer, or
    one that the judge refuses.
    """
    for row in rows:
        for seed in seeds:
            data = snapshot_of(row, seed)
            snapshot = Snapshot.load(data)
            for run in range(1, repeat + 1):
                line = {"work": work, "run": run, **measure(row, seed, data, snapshot, decision), **about()}
                text = json.dumps(line)
                if output is None:
                    click.echo(text)
                else:
                    with output.open("a", encoding="utf-8") as file:
                        file.write(text + "\n")
                yield line
                if line["status"] in ("refused", "none"):
                    raise click.ClickException(f"{row.name}: {line['said']}")


def asked_rows(_context: click.Context, _parameter: click.Parameter, names: Sequence[str]) -> list[Row]:
    """Rows by name, or any others as KIND-HOSTS-VMS-SECONDS."""
    known = {row.name: row for row in ROWS}
    found = []
    for name in names:
        if name in known:
            found.append(known[name])
            continue
        kind, *numbers = name.rsplit("-", 3)
        if kind not in KINDS or len(numbers) != 3 or not all(number.isdigit() and int(number) for number in numbers):
            raise click.BadParameter(f"found {name!r}, expected one of {', '.join(known)}, or KIND-HOSTS-VMS-SECONDS")
        found.append(Row(kind, int(numbers[0]), int(numbers[1]), float(numbers[2])))
    return found


@click.command("synthetic")
@click.option(
    "--row", "rows", multiple=True, callback=asked_rows, help="A row by name, or KIND-HOSTS-VMS-SECONDS. [all]"
)
@click.option("--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Runs of each row.")
@click.option("--decision", type=PLACES, default="gpu_allocation", show_default=True)
@click.option("-o", "--output", type=OUTPUT, help="A file to which JSON lines are added (default: stdout).")
def synthetic(rows: Sequence[Row], seeds: Sequence[int], repeat: int, decision: str, output: Path | None) -> None:
    """Place synthetic clusters of 100 to 5,000 hosts as whole processes, and judge what comes out."""
    lines = list(measured("synthetic", rows or ROWS, seeds, repeat, decision, output))
    console(stderr=True).print(TABLES["synthetic"].table(lines))
