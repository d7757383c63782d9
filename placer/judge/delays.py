"""Why a step of a plan does not start sooner: the room, limit, rule or step that it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from placer.judge.check import broken, worse
from placer.judge.figures import scene_at
from placer.judge.timed import TimedReplay
from placer.judge.timeline import Act, told
from placer_models.rules.rule import Rule
from placer_models.scene import Stand
from placer_models.words import few


def why_waits(replay: TimedReplay, rules: Sequence[Rule], act: Act, other: Act) -> list[str]:
    """Why a step waits for another one: what would be wrong if it had started just before that ended."""
    until = f"until {_who(other)} {_done(other)} at {told(other.end)}"
    if other.step.vm == act.step.vm:
        return [f"{until} it is not where this step begins"]
    if other.step.kind == "leave-maintenance":
        return [f"{until} {other.step.host} takes no VM"]
    if other.step.kind == "stop-job":
        return [f"{until} the run holds what it needs on {other.step.host}"]
    found = [*_no_room(replay, rules, act, other.end - 1), *_busy(replay, act, other.end - 1)]
    return [f"{until} {said}" for said in found] or [f"{until}: the plan says so, and no rule or limit asks for it"]


def why_not_sooner(replay: TimedReplay, rules: Sequence[Rule], act: Act) -> list[str]:
    """Why a step that waits for no other by its own words does not start a second sooner; nothing: nothing is known."""
    before = act.start - 1
    found = [*_busy(replay, act, before), *_no_room(replay, rules, act, before)]
    own = next((one for one in replay.begun if one.step.vm == act.step.vm and one.end == act.start), None)
    if own is not None:
        found.append(f"its step {own.step.id} ({own.step.kind}) ends only at {told(own.end)}")
    return found


def target(replay: TimedReplay, act: Act) -> Stand | None:
    """How a step's VM stands where the step brings it."""
    stands = (
        one.stand
        for one in replay.history
        if one.stand.vm == act.step.vm and one.stand.host == act.step.reaches and one.start == act.start
    )
    return next(stands, None)


def _no_room(replay: TimedReplay, rules: Sequence[Rule], act: Act, instant: int) -> Iterator[str]:
    """What rules would say if the step's VM came at an instant; only what they do not say without it."""
    stand = target(replay, act)
    if stand is None:
        return
    scene, always = scene_at(replay, instant), [rule for rule in rules if rule.always]
    if any(there.host == stand.host for there in scene.of(stand.vm)):
        return
    before = broken(scene, always, (stand.host,))
    with scene.trial(stand):
        breaches = worse(always, before, broken(scene, always, (stand.host,)))
    yield from dict.fromkeys(breach.said for breach in breaches)


def _busy(replay: TimedReplay, act: Act, instant: int) -> Iterator[str]:
    """The limits on migrations that are used up at an instant."""
    if act.step.kind != "migrate":
        return
    limits, hosts = replay.request.limits, replay.first.hosts
    others = [
        one for one in replay.begun if one is not act and one.step.kind == "migrate" and one.start <= instant < one.end
    ]
    ends = (str(act.step.leaves), str(act.step.reaches))
    for host in ends:
        there = [one for one in others if host in (one.step.leaves, one.step.reaches)]
        if len(there) >= limits.moves_at_once_per_host:
            yield f"{host} has as many migrations under way as may be at once, {_several(there)}"
    if limits.moves_at_once is not None and len(others) >= limits.moves_at_once:
        yield f"as many migrations are under way as may be at once, {_several(others)}"
    for link in limits.links:
        mine = {hosts[host].labels.get(link.label) for host in ends}
        for value in sorted(one for one in mine if one is not None) if len(mine) > 1 else ():
            there = [one for one in others if value in _over(replay, one, link.label)]
            full = link.moves_at_once is not None and len(there) >= link.moves_at_once
            rate = (len(there) + 1) * limits.mib_per_second
            if full or (link.mib_per_second is not None and rate > link.mib_per_second):
                yield f"the link of {link.label} {value} carries as much as it may, {_several(there)}"


def _over(replay: TimedReplay, act: Act, label: str) -> set[str | None]:
    """The values of a label between which a migration goes; none where it stays within one."""
    hosts = replay.first.hosts
    values = {hosts[str(host)].labels.get(label) for host in (act.step.leaves, act.step.reaches)}
    return values if len(values) > 1 else set()


def _several(acts: Sequence[Act]) -> str:
    return few([f"{act.step.vm} until {told(act.end)}" for act in acts])


def _who(act: Act) -> str:
    return str(act.step.vm or act.step.job or act.step.host)


def _done(act: Act) -> str:
    if act.step.leaves is not None:
        return f"has left {act.step.leaves}"
    if act.step.reaches is not None:
        return f"is on {act.step.reaches}"
    return {
        "enter-maintenance": "is in maintenance",
        "leave-maintenance": "is out of maintenance",
        "set-mode": "has its GPUs changed",
        "restart-host": "has restarted",
        "start-job": "has started",
        "stop-job": "has stopped",
    }[act.step.kind]
