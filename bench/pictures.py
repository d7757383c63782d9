"""Pictures of what was measured: PNG or SVG, as the file is called. They need matplotlib (extra `bench`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bench.tables import Line, grouped

DRAWN = ("optimal", "feasible")


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

    A peer that tells its score while it searches is a stair, another a dot; bounds are dashed. Where nobody asks for
    GPU, VMs are drawn.
    """
    judged = [line for line in lines if line["work"] == "peers" and line["status"] in DRAWN]
    if not judged:
        raise click.UsageError("no peer has a judged score to draw.")
    if len({line["instance"] for line in judged}) > 1:
        raise click.UsageError("the lines are of several instances; a picture shows one: --instance.")
    gpu = any(line["gpu_milli"] for line in judged)
    with axes(path) as drawn:
        for index, (line, *_) in enumerate(grouped(judged, "peer").values()):
            colour = f"C{index % 10}"
            # The walk ends at what the judge counted, not at what the peer said.
            said = [(point[0], point[1 if gpu else 2]) for point in line["trace"]]
            walk = [(at, score) for at, score in said if score is not None]
            walk.append((line["seconds"], line["gpu_milli"] if gpu else line["vms"]))
            drawn.step(*zip(*walk, strict=True), where="post", color=colour, marker=".", label=line["peer"])
            if line["bound"] is not None:
                drawn.axhline(line["bound"], color=colour, linestyle="--", linewidth=0.8)
        drawn.set_xlabel("seconds, whole process")
        drawn.set_ylabel("GPU placed, thousandths" if gpu else "VMs placed")
        drawn.set_title(f"{judged[0]['instance']} (dashed: proven bounds)")
        drawn.legend(loc="lower right")
