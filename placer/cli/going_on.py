"""`--continue` and `--at`: going on with a plan in the midst of its night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from placer.cli.options import Command, decision_of, plan_of
from placer_models.faults import Faults
from placer_models.shipped import shipped

if TYPE_CHECKING:
    from datetime import datetime

    from placer_models.decision import Decision
    from placer_models.plan import Plan

TIME = "found {!r}, expected a time with its offset, such as 2026-11-20T23:15:00+01:00"

at_option = click.option(
    "--at",
    metavar="TIME",
    help="When the snapshot shows the cluster (RFC 3339; default: when it says that it was taken).",
)


def continue_options(command: Command) -> Command:
    """Add --continue and --at to a command."""
    option = click.option(
        "--continue",
        "earlier",
        metavar="PLAN",
        help="Go on with this plan: the snapshot shows what has come of it so far. It says what is asked.",
    )
    return option(at_option(command))


def instant(text: str | None) -> datetime | None:
    """The time that `--at` says."""
    from datetime import datetime

    from placer_models.clock import YEARS

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--at: {TIME.format(text)}") from None
    if found.tzinfo is None or found.year not in YEARS:
        raise click.UsageError(f"--at: {TIME.format(text)}")
    return found


def earlier_plan(path: str, kind: str, flags: Mapping[str, Any]) -> Plan:
    """The plan to go on with; `flags` ask for something, which only the plan does. Raises Faults."""
    said = [name for name, value in flags.items() if value not in (None, ())]
    if said:
        raise click.UsageError(f"found --{said[0].replace('_', '-')} beside --continue: the plan says what is asked")
    plan = plan_of(path)
    if plan.request != kind:
        raise Faults(path, [f"request: found '{plan.request}', expected '{kind}'"])
    return plan


def decision_for(plan: Plan, wishes: Mapping[str, Any]) -> Decision:
    """The decision that the options name, else that of the plan."""
    source = click.get_current_context().get_parameter_source("decision")
    named = {"decision": plan.decision} if source is ParameterSource.DEFAULT and plan.decision in shipped() else {}
    return decision_of(**{**wishes, **named})
