"""`python -m bench`: what there is to measure with."""

from __future__ import annotations

from typing import TextIO

import click

from bench.clusters import KINDS, synthetic
from bench.defrag import defrag
from bench.dense import dense
from bench.drain import drain
from bench.fixtures import fixtures
from bench.growth import growth
from bench.machine import COMMAND, told
from bench.mid_size import MID_SIZE
from bench.night import night
from bench.online import online
from bench.openb import openb
from bench.peers.run import peers
from bench.report import report
from bench.session import session
from bench.synthetic import synthetic as synthetic_command
from bench.whole import everything
from placer_models.document import Faults, dump
from placer_models.snapshot import Snapshot


class _Bench(click.Group):
    """Keeps the call for the lines that come of it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[COMMAND] = told(args)
        return super().parse_args(ctx, args)


@click.group(cls=_Bench, invoke_without_command=True)
@click.pass_context
def bench(context: click.Context) -> None:
    """Measures placer. Without a command: lists what there is."""
    if context.invoked_subcommand is None:
        click.echo("clusters: writes a seeded cluster as a snapshot; NAME is one of")
        for name, made in MID_SIZE.items():
            click.echo(f"  {name:16} {(made.__doc__ or '').splitlines()[0]}")
        for name, kind in KINDS.items():
            click.echo(f"  {name:16} synthetic: {kind.says}.")
        for name, command in sorted(bench.commands.items()):
            if name != "clusters":
                click.echo(f"{name}: {command.get_short_help_str(200)}")


@bench.command()
@click.argument("name", type=click.Choice([*MID_SIZE, *KINDS]))
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--hosts", type=click.IntRange(1), default=100, show_default=True, help="Hosts of a synthetic cluster.")
@click.option("--vms", type=click.IntRange(1), default=1000, show_default=True, help="VMs of a synthetic cluster.")
@click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="A file (default: stdout).")
def clusters(name: str, seed: int, hosts: int, vms: int, output: TextIO) -> None:
    """Write the cluster NAME as a snapshot. Same seed, same bytes."""
    document = MID_SIZE[name](seed) if name in MID_SIZE else synthetic(hosts, vms, seed, name)
    try:
        text = dump(Snapshot.of(document, name))
    except Faults as faults:
        raise click.ClickException(str(faults)) from faults
    output.write(text)


bench.add_command(everything)
bench.add_command(defrag)
bench.add_command(dense)
bench.add_command(drain)
bench.add_command(fixtures)
bench.add_command(growth)
bench.add_command(night)
bench.add_command(online)
bench.add_command(openb)
bench.add_command(peers)
bench.add_command(report)
bench.add_command(session)
bench.add_command(synthetic_command)

if __name__ == "__main__":
    bench(prog_name="python -m bench")
