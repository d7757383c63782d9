"""What the commands share that plan nights: their options, going on with an earlier plan, and how a plan is written and
told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from placer.cli import files
from placer.cli.exits import ended
from placer.cli.going_on import continue_options, decision_for, instant
from placer.cli.night_options import LIMITS, night_options
from placer.cli.options import Command, memory_option, models_option, quiet_option, search_options
from placer.cli.spent import Account

if TYPE_CHECKING:
    from placer_models.decision import Decision
    from placer_models.night import Job
    from placer_models.plan import Plan
    from placer_models.snapshot import Snapshot

NIGHT = ("windows", "zone", "first", "nights", "way_back", *LIMITS)
"""What `night_options` say, by the keys of the command's arguments."""


def plan_options(decision: str) -> Callable[[Command], Command]:
    """The options of every command that plans a night, with this decision where none is named."""
    search = partial(search_options, default=decision)

    def add(command: Command) -> Command:
        for options in (quiet_option, models_option, memory_option, search, night_options, continue_options):
            command = options(command)
        return command

    return add


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
    return ended(plan, "plan", done=not undone(plan))
