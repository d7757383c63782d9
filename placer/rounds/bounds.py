"""What no plan of rounds beats, goal by goal, each given the scores of the goals before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from placer.rounds.rounds import Rounds
from placer.solve.leaving import Options
from placer.solve.soonest import Emptying, Leaver
from placer_models.goals.night import NightGoal
from placer_models.motion import stun_ms
from placer_models.scene import Stand

Spans = Sequence[tuple[int, int]]
"""The windows, in seconds."""


def bounds_of(
    rounds: Rounds, goals: Sequence[NightGoal], score: Mapping[str, int], spans: Spans
) -> dict[str, int | None]:
    """The bounds, by the labels of the goals.

    No more is done than nothing speaks against. Where so much is done, VMs are down no less than those are that cannot
    be live-migrated; and where they are down no more than that, all the others migrate.
    """
    least, cluster = rounds.leaving(), rounds.first.cluster
    told: dict[str, int | None] = {
        **rounds.most,
        "downtime": sum(least.values()),
        "stun": rounds.trips * sum(stun_ms(cluster, cluster.vms[vm]) for vm, seconds in least.items() if not seconds),
        "moves": rounds.trips * sum(not seconds for seconds in least.values()),
    }
    found: dict[str, int | None] = {}
    before: list[str] = []
    all_done = calm = False
    for goal in goals:
        own = goal.kind in rounds.most
        holds = own or (all_done and (goal.kind == "downtime" or calm))
        bound = told.get(goal.kind) if holds else None
        if goal.kind == "soonest":
            bound = _soonest(rounds, score, before, least if all_done else None, spans)
        if bound is None and goal.sense == "least" and score[goal.kind] == 0:
            bound = 0
        found[goal.label] = bound
        all_done = all_done or (own and bound == score[goal.kind])
        calm = calm or (goal.kind == "downtime" and all_done and bound == score[goal.kind])
        before.append(goal.kind)
    return found


def _soonest(
    rounds: Rounds, score: Mapping[str, int], before: Sequence[str], least: Mapping[str, int] | None, spans: Spans
) -> int | None:
    """When all can have been done; `least` is how long those are down at least who have to leave, where it is known who
    does.
    """
    spare = score["downtime"] if "downtime" in before else 10**9
    if least is not None:
        spare -= sum(least.values())
    return rounds.soonest(emptying(rounds, least or {}, spare), spans, known=least is not None)


def emptying(rounds: Rounds, least: Mapping[str, int], spare: int) -> Emptying:
    """What it takes to empty the hosts that are in question."""
    cluster, limits, ways = rounds.first.cluster, rounds.request.limits, rounds.ways

    def leavers(stands: Iterable[Stand]) -> list[Leaver]:
        found = []
        for vm in (cluster.vms[stand.vm] for stand in stands):
            may = ways[vm.name]
            if isinstance(may, Options):
                downs = {down for down, _ in (*may.wait, *may.elsewhere)}
                one = Leaver.of(cluster, vm, limits, live=may.live and not least.get(vm.name), downs=downs)
                found += [one] if one is not None else []
        return found

    return Emptying(cluster, limits, {host: leavers(its) for host, its in rounds.leavers().items()}, max(0, spare))
