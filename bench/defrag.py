"""How many GPUs a few moves win: the openb trace as another scheduler has left it, its pods taken as VMs that may
live-migrate. For each number of moves an answer that can be carried out, judged, with its bound.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from bench.options import FILE, PICTURE, SECONDS
from bench.pictures import CUT, axes
from bench.place import LATE, gpus_of, placed, shares
from bench.process import answered
from bench.tables import Line

MOVES = (25, 50, 100, 200, 400)


@click.command()
@click.option("--nodes", type=FILE, required=True, help="The trace's node CSV.")
@click.option("--pods", type=FILE, required=True, help="The trace's pod CSV.")
@click.option("--placement", type=FILE, required=True, help="Where pods run: a CSV of pod,node,gpu_index.")
@click.option("--moves", type=click.IntRange(0), multiple=True, help="Moves at most; may be repeated.")
@click.option("--time-limit", type=SECONDS, default=120, show_default=True, help="Seconds of search at most, each.")
@click.option("--plot", "picture", type=PICTURE, help="Also draw the curve (PNG, SVG).")
def defrag(
    nodes: Path, pods: Path, placement: Path, moves: Sequence[int], time_limit: float, picture: Path | None
) -> None:
    """Start pods that wait in a fragmented cluster, by few moves: a JSON line for each number of them."""
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Path(folder) / "placed.json"
        files = ["--nodes", str(nodes), "--pods", str(pods), "--placement", str(placement), "-o", str(snapshot)]
        answered("import", "openb", *files, most_seconds=LATE)
        gpus, held = gpus_of(snapshot)
        for most in moves or MOVES:
            answer, line = placed(snapshot, "gpu_allocation", time_limit, "--moves", str(most))
            if len(answer.moves) > most:
                raise click.ClickException(f"{len(answer.moves)} moves, at most {most} are allowed")
            first = {"work": "defrag", "trace": placement.stem, "most_moves": most}
            first["before_percent"] = round(held / (10 * gpus), 4)
            lines.append({**first, **shares(line, gpus, held), "placed": len(answer.placed), **line})
            click.echo(json.dumps(lines[-1]))
    if picture is not None:
        draw(lines, picture)


def draw(lines: Sequence[Line], path: Path) -> None:
    """The share of GPUs that is given against the moves allowed, with what is given without any move, and the bound.
    Needs matplotlib.
    """
    points = sorted((line["most_moves"], line["gpu_percent"], line["most_percent"]) for line in lines)
    walk = [(0, lines[0]["before_percent"]), *((most, share) for most, share, _ in points)]
    bounds = [(most, bound) for most, _, bound in points if bound is not None]
    with axes(path) as drawn:
        drawn.plot(*zip(*walk, strict=True), "o-")
        if bounds:
            drawn.plot(*zip(*bounds, strict=True), "--", label="nobody can beat this")
            drawn.legend(loc="lower right")
        drawn.set_xlabel("moves at most")
        drawn.set_ylabel(f"GPUs given, % {CUT}")
        drawn.set_title(f"{lines[0]['trace']}: pods started by moving others")
