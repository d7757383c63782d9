"""The command `placer` and its subcommands."""

from __future__ import annotations

from typing import Any

import click

from placer.cli import files
from placer.cli.decisions import decision_of, decision_options
from placer.cli.exits import DONE, MEANINGS, NO_ANSWER, REFUSED, SOME_NOT
from placer.cli.imports import import_group
from placer_models.document import dump, parse, read_json
from placer_models.gpus import Catalogue
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot

EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gpu-placer", prog_name="placer")
def cli() -> None:
    """Place VMs with GPUs on hosts: proven placements, judged before they leave, and a plain reason for every "no".

    A snapshot is a JSON file ("-" is standard input) that says what stands where and what is asked for. Answers are
    JSON on standard output, or in the file that -o names; tables and progress go to standard error.
    """


_models = click.option(
    "--gpu-models", metavar="FILE", help="A site's own GPU models (JSON), beside the shipped catalogue."
)
_output = click.option("-o", "--output", metavar="FILE", help="Where the answer goes (default: standard output).")


def snapshot_of(path: str, gpu_models: str | None) -> Snapshot:
    """The snapshot in a file, read with a site's GPU models where they are given."""
    catalogue = Catalogue.shipped().with_file(gpu_models) if gpu_models else None
    data, source = files.read(path)
    return Snapshot.load(data, source, catalogue)


@cli.command("place")
@click.argument("snapshot", metavar="SNAPSHOT")
@_output
@decision_options
@click.option(
    "--moves",
    metavar="N",
    type=click.IntRange(0, 10**6),
    default=0,
    show_default=True,
    help="How many running VMs may be live-migrated to make room.",
)
@_models
def place_command(snapshot: str, output: str | None, moves: int, gpu_models: str | None, **wishes: Any) -> int:
    """Answer the power-on requests of a snapshot."""
    from placer.power_on import place

    asked = snapshot_of(snapshot, gpu_models)
    answer = place(asked, decision_of(**wishes), moves=moves)
    files.write(output, dump(answer))
    if answer.status == "unknown":
        return NO_ANSWER
    return SOME_NOT if answer.unplaced else DONE


@cli.command("verify")
@click.argument("snapshot", metavar="SNAPSHOT")
@click.argument("placements", metavar="PLACEMENTS")
@decision_options
@_models
def verify_command(snapshot: str, placements: str, gpu_models: str | None, **wishes: Any) -> int:
    """Let the judge replay anybody's placements on a snapshot."""
    from placer.verify import verify

    asked = snapshot_of(snapshot, gpu_models)
    data, source = files.read(placements)
    answer = parse(Placements, read_json(data, source), source)
    faults = verify(asked, answer, decision_of(**wishes))
    for fault in faults:
        click.echo(fault, err=True)
    if not faults:
        click.echo(
            f"the judge has nothing against {len(answer.placed)} placements and {len(answer.moves)} moves", err=True
        )
    return REFUSED if faults else DONE


cli.add_command(import_group)
