"""`placer report`: a plan as a page to look at, to print and to send."""

from __future__ import annotations

import click

from placer.cli import files
from placer.cli.exits import DONE, REFUSED
from placer.cli.options import models_option, output_option, plan_of, snapshot_of


@click.command("report")
@click.argument("plan", metavar="PLAN")
@click.option("--snapshot", metavar="FILE", help="Show also who stands where, and let the judge replay the plan.")
@output_option
@models_option
def report_command(plan: str, snapshot: str | None, output: str | None, gpu_models: str | None) -> int:
    """Make one HTML page of a plan: a chart of its steps and jobs, and its tables.

    With the snapshot it also shows every host and its GPUs before, in the night and after. The page needs no network
    and runs no script. What the judge has against the plan is said on it, and by the exit code.
    """
    found = plan_of(plan)
    cluster = None if snapshot is None else snapshot_of(snapshot, gpu_models)
    faults: list[str] = []
    drifted: list[str] = []
    if cluster is not None:
        from placer.drift import drift
        from placer.judge.verify import is_of_another, verify

        faults = verify(cluster, found)
        drifted = drift(cluster, found) if is_of_another(cluster, found) else []
    from placer.report.page import page

    files.write(output, page(found, cluster, faults, drifted))
    for sentence in faults:
        click.echo(sentence, err=True)
    return REFUSED if faults else DONE
