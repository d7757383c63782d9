"""An evacuation planned from its midst on: hosts that are done stay done, who is in maintenance comes back, and the
others have their rounds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from placer.judge.midway import Midway
from placer.night.back import after
from placer.night.homeward import brought_home
from placer.night.midway import excusing, named_as_before, unused_mark
from placer.night.present import Present
from placer.night.window import Night
from placer.power_on import Progress
from placer.rest import Rest
from placer.rounds.rolling import Rolling, care_seconds
from placer.solve.budget import Budget
from placer.solve.leaving import Options
from placer.solve.motion import list_schedule
from placer.steps import Steps
from placer_models.clock import Clock, merged
from placer_models.decision import Decision
from placer_models.night import Consolidate, Evacuate
from placer_models.plan import Freed, Plan, Step
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot


def rolled_on(snapshot: Snapshot, rest: Rest, decision: Decision, budget: Budget, progress: Progress | None) -> Plan:
    """What is left of an evacuation, planned again, before it is judged.

    First the hosts that are in maintenance come back, and the VMs that are away from home run there again; then the
    hosts whose turn has not come have their rounds; at last who still has to return does.
    """
    asked = rest.plan.asked
    assert asked is not None
    assert asked.begun is not None
    assert isinstance(asked.request, Evacuate)
    rolled = _Rolled(snapshot, rest, asked.request, decision, budget, progress)
    rolled.close()
    rolled.go_round()
    rolled.come_home()
    rolling = rolled.rolling
    return rest.plan.model_copy(
        update={
            "asked": excusing(asked, rolled.excused),
            "steps": tuple(sorted(rolled.named(), key=lambda step: step.start)),
            "freed": tuple(rolling.steps.freed),
            "unmoved": tuple(rolling.unmoved),
            "left_out": tuple(rolling.left_out),
        }
    )


class _Rolled:
    """The three parts, one after the other; `clock` is when the next of them begins, in seconds."""

    def __init__(
        self,
        snapshot: Snapshot,
        rest: Rest,
        request: Evacuate,
        decision: Decision,
        budget: Budget,
        progress: Progress | None,
    ) -> None:
        self.plan, self.request = rest.plan, request
        asked = rest.plan.asked
        assert asked is not None
        as_night = Consolidate(windows=request.windows, way_back="same-host", limits=request.limits)
        self.now = Present(snapshot.content, rest, as_night)
        self.rules = decision.rules_of(snapshot.rules)
        self.origin = Clock(self.now.begin)
        self.cluster = Midway(snapshot.content, rest.plan).cluster
        told = self.now.done
        self.steps = Steps(snapshot.content, self.origin, list(told))
        self.open = dict(_inside(told))
        left = {step.host for step in told if step.kind == "leave-maintenance"}
        self.done = [host for host in dict.fromkeys(request.hosts) if host in left or host in self.open]
        self.steps.freed += [freed for freed in rest.plan.freed if freed.until <= self.now.begin]
        self.excused: dict[str, str] = dict(self.now.overdue)
        self.clock, self.returned = 0, False
        self.mark = unused_mark(rest.plan)
        self.scene = self.now.scene
        spans = merged(span for window in request.windows for span in window.spans())
        self.spans = [(self.origin.seconds(begin), self.origin.seconds(end)) for begin, end in spans]
        self.rolling = Rolling(snapshot, request, decision, self.steps, budget, progress, asked=asked, start=self.scene)

    def named(self) -> list[Step]:
        """All steps, those that were planned before with the ids that they had."""
        told = {step.id for step in self.now.done}
        fresh = [step for step in self.steps.steps if step.id not in told]
        return [*self.now.done, *named_as_before(fresh, [*self.now.pending, *self.now.of_hosts])]

    def close(self) -> None:
        """Hosts leave maintenance when they have been cared for, and VMs return to hosts whose turn is over; who is
        down runs again.
        """
        ends: dict[str, int] = {}
        for number, (host, enter) in enumerate(self.open.items(), 1):
            old = next((s for s in self.now.of_hosts if s.host == host and s.kind == "leave-maintenance"), None)
            due = self.origin.seconds(enter.end) + care_seconds(self.request)
            at = max(0, due, 0 if old is None else self.origin.seconds(old.start))
            ends[host] = at
            instant = self.origin.instant(at)
            values = {"kind": "leave-maintenance", "host": host, "start": instant, "end": instant, "why": "is done"}
            step = Step.model_validate({"id": f"{self.mark}h{number}-leave", **values})
            self.steps.steps.append(step if old is None else old.model_copy(update={"start": instant, "end": instant}))
            begins = {f.host: f.from_ for f in self.plan.freed if f.from_ <= self.now.begin < f.until}
            began = begins.get(host, enter.start)
            self.steps.freed.append(Freed.model_validate({"host": host, "from": began, "until": instant}))
        self.clock = max([0, *ends.values()])
        pending = set(self.request.hosts) - set(self.done)
        away = self.now.carried.away
        self._home({vm: home for vm, home in self.now.carried.homes.items() if home not in pending or vm in away}, ends)

    def go_round(self) -> None:
        """The hosts whose turn has not come."""
        assert self.rolling.asked is not None
        asked = excusing(self.rolling.asked, self.excused)
        rolling = self.rolling = replace(
            self.rolling, steps=self.steps, start=self.scene, done=list(self.done), asked=asked
        )
        rolling.begin_after(
            rounds=max([0, *(int(found[1]) for step in self.plan.steps if (found := re.match(r"r(\d+)", step.id)))]),
            moves=sum(step.kind == "migrate" for step in self.steps.steps),
        )
        for step in self.now.missed:
            self._not_again(rolling, step)
        for begin, end in self.spans:
            if max(begin, self.clock) < end:
                rolling.window(max(begin, self.clock), end)
        self.steps, self.scene = rolling.steps, rolling.scene
        self.clock = max([self.clock, *(self.origin.seconds(step.end) for step in self.steps.steps)])

    def come_home(self) -> None:
        """Those who have had to wait for their host's turn, and return to it."""
        homes = self.now.carried.homes
        if self.request.way_back == "same-host":
            self._home({vm: home for vm, home in homes.items() if self.scene.of(vm)}, {})
        self.rolling.steps = self.steps

    def _home(self, homes: Mapping[str, str], ready: Mapping[str, int]) -> None:
        """Bring these VMs home, each when its host is ready, in the window in which that is. Who only moved returns
        where that is asked for.
        """
        away = self.now.carried.away
        homes = {
            vm: home
            for vm, home in homes.items()
            if (vm in away and not self.scene.of(vm)) or self.request.way_back == "same-host"
        }
        begin, end = next(((b, e) for b, e in self.spans if e > self.clock), (self.clock, self.clock))
        carried = replace(self.now.carried, homes=homes, away={vm: away[vm] for vm in homes if vm in away}, excused={})
        request = Consolidate(windows=self.request.windows, way_back="same-host", limits=self.request.limits)
        scene = Scene(self.cluster, self.scene.stands())
        night = Night(self.origin, end, scene, self.rules, request, (), carried=carried)
        actions = brought_home(night, scene.copy())
        legs: Counter[str] = Counter()
        for i, action in enumerate(actions):
            actions[i] = replace(action, leg=legs[action.vm])
            legs[action.vm] += 1
        first = max(begin, 0 if ready else self.clock)
        begins = {one.key: max(first, ready.get(one.to.host, 0) if one.to is not None else 0) for one in actions}
        played = list_schedule(scene, self.rules, actions, self.request.limits, {}, earliest=begins)
        in_time = [one for one in played.timed if one.end <= end]
        late = [one.action for one in played.timed if one.end > end]
        carried.excused |= {one.vm: "is not brought home in the time that is left" for one in (*late, *played.stuck)}
        self.steps.morning(in_time, 0, f"{self.mark}{'m' if self.returned else 'b'}")
        self.returned = True
        self.scene = after(scene, [one.action for one in in_time])
        self.clock = max([self.clock, *(one.end for one in in_time)])
        anywhere = self.request.way_back != "same-host"
        self.excused |= {vm: why for vm, why in carried.excused.items() if not (anywhere and self.scene.of(vm))}

    def _not_again(self, rolling: Rolling, step: Step) -> None:
        """A way that has failed is not tried again."""
        may = rolling.options.get(str(step.vm))
        if not isinstance(may, Options) or step.leaves is None:
            return
        if step.kind == "migrate":
            may = replace(may, live=False)
        wait = tuple(way for way in may.wait if way[0] != step.kind)
        elsewhere = tuple(way for way in may.elsewhere if way[0] != step.kind)
        able = may.live or wait or elsewhere
        what = {"migrate": "migration", "suspend": "suspension"}.get(step.kind, step.kind)
        why = f"its {what} failed, and nothing else may be done to it"
        rolling.options[str(step.vm)] = replace(may, wait=wait, elsewhere=elsewhere) if able else why


def _inside(steps: Iterable[Step]) -> Iterator[tuple[str, Step]]:
    """The hosts that these steps have put in maintenance and not taken out of it, with the step that did."""
    entered: dict[str, Step] = {}
    for step in sorted(steps, key=lambda step: step.start):
        if step.kind == "enter-maintenance":
            entered[str(step.host)] = step
        elif step.kind == "leave-maintenance":
            entered.pop(str(step.host), None)
    yield from entered.items()
