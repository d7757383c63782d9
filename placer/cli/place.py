"""`placer place`: which host starts which VM."""

from __future__ import annotations

from typing import Any

import click

from placer.cli import files
from placer.cli.exits import ended
from placer.cli.options import (
    decision_of,
    memory_option,
    models_option,
    output_option,
    quiet_option,
    search_options,
    snapshot_argument,
    snapshot_of,
)
from placer.cli.spent import Account


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
@memory_option
@models_option
@quiet_option
def place_command(
    snapshot: str, output: str | None, moves: int, gpu_models: str | None, quiet: bool, **wishes: Any
) -> int:
    """Answer the power-on requests of a snapshot."""
    asked = snapshot_of(snapshot, gpu_models)
    decision = decision_of(**wishes)
    from placer.power_on import place
    from placer.report.live import Live
    from placer.report.placements import print_placements
    from placer_models.document import dump

    account = Account(decision.search)
    with Live(quiet=quiet) as live:
        answer = place(
            asked, decision, moves=moves, progress=live.progress, since=account.since, spending=account.spending
        )
    files.write(output, dump(answer))
    if not quiet:
        print_placements(asked, answer, seconds=live.seconds)
        account.say()
    return ended(answer, "answer", done=not answer.unplaced)
