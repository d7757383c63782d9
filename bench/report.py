"""`python -m bench report`: tables and pictures of what was measured earlier, from JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from bench.growth import draw_growth, sentence
from bench.options import FILE, PICTURE, reading
from bench.pictures import draw_peers
from bench.tables import Line, console, tables


def read_lines(paths: Iterable[Path]) -> list[Line]:
    """The JSON lines of these files. Raises click.UsageError."""
    found: list[Line] = []
    for path in paths:
        with reading(path, "a JSON line for each run"):
            lines = map(json.loads, filter(None, path.read_text(encoding="utf-8").splitlines()))
            found += [line for line in lines if line["work"]]
    return found


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--work", help="Only lines of this kind of work.")
@click.option("--instance", help="Only peers on this instance.")
@click.option("--plot", "picture", type=PICTURE, help="Also draw growth, or peers on one instance (PNG, SVG).")
def report(files: Sequence[Path], work: str | None, instance: str | None, picture: Path | None) -> None:
    """Show the JSON lines of earlier runs as tables with ratios: medians of what was repeated."""
    lines = [line for line in read_lines(files) if work in (None, line["work"])]
    lines = [line for line in lines if instance in (None, line.get("instance"))]
    if not lines:
        raise click.UsageError("no such lines in these files.")
    for table in tables(lines):
        console().print(table)
    grown = [line for line in lines if line["work"] == "growth"]
    if grown:
        click.echo(sentence(grown))
    if picture is not None and grown:
        draw_growth(grown, picture)
    elif picture is not None:
        draw_peers(lines, picture)
