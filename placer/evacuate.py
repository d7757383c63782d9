"""Hosts emptied for maintenance, all at once or a few at a time: planned round by round, written as one plan,
judged.
"""

from __future__ import annotations

import time

from placer.called import check_call
from placer.progress import Progress
from placer.spending import Spending
from placer_models.decision import Decision, shipped_decision
from placer_models.night import Evacuate
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot


def evacuate(
    snapshot: Snapshot,
    request: Evacuate,
    decision: Decision | None = None,
    *,
    progress: Progress | None = None,
    since: float | None = None,
    spending: Spending | None = None,
) -> Plan:
    """A plan that empties the hosts that `request` names, `at_once` of them at a time, for as long as it says.

    VMs are live-migrated where they may be and find room; others are suspended or powered off, and run again on
    another host or on their own as soon as it is back, whichever is sooner. A host that cannot be emptied is left out,
    with the reason; the others are still done. The next hosts are left while others are in maintenance: one after the
    other, because VMs then find room on hosts whose turn is over; and as many together as may be at once, where that
    gives a better plan. `decision` (default: the shipped `evacuate`) names rules, goals in their order, and the budget.
    The plan is replayed by the judge before it is returned; Disagreement is raised where the judge refuses it (a bug).
    Raises Faults where the snapshot has not what the request names.

    The time of the search counts from `since` (of `time.monotonic`; default: now). Ctrl-C (in the main thread) ends the
    search, and the best plan so far is returned. `spending` is told where the time goes.
    """
    check_call(snapshot, decision)
    from placer.rounds.planned import planned  # here, because ortools takes most of a second to load
    from placer.rounds.rolling import OneByOne, Rolling

    decision, since = decision or shipped_decision("evacuate"), time.monotonic() if since is None else since
    several = len(set(request.hosts)) > 1 and request.at_once != 1
    plans: list[Plan] = []
    for kind in (OneByOne, Rolling) if several else (Rolling,):
        plans.append(planned(kind, snapshot, request, decision, progress, since, spending))
        if plans[-1].status == "optimal" or plans[-1].stopped == "interrupted":
            break

    def worth(plan: Plan) -> list[int]:
        return [(1 if goal.sense == "most" else -1) * plan.score[goal.label] for goal in decision.night_goals()]

    return max(plans, key=worth)
