"""`placer place` and `placer verify`: the job, and what the judge says to anybody's answer."""

from __future__ import annotations

from typing import Any

import click

from placer.cli import files
from placer.cli.exits import DONE, INTERRUPTED, NO_ANSWER, REFUSED, SOME_NOT
from placer.cli.options import (
    decision_of,
    models_option,
    output_option,
    quiet_option,
    read,
    search_options,
    snapshot_argument,
    snapshot_of,
)


@click.command("place")
@snapshot_argument
@output_option
@search_options
@click.option(
    "--moves",
    metavar="N",
    type=click.IntRange(0, 10**6),
    default=0,
    show_default=True,
    help="How many running VMs may be live-migrated to make room.",
)
@models_option
@quiet_option
def place_command(
    snapshot: str, output: str | None, moves: int, gpu_models: str | None, quiet: bool, **wishes: Any
) -> int:
    """Answer the power-on requests of a snapshot."""
    asked = snapshot_of(snapshot, gpu_models, output)
    decision = decision_of(**wishes)
    from placer.power_on import place
    from placer.report.live import Live
    from placer.report.placements import print_placements
    from placer_models.document import dump

    with Live(quiet=quiet) as live:
        answer = place(asked, decision, moves=moves, progress=live.progress)
    files.write(output, dump(answer))
    if not quiet:
        print_placements(asked, answer, seconds=live.seconds)
    if answer.stopped == "interrupted":
        click.echo("interrupted: this is the best answer so far, and the judge passed it", err=True)
        return INTERRUPTED
    if answer.status == "unknown":
        return NO_ANSWER
    return SOME_NOT if answer.unplaced else DONE


@click.command("verify")
@snapshot_argument
@click.argument("placements", metavar="PLACEMENTS")
@click.option(
    "--decision",
    metavar="NAME|FILE",
    help="By which rules to judge: a TOML file, or the name of a shipped one (default: what the placements say).",
)
@models_option
@quiet_option
def verify_command(snapshot: str, placements: str, gpu_models: str | None, decision: str | None, quiet: bool) -> int:
    """Let the judge replay anybody's placements on a snapshot."""
    asked = snapshot_of(snapshot, gpu_models)
    rules = None if decision is None else decision_of(decision)
    from placer.judge.verify import verify
    from placer_models.document import parse, read_json
    from placer_models.plan import Placements

    data, source = read(placements)
    answer = parse(Placements, read_json(data, source), source)
    faults = verify(asked, answer, rules)
    for fault in faults:
        click.echo(fault, err=True)
    if not faults and not quiet:
        click.echo(
            f"the judge has nothing against {len(answer.placed)} placements and {len(answer.moves)} moves", err=True
        )
    return REFUSED if faults else DONE
