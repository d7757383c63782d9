"""What is said of hosts that are not freed, and of the VMs that keep them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from placer.judge.elsewhere import nowhere_else
from placer.night.back import after
from placer.night.window import Night
from placer_models.moving import reach_key, unreachable, unsuspendable
from placer_models.plan import LeftOut, Unmoved
from placer_models.scene import Stand

if TYPE_CHECKING:
    from placer.night.result import Result

MOST_LOOKS = 100
"""For how many kinds of VM it is found out why each other host cannot take them: of a large cluster, for the first."""


def staying(
    nights: Sequence[tuple[Night, Result]], free_already: Collection[str] = ()
) -> tuple[list[Unmoved], list[LeftOut]]:
    """The VMs that keep hosts from being freed, and the hosts that are not freed, with their reasons.

    Of a host that was to be freed (it is named, or more were counted than are freed) each VM has its reason. Where as
    many hosts as pay are asked for, a VM that could go has none: its host has.
    """
    night, result = nights[0]
    freed = {*free_already, *(host for _, one in nights for host in one.target.emptied)}
    said = _Said(night, result, freed)
    unmoved: list[Unmoved] = []
    left_out: list[LeftOut] = []
    for host in said.hosts():
        found = dict(said.of_vms(host))
        keepers = [vm for vm, reasons in found.items() if reasons]
        why = said.of_host(host, keepers)
        for vm, reasons in found.items():
            if reasons or said.meant:
                unmoved.append(Unmoved(vm=vm, host=host, reasons=reasons or (f"could go, but {host} {why}",)))
        left_out.append(LeftOut(host=host, reasons=(why,)))
    return unmoved, left_out


@dataclass
class _Said:
    night: Night
    result: Result
    freed: Collection[str]
    looks: dict[object, tuple[str, ...]] = field(default_factory=dict)
    reached: dict[object, list[str]] = field(default_factory=dict)
    """Hosts that VMs can be moved to, by what that depends on: two, or fewer where there are no more."""

    def __post_init__(self) -> None:
        self.dusk = after(self.night.scene, self.result.schedule.actions)
        free = self.night.request.free
        self.meant = isinstance(free, tuple) or (free is not None and len(self.freed) < free)
        """Whether every host that is not freed was to be."""
        self._full = isinstance(free, int) and len(self.freed) >= free

    def hosts(self) -> Iterator[str]:
        """The hosts that were to be freed, or could have been, and are not."""
        free = self.night.request.free
        for name in self.night.scene.cluster.hosts if not self._full else ():
            wanted = name in free if isinstance(free, tuple) else self.night.in_scope(name)
            if wanted and name not in self.freed:
                yield name

    def of_vms(self, host: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The VMs on a host that stay there, each with what keeps itself from leaving; nothing: it could go."""
        for stand in self.night.scene.on(host):
            if stand not in self.dusk.of(stand.vm):
                continue
            if stand.vm in self.night.fixed:
                yield stand.vm, (self.night.fixed[stand.vm],)
            else:
                yield stand.vm, self._nowhere(stand)

    def of_host(self, host: str, keepers: Sequence[str]) -> str:
        """Why a host is not freed, given the VMs that keep it."""
        if keepers:
            more = f" and {len(keepers) - 3} more" if len(keepers) > 3 else ""
            return f"is kept by {', '.join(keepers[:3])}{more}"
        state = self.night.scene.cluster.hosts[host].state
        if state != "up":
            return "is in maintenance already" if state == "maintenance" else f"is {state}"
        if host in self.night.closed:
            return self.night.closed[host]
        if self.meant or self.result.outcome.stopped != "proven":
            return "is not freed in what the search found: its VMs found no room all together, or not in time"
        little = "less than the least gain" if self.night.request.limits.least_gain else "nothing"
        return f"is needed for its VMs and those of freed hosts, or would bring {little}"

    def _nowhere(self, stand: Stand) -> tuple[str, ...]:
        """Why no other host takes a VM that may leave; nothing: one does, or it may be away."""
        cluster, night = self.night.scene.cluster, self.night
        vm = cluster.vms[stand.vm]
        if vm.may.power_cycle or unsuspendable(cluster, vm, stand) is None:
            return ()
        somewhere = self._goes_somewhere(stand)
        if somewhere and not self.meant:
            return ()
        key = stand.host, tuple(rule.vm_key(vm) for rule in night.rules), night.not_to.get(vm.name)
        if key not in self.looks:
            if somewhere and len(self.looks) >= MOST_LOOKS:
                return ()
            self.looks[key] = nowhere_else(self.dusk, night.rules, stand, self.freed, self._but(vm.name))
        return self.looks[key]

    def _goes_somewhere(self, stand: Stand) -> bool:
        """Whether some other host could take a VM if it had room."""
        cluster = self.night.scene.cluster
        key = reach_key(cluster, stand)
        if key not in self.reached:
            able = (host.name for host in cluster.hosts.values() if unreachable(cluster, stand, host) is None)
            self.reached[key] = [*islice(able, 2)]
        return any(host != stand.host for host in self.reached[key])

    def _but(self, vm: str) -> dict[str, str]:
        """The hosts to which a VM did not find its way, with why."""
        failed = self.night.carried.failed.get(vm, frozenset())
        return {
            host: "its migration there has failed"
            if host in failed
            else "its way there waits for room that is not left before it goes itself"
            for host in self.night.not_to.get(vm, frozenset())
        }
