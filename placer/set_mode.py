"""GPUs of a host put in another firmware mode or sharing: those who hold them leave, and come back where they can.
Planned round by round, written as one plan, judged.
"""

from __future__ import annotations

from placer.called import check_call
from placer.progress import Progress
from placer.spending import Spending
from placer_models.decision import Decision, shipped_decision
from placer_models.night import SetMode
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot


def set_mode(
    snapshot: Snapshot,
    request: SetMode,
    decision: Decision | None = None,
    *,
    progress: Progress | None = None,
    since: float | None = None,
    spending: Spending | None = None,
) -> Plan:
    """A plan that puts the GPUs that `request` means in the mode and sharing that it says.

    For another firmware mode the host is emptied, flashed in maintenance and restarted; for another sharing only those
    who hold a GPU leave it. VMs are live-migrated where they may be and find room; others are suspended or powered off,
    and run again on another host, or on their own where they find a place among the changed GPUs, whichever is sooner.
    Nobody is stopped who cannot run again. GPUs that are as wanted already are left alone; those that cannot be changed
    are left out, with the reason. `decision` (default: the shipped `set_mode`) names rules, goals in their order, and
    the budget. The plan is replayed by the judge before it is returned; Disagreement is raised where the judge refuses
    it (a bug). Raises Faults where the snapshot has not what the request names.

    The time of the search counts from `since` (of `time.monotonic`; default: now). Ctrl-C (in the main thread) ends the
    search, and the best plan so far is returned. `spending` is told where the time goes.
    """
    check_call(snapshot, decision)
    from placer.rounds.planned import planned  # here, because ortools takes most of a second to load
    from placer.rounds.switching import Switching

    return planned(Switching, snapshot, request, decision or shipped_decision("set_mode"), progress, since, spending)
