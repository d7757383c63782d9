"""`placer consolidate` and `placer evacuate`: plans for the night."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from placer.cli import files
from placer.cli.exits import DONE, INTERRUPTED, NO_ANSWER, SOME_NOT
from placer.cli.going_on import continue_options, decision_for, earlier_plan, instant
from placer.cli.night_options import LIMITS, checked, jobs_of, night_options, request_of
from placer.cli.options import (
    decision_of,
    memory_option,
    models_option,
    output_option,
    quiet_option,
    search_options,
    snapshot_argument,
    snapshot_of,
)
from placer.cli.spent import Account

if TYPE_CHECKING:
    from placer_models.decision import Decision
    from placer_models.night import Job
    from placer_models.plan import Plan
    from placer_models.snapshot import Snapshot

NIGHT = ("windows", "zone", "first", "nights", "way_back", *LIMITS)
"""The options of `night_options`."""


@click.command("consolidate")
@snapshot_argument
@output_option
@click.option(
    "--free",
    metavar="N|HOST",
    multiple=True,
    help="How many hosts to free, or the name of one (default: as many as pay).",
)
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="Touch VMs on this host; default: on all hosts.")
@click.option("--ready-by", metavar="TIME", help="When VMs run again (RFC 3339; default: when the window ends).")
@click.option("--jobs", metavar="FILE", help="Jobs for the freed hosts, as in a snapshot (default: the snapshot's).")
@continue_options
@night_options
@partial(search_options, default="consolidate")
@memory_option
@models_option
@quiet_option
def consolidate_command(
    snapshot: str,
    output: str | None,
    free: tuple[str, ...],
    jobs: str | None,
    earlier: str | None,
    at: str | None,
    gpu_models: str | None,
    quiet: bool,
    **wishes: Any,
) -> int:
    """Plan a night: free hosts, run jobs on them, bring everything back.

    The snapshot says what is asked: one request of kind "consolidate", and "jobs". Options change parts of that
    request, or stand in its place. VMs that stay are no failure (exit code 1) where as many hosts as pay are asked for.

    With --continue the rest of a plan's night is planned: what is done stays done, what has failed is planned around.
    """
    cluster = snapshot_of(snapshot, gpu_models, output)
    flags = {key: wishes.pop(key) for key in (*NIGHT, "hosts", "ready_by")}
    if earlier is not None:
        plan = earlier_plan(earlier, "consolidate", {**flags, "free": free})
        states = None if jobs is None else jobs_of(jobs, cluster)
        return gone_on(cluster, plan, at, states, output, quiet=quiet, **wishes)
    decision = decision_of(**wishes)
    from placer.consolidate import consolidate
    from placer_models.night import Asked, Consolidate

    request = request_of(Consolidate, cluster, snapshot, {**flags, "free": _free(free)})
    asked = checked(cluster, Asked(request=request, jobs=jobs_of(jobs, cluster)))
    return planned(partial(consolidate, cluster, request, asked.jobs, decision), decision, output, quiet=quiet)


def gone_on(
    snapshot: Snapshot,
    earlier: Plan,
    at: str | None,
    jobs: Sequence[Job] | None,
    output: str | None,
    *,
    quiet: bool,
    **wishes: Any,
) -> int:
    """Go on with a plan; the exit code."""
    decision, when = decision_for(earlier, wishes), instant(at)
    from placer.go_on import go_on

    return planned(partial(go_on, snapshot, earlier, decision, at=when, jobs=jobs), decision, output, quiet=quiet)


@click.command("evacuate")
@snapshot_argument
@output_option
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="A host to empty (default: the request's).")
@click.option("--at-once", metavar="N", type=int, help="How many hosts may be in maintenance at once (default: all).")
@click.option("--minutes", metavar="N", type=int, help="How long each host is in maintenance (default: 60).")
@click.option("--in-order", is_flag=True, default=None, help="Keep the order of --host (default: the best order).")
@continue_options
@night_options
@partial(search_options, default="evacuate")
@memory_option
@models_option
@quiet_option
def evacuate_command(
    snapshot: str,
    output: str | None,
    earlier: str | None,
    at: str | None,
    gpu_models: str | None,
    quiet: bool,
    in_order: bool | None,
    **wishes: Any,
) -> int:
    """Plan maintenance: empty hosts, all at once or a few at a time.

    The snapshot says what is asked, in one request of kind "evacuate". Options change parts of that request, or stand
    in its place. A host that cannot be emptied is left out with the reason (exit code 1); the others are still done.

    With --continue the rest of a plan is planned: hosts that are done stay done, what has failed is planned around.
    """
    cluster = snapshot_of(snapshot, gpu_models, output)
    flags = {key: wishes.pop(key) for key in (*NIGHT, "hosts", "at_once", "minutes")}
    if earlier is not None:
        plan = earlier_plan(earlier, "evacuate", {**flags, "in_order": in_order})
        return gone_on(cluster, plan, at, None, output, quiet=quiet, **wishes)
    decision = decision_of(**wishes)
    from placer.evacuate import evacuate
    from placer_models.night import Asked, Evacuate

    request = request_of(Evacuate, cluster, snapshot, {**flags, "in_order": in_order or None})
    checked(cluster, Asked(request=request))
    return planned(partial(evacuate, cluster, request, decision), decision, output, quiet=quiet)


def planned(planner: Callable[..., Plan], decision: Decision, output: str | None, *, quiet: bool) -> int:
    """Let a planner work (it is told whom to say its progress), write its plan and show it; the exit code."""
    from placer.report.live import Live
    from placer_models.document import dump

    account = Account(decision.search)
    with Live(quiet=quiet) as live:
        plan = planner(progress=live.progress, since=account.since, spending=account.spending)
    files.write(output, dump(plan))
    code = told(plan, live.seconds, quiet=quiet)
    if not quiet:
        account.say()
    return code


def told(plan: Plan, seconds: float, *, quiet: bool) -> int:
    """Show a plan that is written; the exit code."""
    from placer.undone import undone

    if not quiet:
        from placer.report.plan import print_plan

        print_plan(plan, seconds)
    if plan.stopped == "interrupted":
        click.echo("interrupted: this is the best plan so far, and the judge passed it", err=True)
        return INTERRUPTED
    if plan.status == "unknown":
        return NO_ANSWER
    return SOME_NOT if undone(plan) else DONE


def _free(said: tuple[str, ...]) -> int | tuple[str, ...] | None:
    """How many, or which: a single number is how many."""
    if len(said) == 1 and said[0].isdecimal():
        return int(said[0])
    return said or None
