"""Why a VM stays off, or stands where it does: the VM is put on each host in turn, and the rules are asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from placer_models.cluster import Host, Vm
from placer_models.plan import Reason, Unplaced
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import seat


class Explainer:
    """Reasons in one scene."""

    def __init__(self, scene: Scene, rules: Sequence[Rule]) -> None:
        self.scene, self.rules = scene, [rule for rule in rules if not rule.soft]

    def unplaced(self, vms: Iterable[str]) -> Iterator[Unplaced]:
        """Why each of these VMs stays off."""
        for name in vms:
            yield Unplaced(vm=name, reasons=tuple(self.sentences(self.scene.cluster.vms[name])))

    def on_host(self, vm: Vm, host: Host) -> list[Reason]:
        """What every rule says against a VM on a host, in the order of the rules."""
        holds = seat(self.scene, vm, host)
        stand = Stand(vm.name, host.name, holds or ())
        return [reason for rule in self.rules if (reason := rule.why(self.scene, stand)) is not None]

    def sentences(self, vm: Vm) -> Iterator[str]:
        """One sentence for each group of hosts that say no for the same reason."""
        groups: dict[tuple[object, ...], list[tuple[Rule, Reason]]] = defaultdict(list)
        kinds = {rule.kind: rule for rule in self.rules}
        for host in self.scene.cluster.hosts.values():
            for reason in self.on_host(vm, host)[:1]:
                groups[(reason.rule, reason.code)].append((kinds[reason.rule], reason))
        for group in groups.values():
            said = group[0][0].say([reason for _, reason in group])
            who = group[0][1].host if len(group) == 1 else f"{len(group)} hosts"
            yield f"{who}: {said}"
