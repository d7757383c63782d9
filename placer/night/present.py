"""A night in its midst: who stands where now, who is away, what has been done, and what was still to come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime

from placer.judge.midway import Midway
from placer.judge.timeline import CLOCK, JOB_STEPS, VM_STEPS, told
from placer.night.carried import Carried
from placer.night.window import Night
from placer.rest import Place, Rest, place_after
from placer_models.cluster import Cluster, Vm
from placer_models.motion import state_mib, step_seconds, stun_ms
from placer_models.night import Consolidate
from placer_models.plan import PlacedGpu, Step
from placer_models.scene import Hold, Scene, Stand

LEFT_ALONE = "is left where it is by the plan with which this one goes on"


class Present:
    """What a plan that goes on finds at `begin`: when all that is under way has ended.

    `done` are the steps that have ended by then, `pending` those of VMs that were still to come, `of_hosts` those of
    hosts; `overdue` are VMs that were to be back before, with a sentence.
    """

    def __init__(self, cluster: Cluster, rest: Rest, request: Consolidate) -> None:
        plan, at = rest.plan, rest.at
        assert plan.asked is not None
        assert plan.asked.begun is not None
        steps = [step for step in plan.steps if step.kind not in JOB_STEPS]
        under_way = [step for step in steps if step.start < at < step.end and step.kind in VM_STEPS]
        self._at = at
        self.begin = max([at, *(step.end for step in under_way)])
        self.done = [step for step in steps if step.start < at or step.end <= at]
        self.pending = [step for step in steps if step.start >= at and step.kind in VM_STEPS]
        self.of_hosts = [step for step in steps if step.kind not in VM_STEPS and step not in self.done]
        self.missed = rest.missed
        midway = Midway(cluster, plan)
        self.scene = Scene.now(midway.cluster)
        self._request = request
        self._homes = {vm: home for vm, home in plan.asked.begun.homes.items() if vm in cluster.vms}
        self._gone: dict[str, tuple[str, Stand]] = {vm: ("suspend", stand) for vm, stand in midway.asleep.items()}
        self._gone |= {vm: ("power-off", stand) for vm, stand in midway.off.items()}
        seats = {stand.vm: stand for stand in self.scene.stands()}
        for step in under_way:
            self._end(step)
        for step in plan.steps:
            if step.vm in self._homes and step.reaches == self._homes[step.vm]:
                seats[step.vm] = self._stand(step)
        self.carried = self._carried({vm: seats[vm] for vm, home in self._homes.items() if _is_at(seats.get(vm), home)})
        self.overdue = {
            vm: f"was due at {told(CLOCK.seconds(ready))}"
            for vm in self._homes
            if (ready := cluster.vms[vm].ready_by or request.ready_by) is not None and ready <= self.begin
        }
        self.request = self._what_is_left(sum(step.kind == "migrate" for step in self.done))

    def _end(self, step: Step) -> None:
        """Let a step that is under way end."""
        name = str(step.vm)
        was = next(iter(self.scene.of(name)), None)
        if was is not None:
            self._homes.setdefault(name, was.host)
            self.scene.remove(was)
        if step.reaches is not None:
            self._gone.pop(name, None)
            self.scene.put(self._stand(step))
        elif was is not None:
            self._gone[name] = step.kind, was
        if step.reaches == self._homes.get(name):
            del self._homes[name]

    def _stand(self, step: Step) -> Stand:
        """Where a step brings its VM."""
        host = self.scene.cluster.hosts[str(step.reaches)]

        def hold(placed: PlacedGpu) -> Hold:
            sharing = placed.sharing or self.scene.sharing(host.name, host.gpu[placed.gpu])
            return Hold(placed.gpu, sharing, placed.profile, placed.slot, placed.milli)

        return Stand(str(step.vm), host.name, tuple(hold(placed) for placed in step.gpus if placed.gpu in host.gpu))

    def _carried(self, seats: Mapping[str, Stand]) -> Carried:
        vms = self.scene.cluster.vms
        return Carried(
            homes=dict(self._homes),
            seats=seats,
            away={vm: "suspend" if kind == "suspend" else "power-off" for vm, (kind, _) in self._gone.items()},
            last={vm: stand for vm, (_, stand) in self._gone.items()},
            soon=sum(self._longest(vms[vm]) for vm in self._homes),
        )

    def _longest(self, vm: Vm) -> int:
        limits, cluster = self._request.limits, self.scene.cluster
        return sum(step_seconds(cluster, vm, kind, limits) for kind in ("migrate", "suspend", "power-on"))

    def _what_is_left(self, moved: int) -> Consolidate:
        """The request with limits from which what is done, and what must be done yet, is taken off."""
        limits, cluster = self._request.limits, self.scene.cluster
        changed: dict[str, int] = {}
        if limits.most_moves is not None:
            back = sum(bool(self.scene.of(vm)) for vm in self._homes) if self._request.way_back == "same-host" else 0
            changed["most_moves"] = max(0, limits.most_moves - moved - back)
        if limits.store_mib is not None:
            asleep = (cluster.vms[vm] for vm, (kind, _) in self._gone.items() if kind == "suspend")
            changed["store_mib"] = max(0, limits.store_mib - sum(state_mib(cluster, vm) for vm in asleep))
        return self._request.model_copy(update={"limits": limits.model_copy(update=changed)})

    def too_late(self) -> None:
        """No time is left: who would have to come back does not."""
        due = {"same-host": [*self._homes], "any-host": [*self._gone], "none": []}[self._request.way_back]
        self.carried.excused.update((vm, "is not back as the window ends") for vm in due)

    def weight(self, vm: str, *, stun: bool) -> int:
        """What a migration of a VM counts: itself, or its milliseconds of stun."""
        cluster = self.scene.cluster
        if not stun:
            return 1
        return stun_ms(cluster, cluster.vms[vm]) if vm in cluster.vms else 0

    def migrations(self, excused: Container[str], *, returns: bool, stun: bool) -> int:
        """The migrations that were, and (where VMs return) those of who is away and due, if nobody is taken down for
        it: their number, or their milliseconds of stun.
        """
        done = [str(step.vm) for step in self.done if step.kind == "migrate"]
        home = [vm for vm in self._homes if returns and vm not in excused and self.scene.of(vm)]
        return sum(self.weight(vm, stun=stun) for vm in (*done, *home))

    # what a night may do

    def forbid(self, night: Night) -> None:
        """What has failed is not tried again: a VM does not go to that host, or not that way. Its way home is."""
        for step in self.missed:
            name = str(step.vm)
            if step.leaves is None or not night.scene.of(name):
                continue
            if step.reaches is None:
                night.carried.refused[name] = night.carried.refused.get(name, frozenset()) | {step.kind}
            elif step.reaches != self._homes.get(name):
                night.carried.failed[name] = night.carried.failed.get(name, frozenset()) | {step.reaches}
                night.not_to[name] = night.not_to.get(name, frozenset()) | {step.reaches}

    def keep(self, night: Night, end: datetime, to_free: Collection[str], *, loosely: bool) -> None:
        """VMs that have yet to go do so to where they were to, or not at all. Any way go those whose steps have failed
        (`loosely`: with all that stand beside them), and strangers on hosts that are still to be freed.
        """
        its: dict[str, list[Step]] = defaultdict(list)
        first = self._at if night.clock.origin == self.begin else night.clock.origin
        for step in self.pending:
            if first <= step.start < end:
                its[str(step.vm)].append(step)
        failed = {str(step.vm) for step in self.missed}
        loose = {stand.host for vm in failed if loosely for stand in night.scene.of(vm)}
        everywhere = frozenset(night.scene.cluster.hosts)
        night.carried.back_by = {vm: night.clock.seconds(steps[-1].end) for vm, steps in its.items()}
        for stand in night.scene.stands():
            if stand.vm in failed or (stand.host in loose and stand.vm not in night.carried.homes):
                continue
            power, host = _night_place(its.get(stand.vm, ()), stand, night)
            if power == "on" and host == stand.host:
                if stand.host not in to_free or stand.vm in night.carried.homes or its.get(stand.vm):
                    night.fixed.setdefault(stand.vm, LEFT_ALONE)
            else:
                only = frozenset() if host is None else frozenset([host])
                night.not_to[stand.vm] = night.not_to.get(stand.vm, frozenset()) | (everywhere - only)


def _is_at(stand: Stand | None, host: str) -> bool:
    return stand is not None and stand.host == host


def _night_place(steps: Sequence[Step], now: Stand, night: Night) -> Place:
    """Where a VM was to spend the night: where it was to be longest between its steps, home apart."""
    steps = sorted(steps, key=lambda step: step.start)
    if not steps:
        return "on", now.host
    home = night.carried.homes.get(now.vm, now.host)
    places: list[tuple[float, Place]] = []
    if now.host != home:
        places.append(((steps[0].start - night.clock.origin).total_seconds(), ("on", now.host)))
    for number, step in enumerate(steps):
        place = place_after([step], home)
        if number + 1 < len(steps):
            places.append(((steps[number + 1].start - step.end).total_seconds(), place))
        elif not (night.returns and place == ("on", home)):
            places.append((float("inf"), place))
    return max(places, key=lambda one: one[0])[1] if places else ("on", now.host)
