"""`placer set-mode`: GPUs of a host put in another mode or sharing."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from placer.cli.going_on import earlier_plan
from placer.cli.night_options import checked, request_of
from placer.cli.options import decision_of, output_option, snapshot_argument, snapshot_of
from placer.cli.planning import NIGHT, gone_on, plan_options, planned

MODES = ("graphics", "compute")
SHARINGS = ("passthrough", "same-size", "mixed-size", "mig", "fraction")


@click.command("set-mode")
@snapshot_argument
@output_option
@click.option("--host", metavar="HOST", help="The host whose GPUs are to be changed (default: the request's).")
@click.option("--gpu", "gpus", metavar="GPU", multiple=True, help="A GPU of it; default: all of them.")
@click.option("--mode", type=click.Choice(MODES), help="The firmware mode to put them in (a flash).")
@click.option("--sharing", type=click.Choice(SHARINGS), help="What to put them in while nobody holds them.")
@click.option("--minutes", metavar="N", type=int, help="How long a flash takes, and a restart after it (default: 15).")
@plan_options("set_mode")
def set_mode_command(
    snapshot: str,
    output: str | None,
    earlier: str | None,
    at: str | None,
    gpu_models: str | None,
    quiet: bool,
    **wishes: Any,
) -> int:
    """Plan how GPUs of a host are put in another mode or sharing: who holds them leaves, and comes back.

    The snapshot says what is asked, in one request of kind "set-mode". Options change parts of that request, or stand
    in its place. GPUs that cannot be changed are left out with the reason (exit code 1); the others are still changed.

    With --continue the rest of a plan is planned: a flash that has begun is brought to its end, what has failed is
    planned around.
    """
    cluster = snapshot_of(snapshot, gpu_models)
    flags = {key: wishes.pop(key) for key in (*NIGHT, "host", "gpus", "mode", "sharing", "minutes")}
    if earlier is not None:
        return gone_on(cluster, earlier_plan(earlier, "set-mode", flags), at, None, output, quiet=quiet, **wishes)
    decision = decision_of(**wishes)
    from placer.set_mode import set_mode
    from placer_models.night import Asked, SetMode

    request = request_of(SetMode, cluster, snapshot, flags)
    checked(cluster, Asked(request=request))
    return planned(partial(set_mode, cluster, request, decision), decision, output, quiet=quiet)
