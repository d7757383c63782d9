"""How soon hosts can be empty: what no plan beats, whichever way their VMs go, and wherever to.

A host bears only so many migrations at once, and so do links and the cluster; each migration is one on two hosts. How
long VMs may be down in all says who of those that could be stopped has to migrate.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from placer.solve.least import resources_of
from placer.solve.traffic import bears
from placer_models.cluster import Cluster, Vm
from placer_models.motion import step_seconds
from placer_models.night import Limits
from placer_models.scene import Scene


class Leaver(NamedTuple):
    """A VM that is to leave its host: in no way does it in fewer `seconds`. `migrates` is how long it does, where it
    may; `down` how long it is down at least, if it goes otherwise (None: it cannot).
    """

    seconds: int
    migrates: int | None
    down: int | None

    @classmethod
    def of(cls, cluster: Cluster, vm: Vm, limits: Limits, *, live: bool, downs: Iterable[str]) -> Leaver | None:
        """A VM that may be live-migrated, or taken down by steps of these kinds; None: it does not leave."""
        migrates = step_seconds(cluster, vm, "migrate", limits) if live else None
        down = min((step_seconds(cluster, vm, kind, limits) for kind in downs), default=None)
        ways = [seconds for seconds in (migrates, down) if seconds is not None]
        return cls(min(ways), migrates, down) if ways else None


@dataclass(frozen=True)
class Emptying:
    """What it takes to empty hosts: who is to leave each of them. Those who could migrate may be down for `spare`
    seconds in all, and no more than `most_moves` (None: any number) migrate.
    """

    cluster: Cluster
    limits: Limits
    leavers: Mapping[str, Sequence[Leaver]]
    spare: int = 0
    most_moves: int | None = None

    def soonest(self, many: int) -> int:
        """Seconds before which no plan has had so many of the hosts empty, each once."""
        if not 0 < many <= len(self.leavers):
            return 0
        loads = {host: self._load(some) for host, some in self.leavers.items()}
        bears = self._at_once()
        alone = {
            host: max([-(-loads[host] // bears[host]), *(one.seconds for one in some)])
            for host, some in self.leavers.items()
        }
        together = sum(sorted(loads.values())[:many])
        ends = len(self.cluster.hosts) * self.limits.moves_at_once_per_host
        least = [self._last(alone, many), -(-2 * together // ends)]
        if self.limits.moves_at_once is not None:
            least.append(-(-together // self.limits.moves_at_once))
        return max(least)

    def _last(self, alone: Mapping[str, int], many: int) -> int:
        """When the last of so many hosts is empty, if each is as soon as it can be alone: of the hosts that are empty
        by then, some have few enough VMs.
        """
        moves: list[int] = []
        for host in sorted(alone, key=lambda host: alone[host]):
            insort(moves, sum(self._migrates(one) for one in self.leavers[host]))
            if len(moves) >= many and (self.most_moves is None or sum(moves[:many]) <= self.most_moves):
                return alone[host]
        return max(alone.values())

    def _migrates(self, one: Leaver) -> bool:
        """Whether a VM cannot leave but by a migration."""
        return one.migrates is not None and (one.down is None or one.down > self.spare)

    def _load(self, leavers: Sequence[Leaver]) -> int:
        """How long those who leave a host migrate at least, taken together: of the others, those are down who save most
        by it.
        """
        load, spare = sum(one.migrates or 0 for one in leavers), float(self.spare)
        able = [(one.down, one.migrates) for one in leavers if one.migrates and one.down is not None]
        saved = 0.0
        for down, migrates in sorted(able, key=lambda one: one[0] / one[1]):
            part = min(1.0, spare / down) if down else 1.0
            saved += part * migrates
            spare -= part * down
        return math.ceil(load - saved - 1e-6)

    def _at_once(self) -> Mapping[str, int]:
        """How many migrations each host bears, and the links that it has for itself."""
        most = dict.fromkeys(self.cluster.hosts, self.limits.moves_at_once_per_host)
        for link in self.limits.links:
            values = {name: host.labels.get(link.label) for name, host in self.cluster.hosts.items()}
            sharing = Counter(values.values())
            for host, value in values.items():
                if value is not None and sharing[value] == 1:
                    most[host] = min(most[host], max(1, bears(link, self.limits)))
        return most


def together(scene: Scene, hosts: Iterable[str], awake: Callable[[str], bool]) -> int:
    """How many of these hosts are empty at once, at most, while the VMs that are `awake` run: so much room there is on
    the others. Who stands on a host that is overfull may stay there.
    """
    cluster = scene.cluster
    up = [name for name, host in cluster.hosts.items() if host.state == "up"]
    found = len(names := sorted({*hosts} & {*up}))
    for resource in resources_of(cluster):
        used = {name: sum(resource.amount(cluster.vms[one.vm]) for one in scene.on(name)) for name in up}
        room = {name: max(used[name], resource.room(cluster.hosts[name])) for name in up}
        needed = sum(resource.amount(cluster.vms[one.vm]) for name in up for one in scene.on(name) if awake(one.vm))
        left = list(
            accumulate((-room[name] for name in sorted(names, key=room.__getitem__)), initial=sum(room.values()))
        )
        found = min(found, sum(one >= needed for one in left) - 1)
    return max(0, found)


def within(spans: Sequence[tuple[int, int]], seconds: int) -> int:
    """When so many seconds of these windows are over."""
    for begin, end in spans:
        if seconds <= end - begin:
            return begin + seconds
        seconds -= end - begin
    return spans[-1][1]
