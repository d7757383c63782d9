"""Rounds gone on with in their midst: what evacuations and changes of GPU modes have in common there."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from placer.judge.midway import Midway
from placer.night.back import after
from placer.night.homeward import brought_home
from placer.night.midway import excusing, left_of, named_as_before, unused_mark
from placer.night.present import Present
from placer.night.window import Night
from placer.progress import Progress
from placer.rest import Rest
from placer.rounds.rounds import Rounds
from placer.solve.budget import Budget
from placer.solve.motion import list_schedule
from placer.steps import Steps
from placer_models.clock import Clock
from placer_models.decision import Decision
from placer_models.night import Asked, Consolidate, Evacuate, SetMode
from placer_models.plan import Plan, Step
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot


class Onward(ABC):
    """What is left of a plan, part after part; `clock` is when the next of them begins, in seconds, `scene` who then
    stands where, and `steps` what is told and planned so far.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        rest: Rest,
        request: Evacuate | SetMode,
        decision: Decision,
        budget: Budget,
        progress: Progress | None,
    ) -> None:
        self.snapshot, self.plan, self.decision = snapshot, rest.plan, decision
        self.budget, self.progress = budget, progress
        assert rest.plan.asked is not None
        self.asked = rest.plan.asked
        self.request = request
        self.now = Present(snapshot.content, rest, self._as_night())
        self.rules = decision.rules_of(snapshot.rules)
        self.origin = Clock(self.now.begin)
        self.cluster = Midway(snapshot.content, rest.plan).cluster
        self.steps = Steps(snapshot.content, self.origin, list(self.now.done))
        self.inside = dict(_inside(self.now.done))
        """The hosts that are in maintenance, with the step that put them there."""
        self.excused: dict[str, str] = dict(self.now.overdue)
        self.clock, self.returned = 0, False
        self.mark = unused_mark(rest.plan)
        self.scene = self.now.scene
        self.spans = [
            (self.origin.seconds(begin), self.origin.seconds(end)) for begin, end in self.windows(self.now.begin)
        ]
        failed: dict[str, set[str]] = defaultdict(set)
        for step in self.now.missed:
            if step.vm is not None and step.leaves is not None:
                failed[step.vm].add(step.kind)
        self.failed = {vm: frozenset(kinds) for vm, kinds in failed.items()}

    @abstractmethod
    def close(self) -> None:
        """Bring to its end what was begun."""

    @abstractmethod
    def rounds(self) -> Rounds:
        """The rounds that are still to be had."""

    def planned(self) -> Plan:
        """All parts one after the other, before they are judged."""
        self.close()
        rounds = self.rounds()
        self.go_round(rounds)
        self.come_home()
        return self.written(rounds)

    @property
    def excusing(self) -> Asked:
        """What the plan was asked for, with those VMs excused that cannot be back."""
        return excusing(self.asked, self.excused)

    def windows(self, since: datetime) -> list[tuple[datetime, datetime]]:
        """What is left of the windows at an instant."""
        return left_of(self.request, since)

    def begin(self, rounds: Rounds) -> None:
        """Let rounds begin after those that there were."""
        rounds.begin_after(
            rounds=max([0, *(int(found[1]) for step in self.plan.steps if (found := re.match(r"r(\d+)", step.id)))]),
            moves=sum(step.kind == "migrate" for step in self.steps.steps),
        )

    def go_round(self, rounds: Rounds) -> None:
        """What has not had its turn."""
        for begin, end in self.spans:
            if max(begin, self.clock) < end:
                rounds.window(max(begin, self.clock), end)
        self.steps, self.scene = rounds.steps, rounds.scene
        self.clock = max([self.clock, *(self.origin.seconds(step.end) for step in self.steps.steps)])

    def come_home(self) -> None:
        """Those who have had to wait for their host's turn, and return to it."""
        homes = self.now.carried.homes
        if self.request.way_back == "same-host":
            self.home({vm: home for vm, home in homes.items() if self.scene.of(vm)}, {})

    def home(self, homes: Mapping[str, str], ready: Mapping[str, int]) -> None:
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
        scene = Scene(self.cluster, self.scene.stands())
        night = Night(self.origin, end, scene, self.rules, self._as_night(), (), carried=carried)
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

    def written(self, rounds: Rounds) -> Plan:
        """The plan before it is judged: all steps, those that were planned before with the ids that they had."""
        told = {step.id for step in self.now.done}
        fresh = [step for step in self.steps.steps if step.id not in told]
        steps = [*self.now.done, *named_as_before(fresh, [*self.now.pending, *self.now.of_hosts])]
        return self.plan.model_copy(
            update={
                "asked": self.excusing,
                "steps": tuple(sorted(steps, key=lambda step: step.start)),
                "freed": tuple(self.steps.freed),
                "unmoved": tuple(rounds.unmoved),
                "left_out": tuple(rounds.left_out),
            }
        )

    def _as_night(self) -> Consolidate:
        return Consolidate(windows=self.request.windows, way_back="same-host", limits=self.request.limits)


def _inside(steps: Iterable[Step]) -> Iterator[tuple[str, Step]]:
    """The hosts that these steps have put in maintenance and not taken out of it, with the step that did."""
    entered: dict[str, Step] = {}
    for step in sorted(steps, key=lambda step: step.start):
        if step.kind == "enter-maintenance":
            entered[str(step.host)] = step
        elif step.kind == "leave-maintenance":
            entered.pop(str(step.host), None)
    yield from entered.items()
