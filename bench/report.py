"""Tables and pictures of what was measured, from JSON lines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

Line = Mapping[str, Any]

PUBLISHED = {
    "random": 86.30,
    "dot-product": 90.62,
    "clustering": 91.65,
    "packing": 91.78,
    "best-fit": 92.86,
    "fgd": 95.23,
}
"""Means over seeds 42 to 51 of the default trace in percent (Weng et al., USENIX ATC 2023, as replayed to 0.01)."""


def console(*, stderr: bool = False) -> Console:
    """Where tables go: a terminal as wide as it is, anything else wide enough for every column."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=160)


def read_lines(paths: Iterable[Path]) -> list[Line]:
    """The JSON lines of these files. Raises OSError or ValueError."""
    return [json.loads(text) for path in paths for text in path.read_text(encoding="utf-8").splitlines() if text]


def tables(lines: Sequence[Line]) -> list[Table]:
    """A table for each kind of work among the lines."""
    found = []
    if online := [line for line in lines if line["work"] == "online"]:
        found.append(online_table(online))
    for instance in dict.fromkeys(line["instance"] for line in lines if line["work"] == "peers"):
        found.append(peers_table([line for line in lines if line.get("instance") == instance]))
    return found


def online_table(lines: Sequence[Line]) -> Table:
    """Allocation by policy: mean and standard deviation over the orders, beside what was published, best last."""
    table = Table(title="GPU allocation when 100 % has been asked for", title_justify="left")
    for head in ("policy", "trace", "orders", "mean %", "sd", "published %", "of FGD", "s an order", "median ms"):
        table.add_column(head, justify="left" if head in ("policy", "trace") else "right")
    means = {key: statistics.mean(line["gpu_percent"] for line in some) for key, some in _grouped(lines).items()}
    for (policy, trace), mean in sorted(means.items(), key=lambda item: item[1]):
        some = _grouped(lines)[policy, trace]
        percents = [line["gpu_percent"] for line in some]
        fgd = means.get(("fgd", trace))
        same = "default" in trace and sorted(line["seed"] for line in some) == list(range(42, 52))
        published = PUBLISHED.get(policy) if same else None
        table.add_row(
            policy,
            trace,
            str(len(some)),
            f"{mean:.2f}",
            f"{statistics.stdev(percents):.2f}" if len(some) > 1 else "",
            "" if published is None else f"{published:.2f}",
            "" if fgd is None else f"{mean / fgd:.4f}",
            f"{statistics.mean(line['seconds'] for line in some):.2f}",
            f"{statistics.median(line['median_ms'] for line in some):.3f}",
        )
    return table


def _grouped(lines: Sequence[Line]) -> dict[tuple[str, str], list[Line]]:
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line["policy"], line["trace"]), []).append(line)
    return groups


def peers_table(lines: Sequence[Line]) -> Table:
    """Peers on one instance: the score and its ratio to the best one, what is proven, and what it cost; best first."""
    table = Table(title=f"{lines[0]['instance']}: {lines[0]['asked']} VMs asked for", title_justify="left")
    for head in ("peer", "GPU milli", "VMs", "of best", "bound", "s", "CPU s", "MiB", "said"):
        table.add_column(head, justify="left" if head in ("peer", "said") else "right")
    most = max((_worth(line) for line in lines), default=(0, 0))
    for line in sorted(lines, key=_worth, reverse=True):
        judged = line["status"] in ("optimal", "feasible")
        mine, best = next(((a, b) for a, b in zip(_worth(line), most, strict=True) if b), (0, 0))
        table.add_row(
            line["peer"],
            str(line["gpu_milli"]) if judged else "",
            str(line["vms"]) if judged else "",
            f"{mine / best:.4f}" if judged and best else "",
            "" if line["bound"] is None else str(line["bound"]),
            "" if line["seconds"] is None else f"{line['seconds']:.2f}",
            "" if line["cpu_seconds"] is None else f"{line['cpu_seconds']:.2f}",
            "" if line["peak_rss_mib"] is None else str(line["peak_rss_mib"]),
            "; ".join(filter(None, (line["status"], line["said"]))),
        )
    return table


def _worth(line: Line) -> tuple[int, int]:
    """What is compared: first GPU, then VMs. Nothing that the judge refused counts."""
    return (line["gpu_milli"], line["vms"]) if line["status"] in ("optimal", "feasible") else (-1, -1)


def plot(lines: Sequence[Line], path: Path) -> None:
    """Draw score against time for the peers on one instance, with their bounds. Needs matplotlib (extra `bench`).

    A peer that tells its score while it searches is a stair, another a dot; bounds are dashed. Where nobody asks for
    GPU, VMs are drawn.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    judged = [line for line in lines if line["work"] == "peers" and line["status"] in ("optimal", "feasible")]
    if not judged:
        raise ValueError("no peer has a judged score to draw")
    if len({line["instance"] for line in judged}) > 1:
        raise ValueError("the lines are of several instances; a picture shows one")
    gpu = any(line["gpu_milli"] for line in judged)
    figure, axes = pyplot.subplots(figsize=(9, 5))
    for index, line in enumerate(judged):
        colour = f"C{index % 10}"
        # The walk ends at what the judge counted, not at what the peer said.
        walk = [(point[0], point[1 if gpu else 2]) for point in line["trace"]]
        walk.append((line["seconds"], line["gpu_milli"] if gpu else line["vms"]))
        axes.step(*zip(*walk, strict=True), where="post", color=colour, marker=".", label=line["peer"])
        if line["bound"] is not None:
            axes.axhline(line["bound"], color=colour, linestyle="--", linewidth=0.8)
    axes.set_xlabel("seconds, whole process")
    axes.set_ylabel("GPU placed, thousandths" if gpu else "VMs placed")
    axes.set_title(f"{judged[0]['instance']} (dashed: proven bounds)")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Also draw a picture (PNG, SVG)."
)
def report(files: Sequence[Path], picture: Path | None) -> None:
    """Show the JSON lines of earlier runs as tables with ratios."""
    try:
        lines = read_lines(files)
        for table in tables(lines):
            console().print(table)
        if picture is not None:
            plot(lines, picture)
    except ImportError as error:
        raise click.ClickException("a picture needs matplotlib: pip install 'gpu-placer[bench]'") from error
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error
