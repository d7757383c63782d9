"""`placer consolidate` and `placer evacuate`: plans for the night."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from placer.cli.going_on import earlier_plan
from placer.cli.night_options import checked, jobs_of, request_of
from placer.cli.options import decision_of, output_option, snapshot_argument, snapshot_of
from placer.cli.planning import NIGHT, gone_on, plan_options, planned


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
@plan_options("consolidate")
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
    cluster = snapshot_of(snapshot, gpu_models)
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


@click.command("evacuate")
@snapshot_argument
@output_option
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="A host to empty (default: the request's).")
@click.option("--at-once", metavar="N", type=int, help="How many hosts may be in maintenance at once (default: all).")
@click.option("--minutes", metavar="N", type=int, help="How long each host is in maintenance (default: 60).")
@click.option("--in-order", is_flag=True, default=None, help="Keep the order of --host (default: the best order).")
@plan_options("evacuate")
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
    cluster = snapshot_of(snapshot, gpu_models)
    flags = {key: wishes.pop(key) for key in (*NIGHT, "hosts", "at_once", "minutes")}
    flags["in_order"] = in_order or None
    if earlier is not None:
        return gone_on(cluster, earlier_plan(earlier, "evacuate", flags), at, None, output, quiet=quiet, **wishes)
    decision = decision_of(**wishes)
    from placer.evacuate import evacuate
    from placer_models.night import Asked, Evacuate

    request = request_of(Evacuate, cluster, snapshot, flags)
    checked(cluster, Asked(request=request))
    return planned(partial(evacuate, cluster, request, decision), decision, output, quiet=quiet)


def _free(said: tuple[str, ...]) -> int | tuple[str, ...] | None:
    """How many, or which: a single number is how many."""
    if len(said) == 1 and said[0].isdecimal():
        return int(said[0])
    return said or None
