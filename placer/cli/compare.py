"""`placer verify` and `placer diff`: what the judge says to anybody's answer, and how one differs from another."""

from __future__ import annotations

import click

from placer.cli import files
from placer.cli.exits import DONE, REFUSED
from placer.cli.going_on import instant
from placer.cli.options import (
    answer_of,
    decision_of,
    document_of,
    loaded,
    models_option,
    output_option,
    quiet_option,
    snapshot_argument,
    snapshot_of,
)


@click.command("verify")
@snapshot_argument
@click.argument("answer", metavar="ANSWER")
@click.option(
    "--decision",
    metavar="NAME|FILE",
    help="By which rules to judge: a TOML file, or the name of a shipped one (default: what the answer says).",
)
@click.option(
    "--request",
    metavar="FILE",
    help="What a plan was asked for: JSON like its 'asked' (default: what the plan says, else the snapshot).",
)
@click.option(
    "--at", metavar="TIME", help="A plan is under way, and the snapshot shows the cluster at this time (RFC 3339)."
)
@models_option
@quiet_option
def verify_command(
    snapshot: str,
    answer: str,
    gpu_models: str | None,
    decision: str | None,
    request: str | None,
    at: str | None,
    quiet: bool,
) -> int:
    """Let the judge replay anybody's placements or plan on a snapshot.

    A plan may have been made for an earlier snapshot: what has changed since then is said, and whether the plan holds
    in spite of it. With --at its night has begun: what is not as planned is said, and whether the rest holds.
    """
    cluster = snapshot_of(snapshot, gpu_models)
    rules = None if decision is None else decision_of(decision)
    from placer.judge.verify import is_of_another, verify
    from placer_models.night import Asked
    from placer_models.plan import Plan

    asked = None if request is None else loaded(Asked, request)
    when = instant(at)
    found = answer_of(answer)
    drifted: list[str] = []
    if isinstance(found, Plan) and when is not None:
        from placer.drift import drift
        from placer.rest import rest_of

        found = found if asked is None else found.model_copy(update={"asked": asked})
        drifted = drift(cluster, found, when)
        found, asked = rest_of(cluster, found, when).plan, None
    elif isinstance(found, Plan) and is_of_another(cluster, found):
        from placer.drift import drift

        drifted = drift(cluster, found)
    faults = verify(cluster, found, rules, asked)
    for sentence in (*drifted, *faults):
        click.echo(sentence, err=True)
    if not faults and not quiet:
        if isinstance(found, Plan):
            what = f"{len(found.steps)} steps"
        else:
            what = f"{len(found.placed)} placements and {len(found.moves)} moves"
        click.echo(f"the judge has nothing against {what}", err=True)
    return REFUSED if faults else DONE


@click.command("diff")
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@output_option
@models_option
@quiet_option
def diff_command(before: str, after: str, output: str | None, gpu_models: str | None, quiet: bool) -> int:
    """Say how two plans differ, or two placements, or two snapshots.

    The exit code is 0 whether they differ or not.
    """
    old, new = document_of(before, gpu_models), document_of(after, gpu_models)
    from placer.diff import diff
    from placer_models.document import dump

    found = diff(old, new)
    files.write(output, dump(found))
    if not quiet:
        from placer.report.difference import print_difference

        print_difference(found)
    return DONE
