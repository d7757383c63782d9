"""`placer rules`, `placer schema`, `placer completion`: what there is, told without reading any cluster."""

from __future__ import annotations

from pathlib import Path

import click

from placer.cli import files
from placer.cli.options import output_option

SHELLS = ("bash", "zsh", "fish")
DOCUMENTS = (
    "snapshot",
    "placements",
    "plan",
    "explanation",
    "plan-explanation",
    "view",
    "capacity",
    "difference",
    "decision",
    "gpu-models",
)


@click.command("rules")
@click.argument("kind", metavar="[KIND]", required=False)
def rules_command(kind: str | None) -> None:
    """List the rules, or print the manual page of one."""
    from placer.report.manual import rule_list, rule_page

    files.write(None, rule_list() if kind is None else rule_page(kind))


@click.command("schema")
@click.argument("document", metavar="DOCUMENT", type=click.Choice(DOCUMENTS), required=False)
@output_option
@click.option("--write", "folder", metavar="FOLDER", help="Write all of them into a folder, each as DOCUMENT.json.")
def schema_command(document: str | None, output: str | None, folder: str | None) -> None:
    """Print the JSON Schema of a document.

    DOCUMENT is snapshot (the default), placements, plan, explanation, plan-explanation, view, capacity, difference,
    decision or gpu-models.
    """
    from placer.report.schema import schema

    if folder is None:
        files.write(output, schema(document or "snapshot"))
        return
    for name in [document] if document else DOCUMENTS:
        files.write(str(Path(folder) / f"{name}.json"), schema(name))


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print the script that completes placer's words in a shell.

    For bash: placer completion bash > ~/.local/share/bash-completion/completions/placer
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell
    root = click.get_current_context().find_root().command
    files.write(None, kind(root, {}, "placer", "_PLACER_COMPLETE").source() + "\n")
