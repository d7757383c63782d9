"""One window of a night: who stands where, what may be done to each VM, what is wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from placer.night.carried import Carried
from placer_models.clock import Clock
from placer_models.cluster import Vm
from placer_models.motion import state_mib, step_seconds, stun_seconds
from placer_models.moving import immovable, stuck, unreachable, unsuspendable
from placer_models.night import Consolidate
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

if TYPE_CHECKING:
    from placer.solve.budget import Budget
    from placer.solve.errands import Errand
    from placer.solve.target import Way, Ways
    from placer.solve.traffic import Kind

THERE_AND_BACK: Mapping[Kind, tuple[Kind, Kind]] = {
    "suspend": ("suspend", "resume"),
    "power-off": ("power-off", "power-on"),
}
"""The steps of a VM that is taken off its host otherwise than by a migration."""


@dataclass
class Night:
    """One window as it is planned: who stands where at its beginning, how many seconds it has, and what is wanted of
    it.

    `fixed` are VMs that are left alone, with the reason; `closed` hosts that are not to be emptied, with the reason;
    `not_to` hosts to which a VM does not go, because it found no way there. `carried` is what it takes over where it
    is planned from its midst on. `budget` is what the search may take (None: whatever it wants).
    """

    clock: Clock
    seconds: int
    scene: Scene
    rules: Sequence[Rule]
    request: Consolidate
    errands: Sequence[Errand]
    fixed: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    not_to: dict[str, frozenset[str]] = field(default_factory=dict)
    carried: Carried = field(default_factory=Carried)
    budget: Budget | None = None

    @property
    def notes(self) -> int:
        """How much was found to be in the way so far."""
        return len(self.fixed) + len(self.closed) + len(self.not_to) + len(self.carried.excused)

    @property
    def returns(self) -> bool:
        """Whether VMs go back to where they were."""
        return self.request.way_back == "same-host"

    @property
    def resumes(self) -> bool:
        """Whether VMs that were suspended or stopped run again by the morning."""
        return self.request.way_back != "none"

    def in_scope(self, host: str) -> bool:
        """Whether the request is about this host."""
        return self.request.names_host(self.scene.cluster.hosts[host])

    def due(self, vm: str) -> int:
        """When a VM must be back: by its own time if it has one, else the request's; at the window's end where that is
        not in the window; as soon as may be where it was to be back before.
        """
        ready = self.scene.cluster.vms[vm].ready_by or self.request.ready_by
        seconds = self.seconds if ready is None else self.clock.seconds(ready)
        if seconds <= 0 and vm in self.carried.homes:
            return min(self.carried.soon, self.seconds)
        due = seconds if 0 <= seconds < self.seconds else self.seconds
        return min(due, self.carried.back_by.get(vm, due))

    def ways(self) -> dict[str, Ways]:
        """What may be done to each running VM; why nothing may be is noted in `fixed`."""
        return {stand.vm: self._ways(stand) for stand in self.scene.stands()}

    def _ways(self, stand: Stand) -> Ways:
        from placer.solve.target import Ways

        cluster, limits = self.scene.cluster, self.request.limits
        vm = cluster.vms[stand.vm]
        if stand.vm in self.fixed:
            return Ways(False, ())
        home = self.carried.homes.get(stand.vm, stand.host)
        if not self.in_scope(home if home in cluster.hosts else stand.host):
            self.fixed[stand.vm] = "is on a host outside the scope"
            return Ways(False, ())
        if any(rule.pins(vm) for rule in self.rules):
            self.fixed[stand.vm] = "must stay where it is"
            return Ways(False, ())
        host = cluster.hosts[stand.host]
        if self.returns and home == host.name and host.state != "up":
            self.fixed[stand.vm] = f"could not come back to {host.name}, which is {host.state_said}"
            return Ways(False, ())
        if self.resumes and self.due(stand.vm) == 0:
            self.fixed[stand.vm] = "is due when the window begins"
            return Ways(False, ())
        refused = immovable(cluster, vm, stand)
        stun = stun_seconds(cluster, vm)
        most = min((limit for limit in (limits.stun_seconds, vm.stun_limit_seconds) if limit is not None), default=None)
        if refused is None and most is not None and stun > most:
            refused = f"would be stunned for {stun:g} s, and may be for {most:g} s"
        no_return = unreachable(cluster, stand, host) if self.returns else None
        if refused is None and no_return is not None:
            refused = f"could not be migrated back to {host.name}: {no_return}"
        failed = self.carried.refused.get(stand.vm, frozenset())
        away: list[tuple[Way, int]] = []
        if unsuspendable(cluster, vm, stand) is None and "suspend" not in failed:
            away.append(("suspend", self.seconds))
        if vm.may.power_cycle and "power-off" not in failed:
            away.append(("power-off", self.seconds + 1))
        if refused is not None and not away:
            words = " and ".join(sorted(kind.replace("suspend", "suspension") for kind in failed))
            self.fixed[stand.vm] = f"{refused}; its {words} failed" if failed else stuck(cluster, vm, stand, refused)
        return Ways(
            refused is None,
            tuple(away),
            math.ceil(stun * 1000) if refused is None else 0,
            state_mib(cluster, vm),
            None
            if refused is None or no_return is not None or not away
            else (away[0][0], self.seconds_of(vm, *THERE_AND_BACK[away[0][0]])),
            self.not_to.get(stand.vm, frozenset()) | self.carried.taken,
        )

    def seconds_of(self, vm: Vm, *kinds: str) -> int:
        """How long steps of these kinds take a VM, all together."""
        return sum(step_seconds(self.scene.cluster, vm, kind, self.request.limits) for kind in kinds)

    def free_at_most(self, host: str) -> tuple[int, int]:
        """When a host with nothing in the way could have jobs: from when its VMs can have left until the first must be
        on its way back to it.
        """
        vms = [self.scene.cluster.vms[stand.vm] for stand in self.scene.on(host)]
        movers = [vm for vm in vms if not vm.may.suspend and not vm.may.power_cycle]  # in turn: a host bears so many
        limits = self.request.limits
        in_turn = -(-sum(self.seconds_of(vm, "migrate") for vm in movers) // limits.moves_at_once_per_host)
        opens = max([in_turn, *(self._least(vm, "migrate", "suspend", "power-off") for vm in vms)])
        if not self.returns:
            return opens, self.seconds
        if self.carried.homes:
            vms, movers = self._returning(host, vms, movers)
            in_turn = -(-sum(self.seconds_of(vm, "migrate") for vm in movers) // limits.moves_at_once_per_host)
        starts = [self.due(vm.name) - self._least(vm, "migrate", "resume", "power-on") for vm in vms]
        last = max((self.due(vm.name) for vm in movers), default=self.seconds)
        return opens, min([last - in_turn, *starts])

    def _returning(self, host: str, vms: Sequence[Vm], movers: Sequence[Vm]) -> tuple[list[Vm], list[Vm]]:
        """Who comes back to a host, and who of them by a migration, of those here and those away from it."""
        cluster, homes = self.scene.cluster, self.carried.homes
        back = [cluster.vms[name] for name in self.carried.belongs(host)]
        vms, movers = ([vm for vm in some if vm.name not in homes] for some in (vms, movers))
        return [*vms, *back], [*movers, *(vm for vm in back if vm.name not in self.carried.away)]

    def _least(self, vm: Vm, *kinds: str) -> int:
        return min(self.seconds_of(vm, kind) for kind in kinds)
