"""The options by which a command takes a decision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from placer.cli import files
from placer_models.decision import Decision, read_decision, shipped, shipped_decision


def decision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --decision, --time-limit, --seed and --workers to a command."""
    names = ", ".join(shipped())
    options = (
        click.option(
            "--decision",
            metavar="NAME|FILE",
            default="power_on",
            show_default=True,
            help=f"Which rules hold and which goals are wished for: a TOML file, or one of {names}.",
        ),
        click.option(
            "--time-limit",
            metavar="SECONDS",
            type=click.FloatRange(0, 10**6, min_open=True),
            help="How long to think at most (default: the decision's).",
        ),
        click.option(
            "--seed",
            metavar="N",
            type=click.IntRange(0, 2**31 - 1),
            help="Seed of the search (default: the decision's).",
        ),
        click.option(
            "--workers",
            metavar="N",
            type=click.IntRange(1, 256),
            help="Threads of the search (default: the decision's).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def decision_of(
    decision: str, time_limit: float | None = None, seed: int | None = None, workers: int | None = None
) -> Decision:
    """The decision that the options name, with what they override."""
    if decision in shipped() and not Path(decision).is_file():
        found = shipped_decision(decision)
    elif decision.endswith(".toml") or Path(decision).exists() or decision == "-":
        found = read_decision(*files.read(decision))
    else:
        found = shipped_decision(decision)
    wishes = {"time_limit_seconds": time_limit, "seed": seed, "workers": workers}
    search = found.search.model_copy(update={key: value for key, value in wishes.items() if value is not None})
    return found.model_copy(update={"search": search})
