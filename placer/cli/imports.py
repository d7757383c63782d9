"""`placer import`: other people's formats become snapshots."""

from __future__ import annotations

from typing import Any

import click

from placer.cli import files
from placer.cli.options import read

_output = click.option("-o", "--output", metavar="OUT", help="The snapshot to write (default: standard output).")
_taken_at = click.option("--taken-at", metavar="TIME", help="When it was so (RFC 3339; default: the start of 1970).")


@click.group("import")
def import_group() -> None:
    """Turn another format into a snapshot.

    Files are read whole; '-' is standard input.
    """


@import_group.command("openb")
@click.option("--nodes", metavar="CSV", required=True, help="The node list.")
@click.option("--pods", metavar="CSV", required=True, help="The pod list.")
@click.option("--placement", metavar="CSV", help="Where pods run (pod,node,gpu_index); without it all are asked for.")
@_taken_at
@_output
def openb_command(nodes: str, pods: str, placement: str | None, taken_at: str | None, output: str | None) -> None:
    """Read the node and pod CSVs of the openb trace (Alibaba's GPU trace of 2023)."""
    from placer.formats import openb

    tables = read(nodes), read(pods)
    placed = read(placement) if placement else None
    _write(openb.read(*tables, placement=placed, taken_at=taken_at or openb.EPOCH), output)


@import_group.command("btrplace")
@click.argument("file", metavar="FILE")
@click.option(
    "--mem-unit",
    type=click.Choice(["mib", "gib"]),
    default="gib",
    show_default=True,
    help="What one of the view 'mem' is.",
)
@_taken_at
@_output
def btrplace_command(file: str, mem_unit: str, taken_at: str | None, output: str | None) -> None:
    """Read an instance of BtrPlace (JSON, perhaps gzipped); what of it is left out is said on standard error."""
    from placer.formats import btrplace

    content, source = read(file)
    more = {"taken_at": taken_at} if taken_at else {}
    unit = btrplace.MIB_IN_GIB if mem_unit == "gib" else 1
    document, ignored = btrplace.read(content, source, mem_unit_mib=unit, **more)
    for sentence in ignored:
        click.echo(f"{source}: {sentence}", err=True)
    _write(document, output)


def _write(document: dict[str, Any], output: str | None) -> None:
    from placer_models.document import dump
    from placer_models.snapshot import Snapshot

    files.write(output, dump(Snapshot.of(document, "the imported snapshot")))
