"""Pictures of what was measured: PNG or SVG, as the file is called. They need matplotlib (extra `bench`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bench.tables import Line, grouped
from bench.world import WHOLE

DRAWN = ("optimal", "feasible")
MARKERS = "osD^v<>P*X"
TICKS = [digit * 10.0**power for power in range(-2, 5) for digit in (1, 2, 5)]
"""Seconds at which a logarithmic axis is marked."""
CUT = "(the axis does not begin at 0)"


@contextmanager
def axes(path: Path) -> Iterator[Any]:
    """Axes to draw on; what was drawn is written to the file. Raises ClickException without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise click.ClickException("a picture needs matplotlib: pip install 'gpu-placer[bench]'") from error
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "placer"  # so that the same lines give the same file
    from matplotlib import pyplot

    figure, found = pyplot.subplots(figsize=(9, 5))
    try:
        yield found
        figure.tight_layout()
        figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
    finally:
        pyplot.close(figure)


def draw_peers(lines: Sequence[Line], path: Path) -> None:
    """Score against time for the peers on one instance, with their bounds; of repeated runs the first.

    A peer that tells its score while it searches is a stair, another a dot; bounds are dashed. The legend says each
    score with its bound; scores below 0.9 of the best one, and bounds above 1.1 of it, are said there only, so that the
    others can be told apart. Where nobody asks for GPU, VMs are drawn.
    """
    judged = [line for line in lines if line["work"] == "peers" and line["status"] in DRAWN]
    if not judged:
        raise click.UsageError("no peer has a judged score to draw.")
    if len({line["instance"] for line in judged}) > 1:
        raise click.UsageError("the lines are of several instances; a picture shows one: --instance.")
    gpu = any(line["gpu_milli"] for line in judged)
    unit = WHOLE if gpu else 1
    score = "gpu_milli" if gpu else "vms"
    most = max(line[score] for line in judged) / unit
    with axes(path) as drawn:
        firsts = [some[0] for some in grouped(judged, "peer").values()]
        for index, line in enumerate(sorted(firsts, key=lambda one: -one[score])):
            colour, marker = f"C{index % 10}", MARKERS[index % len(MARKERS)]
            bound = None if line["bound"] is None else line["bound"] / unit
            label = f"{line['peer']}: {line[score] / unit:,.6g}" + ("" if bound is None else f" (at most {bound:,.6g})")
            # The walk ends at what the judge counted, not at what the peer said.
            said = [(point[0], point[1 if gpu else 2]) for point in line["trace"]]
            walk = [(at, value / unit) for at, value in said if value is not None]
            walk.append((line["seconds"], line[score] / unit))
            drawn.step(*zip(*walk, strict=True), where="post", color=colour, marker=marker, markersize=4, label=label)
            if bound is not None and bound <= 1.1 * most:
                drawn.axhline(bound, color=colour, linestyle="--", linewidth=0.8)
        shown = [value for value in _heights(drawn) if 0.9 * most <= value <= 1.1 * most]
        margin = 0.05 * (max(shown) - min(shown)) or 1
        drawn.set_ylim(min(shown) - margin, max(shown) + margin)
        drawn.set_xscale("log")
        low, high = drawn.get_xlim()
        drawn.set_xticks([at for at in TICKS if low <= at <= high])
        drawn.set_xticks([], minor=True)
        drawn.xaxis.set_major_formatter("{x:g}")
        drawn.yaxis.set_major_formatter("{x:,g}")
        drawn.set_xlabel("seconds, whole process (logarithmic)")
        drawn.set_ylabel(f"{'GPUs given' if gpu else 'VMs started'} {CUT}")
        first = judged[0]
        drawn.set_title(f"{first['instance']}: {first['asked']} VMs for {first['hosts']} hosts (dashed: proven bounds)")
        drawn.legend(loc="upper left", bbox_to_anchor=(1.02, 1))


def _heights(drawn: Any) -> list[float]:
    """All heights at which something is drawn."""
    return [float(value) for line in drawn.get_lines() for value in line.get_ydata()]
