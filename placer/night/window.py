"""One window of a night: who stands where, what may be done to each VM, what is wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from placer_models.clock import Clock
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.moving import immovable
from placer_models.night import Consolidate
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

if TYPE_CHECKING:
    from placer.solve.jobs import Errand
    from placer.solve.night import Way, Ways


@dataclass
class Night:
    """One window as it is planned: who stands where at its beginning, how many seconds it has, and what is wanted of
    it.

    `fixed` are VMs that are left alone, with the reason; `closed` hosts that are not to be emptied, with the reason.
    """

    clock: Clock
    seconds: int
    scene: Scene
    rules: Sequence[Rule]
    request: Consolidate
    errands: Sequence[Errand]
    fixed: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)

    @property
    def returns(self) -> bool:
        """Whether migrated VMs go back to where they were."""
        return self.request.way_back == "same-host"

    @property
    def resumes(self) -> bool:
        """Whether VMs that were suspended or stopped run again by the morning."""
        return self.request.way_back != "none"

    def in_scope(self, host: str) -> bool:
        """Whether the request is about this host."""
        return self.request.names_host(self.scene.cluster.hosts[host])

    @property
    def evening_seconds(self) -> int:
        """How long the evening may last, so that its mirror image ends in time."""
        return self.seconds // 2 if self.resumes else self.seconds

    def ways(self) -> dict[str, Ways]:
        """What may be done to each running VM; why nothing may be is noted in `fixed`."""
        return {stand.vm: self._ways(stand) for stand in self.scene.stands()}

    def _ways(self, stand: Stand) -> Ways:
        from placer.solve.night import Ways

        cluster, limits = self.scene.cluster, self.request.limits
        vm = cluster.vms[stand.vm]
        if stand.vm in self.fixed:
            return Ways(False, ())
        if not self.in_scope(stand.host):
            self.fixed[stand.vm] = "is on a host outside the scope"
            return Ways(False, ())
        if vm.ready_by is not None and self.clock.seconds(vm.ready_by) < self.seconds:
            self.fixed[stand.vm] = "is to be ready before the others are back"
            return Ways(False, ())
        if any(rule.pins(vm) for rule in self.rules):
            self.fixed[stand.vm] = "must stay where it is"
            return Ways(False, ())
        refused = immovable(cluster, vm, stand)
        stun = stun_seconds(cluster, vm)
        most = min((limit for limit in (limits.stun_seconds, vm.stun_limit_seconds) if limit is not None), default=None)
        if refused is None and most is not None and stun > most:
            refused = f"would be stunned for {stun:g} s, and may be for {most:g} s"
        away: list[tuple[Way, int]] = []
        if vm.may.suspend and not any(hold.sharing == "passthrough" for hold in stand.holds):
            away.append(("suspend", self.seconds))
        if vm.may.power_cycle:
            away.append(("power-off", self.seconds + 1))
        if refused is not None and not away:
            self.fixed[stand.vm] = f"{refused}, nor suspended or stopped"
        return Ways(refused is None, tuple(away), math.ceil(stun * 1000), state_mib(cluster, vm))

    def drained_at_least(self, host: str) -> int:
        """The fewest seconds in which a host can be emptied."""
        cluster, limits = self.scene.cluster, self.request.limits
        vms = [cluster.vms[stand.vm] for stand in self.scene.on(host)]
        kinds = ("migrate", "suspend", "power-off")
        least = [min(step_seconds(cluster, vm, kind, limits) for kind in kinds) for vm in vms]
        return max(least, default=0)

    def hours(self, host: str, left: int) -> tuple[int, int]:
        """When a host that is empty after `left` seconds can have jobs."""
        return left, self.seconds - (left if self.resumes else 0)
