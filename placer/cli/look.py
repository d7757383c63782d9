"""`placer explain`, `placer show`, `placer capacity`: looking at a cluster without deciding anything about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from placer.cli import files
from placer.cli.exits import DONE, NO_ANSWER
from placer.cli.options import (
    decision_of,
    decision_option,
    loaded,
    models_option,
    output_option,
    plan_of,
    quiet_option,
    search_options,
    snapshot_argument,
    snapshot_of,
)

if TYPE_CHECKING:
    from placer_models.snapshot import Snapshot


@click.command("explain")
@snapshot_argument
@click.argument("name", metavar="NAME")
@click.option("--placements", metavar="FILE", help="Look at the cluster as it is after this answer.")
@click.option(
    "--plan", metavar="FILE", help="Say why this plan does what it does with the VM, host or job of that name."
)
@output_option
@decision_option("power_on")
@models_option
@quiet_option
def explain_command(
    snapshot: str,
    name: str,
    placements: str | None,
    plan: str | None,
    output: str | None,
    decision: str,
    gpu_models: str | None,
    quiet: bool,
) -> None:
    """Say why a VM stands where it does or stays off, and why not elsewhere.

    With --plan the name may also be a host's or a job's: why is it not freed, what does it wait for, why is it
    suspended and not moved, why does it not run.
    """
    asked = snapshot_of(snapshot, gpu_models)
    if plan is not None:
        if placements is not None:
            raise click.UsageError("found --placements beside --plan, expected one of them")
        _explain_plan(asked, name, plan, output, decision, quiet=quiet)
        return
    rules = decision_of(decision)
    from placer.judge.explain import explain
    from placer.report.explanation import print_explanation
    from placer_models.document import dump
    from placer_models.plan import Placements

    answer = None if placements is None else loaded(Placements, placements)
    found = explain(asked, name, rules, answer)
    files.write(output, dump(found))
    if not quiet:
        print_explanation(found)


def _explain_plan(snapshot: Snapshot, name: str, path: str, output: str | None, decision: str, *, quiet: bool) -> None:
    plan = plan_of(path)
    said = click.get_current_context().get_parameter_source("decision")
    rules = None if said is ParameterSource.DEFAULT else decision_of(decision)
    from placer.judge.why import explain_plan
    from placer.report.explanation import print_answers
    from placer_models.document import dump

    found = explain_plan(snapshot, plan, name, rules)
    files.write(output, dump(found))
    if not quiet:
        print_answers(found)


@click.command("show")
@snapshot_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    help="A table, or JSON (default: a table, with -o JSON).",
)
@output_option
@decision_option("power_on")
@models_option
def show_command(snapshot: str, form: str | None, output: str | None, decision: str, gpu_models: str | None) -> None:
    """Show each host's GPUs: who holds them, what is free, what could still start, what is stranded."""
    asked = snapshot_of(snapshot, gpu_models)
    rules = decision_of(decision)
    from placer.look import show
    from placer_models.document import dump

    view = show(asked, rules)
    if (form or ("json" if output else "table")) == "json":
        files.write(output, dump(view))
        return
    from placer.report.view import view_text

    files.write(output, view_text(view, to_terminal=output is None))


@click.command("capacity")
@snapshot_argument
@click.option(
    "--ask",
    "asks",
    metavar="JSON",
    multiple=True,
    help='What one VM asks for, as in a snapshot: {"cpus": 4, "memory_mib": 8192, "gpus": [{"profile": "M60-2Q"}]}.',
)
@click.option("--like", metavar="VM", multiple=True, help="As much as this VM of the snapshot asks for.")
@output_option
@search_options
@models_option
@quiet_option
def capacity_command(
    snapshot: str,
    asks: tuple[str, ...],
    like: tuple[str, ...],
    output: str | None,
    gpu_models: str | None,
    quiet: bool,
    **wishes: str | float | None,
) -> int:
    """Count how many more VMs of each ask could be started, each ask by itself, all running VMs staying."""
    if not asks and not like:
        raise click.UsageError("found neither, expected --ask or --like: what is to be counted")
    counted = snapshot_of(snapshot, gpu_models)
    decision = decision_of(**wishes)  # type: ignore[arg-type]
    from placer.report.live import Live
    from placer.report.room import print_room
    from placer.room import ask_like, ask_of, capacity
    from placer_models.document import dump

    wanted = [ask_of(text, i) for i, text in enumerate(asks)] + [ask_like(counted, name) for name in like]
    with Live(quiet=quiet) as live:
        room = capacity(counted, wanted, decision, progress=live.progress)
    files.write(output, dump(room))
    if not quiet:
        print_room(room)
    return NO_ANSWER if any(one.status == "unknown" for one in room.asks) else DONE
