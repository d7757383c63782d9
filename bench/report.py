"""`python -m bench report`: tables and pictures of what was measured earlier, from JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from bench.growth import draw_growth, sentence
from bench.pictures import draw_peers
from bench.tables import Line, console, tables


def read_lines(paths: Iterable[Path]) -> list[Line]:
    """The JSON lines of these files. Raises OSError or ValueError."""
    return [json.loads(text) for path in paths for text in path.read_text(encoding="utf-8").splitlines() if text]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--work", help="Only lines of this kind of work.")
@click.option("--instance", help="Only peers on this instance.")
@click.option(
    "--plot",
    "picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also draw a picture (PNG, SVG): of growth, or of peers on one instance.",
)
def report(files: Sequence[Path], work: str | None, instance: str | None, picture: Path | None) -> None:
    """Show the JSON lines of earlier runs as tables with ratios: medians of what was repeated."""
    try:
        lines = [line for line in read_lines(files) if work in (None, line["work"])]
        lines = [line for line in lines if instance in (None, line.get("instance"))]
        for table in tables(lines):
            console().print(table)
        grown = [line for line in lines if line["work"] == "growth"]
        if grown:
            click.echo(sentence(grown))
        if picture is not None and grown:
            draw_growth(grown, picture)
        elif picture is not None:
            draw_peers(lines, picture)
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error
