"""`placer consolidate`: a plan for the night."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from placer.cli import files
from placer.cli.exits import DONE, SOME_NOT
from placer.cli.options import (
    decision_of,
    models_option,
    output_option,
    quiet_option,
    search_options,
    snapshot_argument,
    snapshot_of,
)


@click.command("consolidate")
@snapshot_argument
@output_option
@partial(search_options, default="consolidate")
@models_option
@quiet_option
def consolidate_command(snapshot: str, output: str | None, gpu_models: str | None, quiet: bool, **wishes: Any) -> int:
    """Plan a night: free hosts, run jobs on them, bring everything back.

    The snapshot says what is asked: one request of kind "consolidate", and "jobs".
    """
    asked = snapshot_of(snapshot, gpu_models, output)
    decision = decision_of(**wishes)
    from placer.consolidate import consolidate
    from placer_models.document import Faults, dump
    from placer_models.night import Consolidate

    requests = [request for request in asked.requests if isinstance(request, Consolidate)]
    if len(requests) != 1:
        raise Faults(snapshot, [f"requests: found {len(requests)} of kind 'consolidate', expected one"])
    plan = consolidate(asked, requests[0], asked.jobs, decision)
    files.write(output, dump(plan))
    return SOME_NOT if plan.unmoved else DONE
