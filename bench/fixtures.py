"""All shipped snapshots with requests to power on: placed, judged, proven or not, and in what time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bench.options import SECONDS
from bench.place import placed
from bench.tables import TABLES, Line, console
from placer_models.plan import Placements

SHIPPED = Path(__file__).resolve().parents[1] / "fixtures"


@click.command()
@click.option("--time-limit", type=SECONDS, default=30, show_default=True, help="Seconds of search at most, each.")
@click.option("--only", default="", help="Only those with this word in their name.")
@click.argument("folder", default=SHIPPED, type=click.Path(exists=True, file_okay=False, path_type=Path))
def fixtures(folder: Path, time_limit: float, only: str) -> None:
    """Place all that is shipped in `fixtures/cluster` and `fixtures/place`: a JSON line each, then a table."""
    lines: list[Line] = []
    for snapshot in sorted(path for kind in ("cluster", "place") for path in folder.glob(f"{kind}/*/snapshot.json")):
        name = f"{snapshot.parts[-3]}/{snapshot.parts[-2]}"
        if only in name:
            answer, line = _answered(snapshot, time_limit)
            lines.append({"work": "fixtures", "instance": name, "placed": len(answer.placed), **line})
            click.echo(json.dumps(lines[-1]))
    if not lines:
        raise click.UsageError(f"no snapshot of {folder.name} has {only!r} in its name.")
    console(stderr=True).print(TABLES["fixtures"].table(lines))
    proven = sum(line["status"] == "optimal" for line in lines)
    click.echo(f"{len(lines)} snapshots, {proven} answers proven, all judged", err=True)


def _answered(snapshot: Path, time_limit: float) -> tuple[Placements, dict[str, Any]]:
    """As its story wants it (`expect.json`, where there is one): by its decision, with its moves and GPU models."""
    told, models = snapshot.with_name("expect.json"), snapshot.with_name("gpu_models.json")
    wanted = json.loads(told.read_bytes()) if told.exists() else {}
    moves = ("--moves", str(wanted["moves"])) if wanted.get("moves") else ()
    decision = wanted.get("decision", "power_on")
    return placed(snapshot, decision, time_limit, *moves, models=models if models.exists() else None)
