"""`python -m bench growth`: how time and memory grow with size, the same kind of cluster from small to large.

What is fitted is a start that does not grow (Python and its imports, which every process pays for) and a power of the
number of hosts on top of it, by least squares on logarithms, to the medians of each size. A power of all of it would
flatter: the smaller the clusters, the flatter. The power between the two largest sizes, the start included, is said
beside it, and how far the worst size is off the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from bench.options import OUTPUT, PICTURE, PLACES
from bench.pictures import axes
from bench.synthetic import Row, asked_rows, measured
from bench.tables import TABLES, Line, console, grouped, middle

FITTED = (("seconds", "time", "s"), ("cpu_seconds", "CPU time", "s"), ("peak_rss_mib", "peak memory", "MiB"))
GROWTH = tuple(Row("loaded", hosts, 10 * hosts, 60) for hosts in (100, 200, 500, 1_000, 2_000, 5_000))


STARTS = 400
"""How many starts are tried between nothing and the smallest value."""


@dataclass(frozen=True)
class Fit:
    """`start` + `factor` x size^`power`; the values are at most `off` (a share of the fit) away from it."""

    start: float
    power: float
    factor: float
    off: float

    @classmethod
    def of(cls, sizes: Sequence[float], values: Sequence[float]) -> Fit:
        """Least squares on logarithms; of two sizes only a power is told."""
        known, logs = np.array(values, dtype=float), np.log(sizes)
        fits = []
        for start in np.linspace(0, known.min(), STARTS, endpoint=False) if len(sizes) > 2 else (0.0,):
            power, level = np.polyfit(logs, np.log(known - start), 1)
            ratios = known / (start + np.exp(level + power * logs))
            missed = round(float((np.log(ratios) ** 2).sum()), 9)  # of equal ones the first, without a start
            fits.append(
                (missed, cls(float(start), float(power), float(np.exp(level)), float(np.abs(ratios - 1).max())))
            )
        return min(fits, key=lambda fit: fit[0])[1]

    def at(self, size: float) -> float:
        """What it says for a size."""
        return float(self.start + self.factor * size**self.power)

    def said(self, unit: str) -> str:
        """`1.5 s + c x hosts^1.18`: how it grows."""
        places = 0 if unit == "MiB" else 1
        return (f"{self.start:.{places}f} {unit} + c x " if self.start else "") + f"hosts^{self.power:.2f}"


def points(lines: Sequence[Line], key: str) -> list[float]:
    """The median of a figure for each size, small ones first."""
    by_size = sorted(grouped(lines, "hosts").items())
    return [value for _, some in by_size if (value := middle(some, key)) is not None]


def sentence(lines: Sequence[Line]) -> str:
    """Growth in a sentence."""
    hosts, vms = points(lines, "hosts"), points(lines, "vms")
    parts = []
    for key, name, unit in FITTED:
        values = points(lines, key)
        fit, places = Fit.of(hosts, values), 0 if unit == "MiB" else 1
        few, most = (f"{value:.{places}f}" for value in (values[0], values[-1]))
        last = Fit.of(hosts[-2:], values[-2:])
        said = f"{few} to {most} {unit}; {last.said(unit)} at the large end; fit off by {100 * fit.off:.0f} % at most"
        parts.append(f"{name} as {fit.said(unit)} ({said})")
    return (
        f"From {hosts[0]:,.0f} hosts with {vms[0]:,.0f} VMs to {hosts[-1]:,.0f} with {vms[-1]:,.0f}, "
        f"a whole process grows: {parts[0]}, {parts[1]}, {parts[2]}."
    )


def draw_growth(lines: Sequence[Line], path: Path) -> None:
    """Time and memory against size, both logarithmic: medians, and what was fitted."""
    sizes = points(lines, "hosts")
    with axes(path) as left:
        right = left.twinx()
        for (key, name, unit), on, colour in zip(FITTED, (left, left, right), ("C0", "C2", "C1"), strict=True):
            values = points(lines, key)
            fit = Fit.of(sizes, values)
            on.loglog(sizes, values, "o", color=colour)
            smooth = np.geomspace(sizes[0], sizes[-1], 100)
            on.loglog(smooth, [fit.at(size) for size in smooth], "--", color=colour, linewidth=0.8)
            left.plot([], [], "o--", color=colour, label=f"{name}: grows as {fit.said(unit)}")
        for on, keys in ((left, ("seconds", "cpu_seconds")), (right, ("peak_rss_mib",))):
            values = [value for key in keys for value in points(lines, key)]
            on.set_ylim(min(values) / 2, 3 * max(values))  # no line is drawn under the legend
            on.yaxis.set_major_formatter("{x:,g}")
            on.yaxis.set_minor_formatter("")
        left.set_ylabel("seconds")
        right.set_ylabel("peak memory, MiB", color="C1")
        left.set_xlabel("hosts")
        left.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        left.set_xticks([], minor=True)
        left.legend(loc="upper left")
        left.set_title(f"{lines[0]['kind']} clusters, {lines[0]['decision']}: whole process (dashed: fitted)")


@click.command()
@click.option(
    "--row", "rows", multiple=True, callback=asked_rows, help="Rows, at least two. [loaded, 100 to 5,000 hosts]"
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True, help="Runs of each row.")
@click.option("--decision", type=PLACES, default="gpu_allocation", show_default=True)
@click.option("--plot", "picture", type=PICTURE, help="Also draw a picture (PNG, SVG).")
@click.option("-o", "--output", type=OUTPUT, help="A file to which JSON lines are added (default: stdout).")
def growth(
    rows: Sequence[Row], seed: int, repeat: int, decision: str, picture: Path | None, output: Path | None
) -> None:
    """Fit time and memory against size, and say it in a sentence."""
    chosen = rows or GROWTH
    if len({row.hosts for row in chosen}) < 2:
        raise click.UsageError("a fit needs rows of at least two sizes")
    lines = list(measured("growth", chosen, (seed,), repeat, decision, output))
    console(stderr=True).print(TABLES["growth"].table(lines))
    click.echo(sentence(lines), err=True)
    if picture is not None:
        draw_growth(lines, picture)
