"""When a night's hosts can be free at the earliest: a bound that holds for every plan with as many hosts freed, and no
more downtime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from placer.night.window import Night
from placer_models.goals.night import NightGoal

if TYPE_CHECKING:
    from placer.solve.soonest import Emptying


def soonest(
    night: Night, goals: Sequence[NightGoal], score: Mapping[str, int], spans: Sequence[tuple[int, int]]
) -> int | None:
    """Seconds (of the windows' clock) before which no plan has so many hosts freed, each once; None: it is not known.
    `score` counts as far as goals come before the one that asks for this.
    """
    from placer.solve.soonest import within

    kinds = [goal.kind for goal in goals]
    before = kinds[: kinds.index("soonest")]
    freed = score["hosts-freed"] if "hosts-freed" in before else 0
    if not freed:
        return None
    spare = score["downtime"] if "downtime" in before else 10**9
    trips = 2 if night.returns and not spare else 1  # nobody is down: who migrates comes back in the same way
    most_moves = score["moves"] // trips if "moves" in before else None
    return within(spans, emptying(night, spare, most_moves).soonest(freed))


def emptying(night: Night, spare: int, most_moves: int | None) -> Emptying:
    """What it takes to empty the hosts that a plan might free, if VMs that could migrate are down for `spare` seconds
    in all, and no more than so many migrate.
    """
    from placer.solve.soonest import Emptying, Leaver

    night = replace(night, fixed={}, closed={}, not_to={})  # what the search has noted is no fact
    ways, free, cluster = night.ways(), night.request.free, night.scene.cluster
    leavers: dict[str, list[Leaver]] = {}
    for host in cluster.hosts.values():
        stands = night.scene.on(host.name)
        wanted = night.in_scope(host.name) and (not isinstance(free, tuple) or host.name in free)
        if not wanted or host.state != "up" or any(stand.vm in night.fixed for stand in stands):
            continue
        its = [
            Leaver.of(
                cluster,
                cluster.vms[stand.vm],
                night.request.limits,
                live=ways[stand.vm].migrate,
                downs=[way for way, _ in ways[stand.vm].away],
            )
            for stand in stands
        ]
        leavers[host.name] = [one for one in its if one is not None]
    return Emptying(cluster, night.request.limits, leavers, spare, most_moves)
