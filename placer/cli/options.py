"""What commands share: their options, and how they read a snapshot, a decision and a catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placer.cli import files
from placer.cli.exits import Case
from placer_models.faults import Faults
from placer_models.shipped import shipped

if TYPE_CHECKING:
    from placer_models.decision import Decision
    from placer_models.snapshot import Snapshot

Command = Callable[..., Any]

snapshot_argument = click.argument("snapshot", metavar="SNAPSHOT")
output_option = click.option("-o", "--output", metavar="FILE", help="Where the answer goes (default: standard output).")
models_option = click.option(
    "--gpu-models", metavar="FILE", help="A site's own GPU models (JSON), beside the shipped catalogue."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print no tables, only what is wrong.")


def decision_option(default: str) -> Callable[[Command], Command]:
    """The option that names a decision."""
    return click.option(
        "--decision",
        metavar="NAME|FILE",
        default=default,
        show_default=True,
        help=f"Which rules hold and which goals are wished for: a TOML file, or one of {', '.join(shipped())}.",
    )


def search_options(command: Command, default: str = "power_on") -> Command:
    """Add --decision, --time-limit, --seed and --workers to a command."""
    options = (
        decision_option(default),
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


def read(path: str) -> tuple[bytes, str]:
    """A file's bytes and name; standard input can be read but once."""
    case = click.get_current_context().find_object(Case) or Case()
    if path == "-":
        if case.stdin_taken:
            raise click.UsageError("standard input ('-') is given for two files, and can be only one")
        case.stdin_taken.append(path)
    return files.read(path)


def snapshot_of(path: str, gpu_models: str | None = None, beside: str | None = None) -> Snapshot:
    """The snapshot in a file, read with a site's GPU models where they are given.

    `beside` is the file that the answer will go to.
    """
    from placer_models.gpus import Catalogue
    from placer_models.snapshot import Snapshot

    catalogue = None
    if gpu_models:
        from placer_models.document import read_json

        values, source = read_json(*read(gpu_models)), gpu_models
        try:
            catalogue = Catalogue.shipped().with_file(values)
        except Faults as faults:
            raise Faults(source, faults.sentences, faults.more) from None
    data, source = read(path)
    case = click.get_current_context().find_object(Case)
    if case is not None:
        case.snapshot, case.source = data, source
        case.beside = None if beside == "-" else beside
    return Snapshot.load(data, source, catalogue)


def decision_of(
    decision: str, time_limit: float | None = None, seed: int | None = None, workers: int | None = None
) -> Decision:
    """The decision that the options name, with what they override."""
    from placer_models.decision import read_decision, shipped_decision

    if decision not in shipped() and (decision.endswith(".toml") or decision == "-" or Path(decision).exists()):
        found = read_decision(*read(decision))
    else:
        found = shipped_decision(decision)
    wishes = {"time_limit_seconds": time_limit, "seed": seed, "workers": workers}
    search = found.search.model_copy(update={key: value for key, value in wishes.items() if value is not None})
    return found.model_copy(update={"search": search})
