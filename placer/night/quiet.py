"""Rules that need not hold while steps are under way hold whenever none is: also in the midst of an evening or a
morning, between one VM's return and the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from placer.judge.check import broken, larger, worse
from placer.judge.midway import as_begun
from placer.night.back import Back
from placer.night.window import Night
from placer.solve.motion import Schedule, Timed
from placer_models.plan import Breach


def breaking(night: Night, timed: Sequence[Timed]) -> dict[str, str]:
    """The VMs whose steps leave a rule broken at the first instant at which none is under way, with what is broken
    then; none: every rule holds at all of them. Of those concerned these are the ones that are at their end already.
    """
    resting = [rule for rule in night.rules if not rule.always and not rule.soft]
    starts, ends = defaultdict[int, list[Timed]](list), defaultdict[int, list[Timed]](list)
    last: dict[str, int] = {}
    for one in timed if resting else ():
        starts[one.start].append(one)
        ends[one.end].append(one)
        last[one.action.vm] = max(last.get(one.action.vm, 0), one.end)
    begun = broken(as_begun(night.scene, night.carried.homes), resting)
    before = [larger(*both) for both in zip(broken(night.scene, resting), begun, strict=True)]
    scene, under_way = night.scene.copy(), 0
    for instant in sorted({*starts, *ends}):
        for one in ends[instant]:
            if one.action.source is not None:
                scene.remove(one.action.source)
        for one in starts[instant]:
            if one.action.to is not None:
                scene.put(one.action.to)
        under_way += len(starts[instant]) - len(ends[instant])
        found = worse(resting, before, broken(scene, resting)) if under_way == 0 else []
        if found:
            when = night.clock.instant(instant).isoformat()
            blamed = _blamed(found[0], last, instant, {one.action.vm for one in ends[instant]})
            return dict.fromkeys(blamed, f"would leave a rule broken at {when}: {found[0].said}")
    return {}


def undisturbed(
    night: Night, schedule: Schedule, back: Back, hours: Mapping[str, tuple[int, int]]
) -> Mapping[str, tuple[int, int]]:
    """The hours of freed hosts for jobs: with a rule at rest (a reserve) those after the last VM has gone and before
    the first comes, so that runs need leave what it keeps for the VMs in one scene only; else all.
    """
    if all(rule.always or rule.soft for rule in night.rules):
        return hours
    first, last = schedule.seconds, night.seconds if back.begin is None else back.begin
    opens = {host: max(begin, first) for host, (begin, _) in hours.items()}
    return {host: (opens[host], max(opens[host], min(end, last))) for host, (_, end) in hours.items()}


def _blamed(breach: Breach, last: dict[str, int], instant: int, now: Collection[str]) -> list[str]:
    """Of the VMs that a breach concerns those that have come where they end, else those that move, else whoever has
    come or gone last.
    """
    moved = [vm for vm in breach.vms if vm in last]
    return [vm for vm in moved if last[vm] <= instant] or moved or sorted(now)
