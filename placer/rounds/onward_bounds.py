"""What no plan of rounds beats that goes on in its midst: of those that do what is done and under way, do not try again
what has failed, and excuse the same VMs from coming back.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import datetime

from placer.rest import Rest
from placer.rounds.bounds import emptying
from placer.rounds.midway import Rolled
from placer.rounds.onward import Onward
from placer.rounds.rolling import Rolling
from placer.rounds.rounds import Rounds
from placer.rounds.switched import Switched
from placer.solve.budget import Budget
from placer.solve.soonest import within
from placer_models.clock import Clock
from placer_models.decision import Decision
from placer_models.night import Evacuate, SetMode
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot


def rounds_onward(
    snapshot: Snapshot, rest: Rest, plan: Plan, decision: Decision, score: Mapping[str, int], budget: Budget
) -> dict[str, int | None]:
    """The bounds of an evacuation or a change of GPU modes that goes on, by the kinds of goals, each given the scores
    of those before it.
    """
    asked = plan.asked
    assert asked is not None
    assert asked.begun is not None
    assert isinstance(asked.request, Evacuate | SetMode)
    made: type[Onward] = Rolled if isinstance(asked.request, Evacuate) else Switched
    onward = made(snapshot, rest, asked.request, decision, budget, None)
    if isinstance(asked.request, SetMode):
        onward.close()
    rounds = onward.rounds()
    lost = isinstance(asked.request, SetMode) and snapshot.content.hosts[asked.request.host].state == "disconnected"
    all_done = all(score[kind] == most for kind, most in rounds.most.items())
    found: dict[str, int | None] = {}
    before: dict[str, int] = {}
    for kind in (goal.kind for goal in decision.night_goals()):
        bound = None if lost else rounds.most.get(kind)
        own = any(one in before for one in rounds.most)
        if kind in ("stun", "moves") and before.get("downtime") == 0:
            stun, excused = kind == "stun", asked.begun.excused.keys()
            bound = onward.now.migrations(excused, returns=rounds.trips == 2, stun=stun)
            bound += _still(onward, rounds, excused, stun=stun) if own and all_done else 0
        if kind == "soonest" and isinstance(rounds, Rolling):
            spare = before.get("downtime", 10**9)
            bound = _soonest(onward, rounds, rest.at, spare if own and all_done else None)
        found[kind] = 0 if bound is None and score[kind] == 0 else bound
        before[kind] = score[kind]
    return found


def _still(onward: Onward, rounds: Rounds, excused: Container[str], *, stun: bool) -> int:
    """The migrations off hosts that are still to be emptied, of who is at home there; where they return, those too."""
    hosts = rounds.pending if isinstance(rounds, Rolling) else ()
    vms = [stand.vm for host in hosts for stand in rounds.first.on(host) if stand.vm not in onward.now.carried.homes]
    return sum((1 if vm in excused else rounds.trips) * onward.now.weight(vm, stun=stun) for vm in vms)


def _soonest(onward: Onward, rounds: Rolling, at: datetime, spare: int | None) -> int:
    """When all can have been free: those that were keep their times; with `spare` seconds of downtime (None: it is not
    known which) the others are emptied from now on.
    """
    clock = Clock(min(begin for window in rounds.request.windows for begin, _ in window.spans()))
    first: dict[str, int] = {}
    for freed in onward.plan.freed:
        if freed.from_ < at:
            since = clock.seconds(freed.from_)
            first[freed.host] = min(since, first.get(freed.host, since))
    last = max(first.values(), default=0)
    if spare is not None and rounds.pending:
        whole = emptying(rounds, {}, spare)
        left = replace(whole, leavers={host: its for host, its in whole.leavers.items() if host in rounds.pending})
        seconds = left.soonest(len(left.leavers))
        now = Clock(at)
        spans = [(now.seconds(begin), now.seconds(end)) for begin, end in onward.windows(at)]
        last = max(last, clock.seconds(at) + within(spans, seconds))
    return last
