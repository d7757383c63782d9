"""How long VMs are down in a night at least: a bound that holds for every plan with as much job value and as many hosts
freed.
"""

from __future__ import annotations

from dataclasses import replace

from placer.night.window import THERE_AND_BACK, Night


def down_at_least(night: Night, promised: int) -> int:
    """Seconds for which VMs are down in all, where no target promises less than `promised`.

    A target counts the whole window for who is away, because it does not know when: that tells how many VMs are down at
    least. Each of them is down for as long as its two steps take (for one, where nobody need run again).
    """
    night = replace(night, fixed={}, closed={}, not_to={})  # what the search has noted is no fact
    counts, least = [1], list[int]()
    trips = 2 if night.returns else 1
    for name, ways in night.ways().items():
        if not ways.away:
            continue
        counts += [seconds for _, seconds in ways.away]
        counts += [trips * ways.carry[1]] if ways.carry is not None else []
        vm = night.scene.cluster.vms[name]
        steps = (THERE_AND_BACK[way] if night.resumes else THERE_AND_BACK[way][:1] for way, _ in ways.away)
        least.append(min(night.seconds_of(vm, *kinds) for kinds in steps))
    return sum(sorted(least)[: -(-promised // max(counts))])
