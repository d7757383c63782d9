"""The command `placer`: how it begins and ends, and the list of its subcommands.

The modules of commands import what they need only when they run, so that telling what there is takes no time.
"""

from __future__ import annotations

import difflib
import gc
import sys
from collections.abc import Sequence
from typing import Any

import click

from placer.cli.compare import diff_command, verify_command
from placer.cli.exits import MEANINGS, run
from placer.cli.imports import import_group
from placer.cli.look import capacity_command, explain_command, show_command
from placer.cli.night import consolidate_command, evacuate_command
from placer.cli.place import place_command
from placer.cli.report import report_command
from placer.cli.set_mode import set_mode_command
from placer.cli.tell import completion_command, rules_command, schema_command
from placer.light import spared
from placer_models.faults import quote

EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."


class Placer(click.Group):
    """A click group that ends with placer's exit codes; its commands are listed in the order in which they are named
    here.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if standalone_mode:
            spared.add("pandas")
            gc.set_threshold(100_000, 50, 50)  # documents are large and in no cycles: reading takes half as long
            sys.exit(run(self, args, complete_var=complete_var, **extra))
        return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            near = difflib.get_close_matches(args[0][:100], self.commands, 1)
            hint = f"; did you mean {near[0]}?" if near else f" ({', '.join(self.commands)})"
            raise click.UsageError(f"found {quote(args[0])}, expected a command{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Placer, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gpu-placer", prog_name="placer")
def cli() -> None:
    """Place VMs with GPUs on hosts: proven placements, judged before they leave, and a plain reason for every "no".

    A snapshot is a JSON file ("-" is standard input) that says what stands where and what is asked for. Answers are
    JSON on standard output, or in the file that -o names; tables and progress go to standard error.
    """


for command in (
    place_command,
    consolidate_command,
    evacuate_command,
    set_mode_command,
    verify_command,
    diff_command,
    report_command,
    explain_command,
    show_command,
    capacity_command,
    import_group,
    rules_command,
    schema_command,
    completion_command,
):
    cli.add_command(command)
