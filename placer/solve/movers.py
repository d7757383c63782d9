"""VMs that may move, counted where they are alike: those who stay on each host, and those who travel to each.

Alike wherever they stand, they are told apart by host only while they stay; on the road they are one class. So a
board needs one unknown for each kind and host, not for each kind, source and target: that is what lets it prove
consolidations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from placer_models.rules.rule import Place, Var, VmClass

Value = Callable[[Var], int]


@dataclass
class Movers:
    """VMs of one kind that run and may be moved. `stay` has a class for each host on which some stand, with how many
    stay there; `travel` is the class of those who leave their host for another, `arrive` how many come to each place;
    `away` how many are taken off their host in other ways.
    """

    stay: list[tuple[VmClass, Place, Var]]
    travel: VmClass
    arrive: list[tuple[Place, Var]]
    away: dict[str, Var] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.travel.names)

    def leavers(self, value: Value, leaving: Mapping[str, object]) -> dict[str, list[str]]:
        """The names of those who leave each host. `leaving` are the VMs with GPUs of which the gpu rule says that
        they leave.
        """
        found: dict[str, list[str]] = {}
        for vms, place, count in self.stay:
            stay = value(count)
            if vms.vm.gpus:
                gone = [name for name in vms.names if name in leaving]
                assert len(gone) == len(vms.names) - stay, f"{vms.names[0]}: its GPUs say otherwise"
            else:
                gone = list(vms.names[stay:])
            found[place.host.name] = gone
        return found


def matched(leavers: Mapping[str, list[str]], arrivals: Mapping[str, int]) -> tuple[dict[str, list[str]], list[str]]:
    """Who of those who leave arrives at each host, nobody at the one that he left; and who is left over.

    Possible exactly where arrivals and leavers of one host are together at most all the leavers; kept true by
    pairing, each time, the host that is nearest to that limit.
    """
    left = {host: list(names) for host, names in leavers.items()}
    open_ = dict(arrivals)
    found: dict[str, list[str]] = {host: [] for host in arrivals}

    def load(host: str) -> int:
        return len(left.get(host, ())) + open_.get(host, 0)

    for _ in range(sum(arrivals.values())):
        hosts = sorted({*left, *open_}, key=lambda host: (-load(host), host))
        tight = hosts[0]
        others = [host for host in hosts if host != tight and open_.get(host)]
        if left.get(tight) and others:
            source, target = tight, others[0]
        else:
            source, target = next(host for host in hosts if host != tight and left.get(host)), tight
        found[target].append(left[source].pop(0))
        open_[target] -= 1
    return found, [name for names in left.values() for name in names]
