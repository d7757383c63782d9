"""The search for hosts on which the VMs of one lost host start again, as many of them as can.

First fits come first; then VMs are put elsewhere one by one, by a counted number of tries. What a host takes is known
by `placer_models.rules.failover`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from placer_models.cluster import Host
from placer_models.rules.failover import Failover
from placer_models.rules.failover_kinds import Some
from placer_models.rules.failover_sites import Site
from placer_models.scene import Scene, Stand

MOST_TRIES = 2000
"""How many times the search for one lost host asks whether a VM could start again somewhere, beyond first fits; then
it says that more restarts are not shown.
"""

MOST_TRIES_WATCHING = 100
"""The same while VMs are put into a scene one by one, where the question is asked many times."""

MOST_DEPTH = 300
"""Of how many VMs at most more than first fits is tried."""


@dataclass(frozen=True)
class Restarts:
    """Which kinds start again on which hosts after a loss, the VMs that do not, and whether it is sure that no fewer
    could be left off.
    """

    on: Mapping[str, Some] = field(default_factory=dict)
    missed: tuple[str, ...] = ()
    shown: bool = True


def restarts(of: Failover, scene: Scene, lost: str, most_tries: int | None = None) -> Restarts:
    """Where the VMs of a lost host start again, by so many tries beyond first fits (default: `MOST_TRIES`)."""
    stands = list(scene.on(lost))
    names = [stand.vm for stand in stands if of.starts_again(stand.vm)]
    if not names:
        return Restarts()
    with scene.lifted(*stands):
        return _Search(of, scene, lost, names, MOST_TRIES if most_tries is None else most_tries).best()


class _Search:
    """The search for places for the VMs of one lost host, in a scene without them."""

    def __init__(self, failover: Failover, scene: Scene, lost: str, names: Sequence[str], most_tries: int) -> None:
        self._of, self._scene = failover, scene
        self._names: dict[int, list[str]] = defaultdict(list)
        for name in names:
            self._names[failover.kind(name)].append(name)
        self._kinds = sorted(self._names)
        self._hosts: list[Host] = []
        self._more = failover.others(scene, lost)
        self._sites: dict[int, Site] = {}
        self._on: dict[str, Some] = {}
        self._put: dict[int, list[Stand]] = defaultdict(list)
        self._tries, self._most_tries = 0, most_tries

    def best(self) -> Restarts:
        """With as few left off as are found."""
        try:
            return self._best()
        finally:
            self._clear()

    def _best(self) -> Restarts:
        best = self._greedy()
        if not best.missed:
            return best
        least = sum(len(names) - self._room(kind) for kind, names in self._names.items())
        if len(best.missed) > least and sum(map(len, self._names.values())) > MOST_DEPTH:
            return replace(best, shown=False)
        while len(best.missed) > least:
            found = self._place(0, len(self._names[self._kinds[0]]), 0, len(best.missed) - 1)
            if found is None:
                return replace(best, shown=self._tries <= self._most_tries)
            self._clear()
            best = found
        return best

    def _greedy(self) -> Restarts:
        """Kind after kind, each on the first hosts that take it."""
        for kind in self._kinds:
            left = len(self._names[kind])
            for number in self._open_to(kind):
                while left and self._start(self._site(number), kind):
                    left -= 1
                if not left:
                    break
        found = self._found()
        self._clear()
        return found

    def _open_to(self, kind: int) -> Iterator[int]:
        """The numbers of the other hosts that admit VMs of a kind."""
        return (at for at in self._numbers(0) if self._of.admits(self._scene, self._hosts[at], kind))

    def _numbers(self, first: int) -> Iterator[int]:
        """The numbers of the other hosts from one on, which are looked for where they are tried."""
        for number in count(first):
            if number == len(self._hosts):
                host = next(self._more, None)
                if host is None:
                    return
                self._hosts.append(host)
            yield number

    def _site(self, number: int) -> Site:
        """What is known of one of the other hosts: looked for where it is tried."""
        if number not in self._sites:
            self._sites[number] = self._of.site(self._scene, self._hosts[number])
        return self._sites[number]

    def _clear(self) -> None:
        """Take back every start."""
        for stands in self._put.values():
            for stand in stands:
                self._scene.remove(stand)
        self._put.clear()
        self._on.clear()

    def _found(self) -> Restarts:
        started = Counter(kind for some in self._on.values() for kind in some)
        missed = (name for kind, names in self._names.items() for name in names[started[kind] :])
        return Restarts({host: some for host, some in self._on.items() if some}, tuple(missed))

    def _place(self, at: int, left: int, first: int, most: int) -> Restarts | None:
        """Start what is `left` of the kind number `at`, on the hosts from number `first` on, and then all further
        kinds, with at most `most` VMs left off.
        """
        if not left:
            if at + 1 == len(self._kinds):
                return self._found()
            return self._place(at + 1, len(self._names[self._kinds[at + 1]]), 0, most)
        kind = self._kinds[at]
        for number in self._numbers(first):
            self._tries += 1
            if self._tries > self._most_tries:
                return None
            if self._start(self._site(number), kind):
                found = self._place(at, left - 1, number, most)
                if found is not None:
                    return found
                self._stop(self._site(number), kind)
        return self._place(at, 0, 0, most - left) if left <= most else None

    def _start(self, site: Site, kind: int) -> bool:
        """Start one more VM of a kind on a host, if it takes it."""
        some = tuple(sorted((*self._on.get(site.host.name, ()), kind)))
        taken = self._of.takes(self._scene, site, some)
        if taken is None:
            return False
        if self._of.tied(kind):
            stand = Stand(self._names[kind][len(self._put[kind])], site.host.name, taken[some.index(kind)])
            self._scene.put(stand)
            if not self._of.legal_across(self._scene, stand):
                self._scene.remove(stand)
                return False
            self._put[kind].append(stand)
        self._on[site.host.name] = some
        return True

    def _stop(self, site: Site, kind: int) -> None:
        """Take back the last start of a kind, which was on this host."""
        some = list(self._on[site.host.name])
        some.remove(kind)
        self._on[site.host.name] = tuple(some)
        if self._of.tied(kind):
            self._scene.remove(self._put[kind].pop())

    def _room(self, kind: int) -> int:
        """How many VMs of a kind could start if no other did, up to as many as there are."""
        most = len(self._names[kind])
        room = 0
        for number in self._open_to(kind):
            if room == most:
                break
            site, here = self._site(number), 0
            while room < most and self._of.takes(self._scene, site, (kind,) * (here + 1)) is not None:
                here, room = here + 1, room + 1
        return room
