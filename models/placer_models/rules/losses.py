"""Watch over the losses of hosts while VMs come and go: what was found about each loss is kept, and looked at again
only where a VM stands in its way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from itertools import chain

from placer_models.cluster import Vm
from placer_models.rules.failover import Failover
from placer_models.rules.failover_kinds import Some
from placer_models.rules.restarts import MOST_TRIES_WATCHING, Restarts, restarts
from placer_models.scene import Scene, Stand

MOST_CHANGED = 200
"""How many VMs may stand elsewhere than in the scene before; beyond, what was found is found anew."""


class LossKeeper:
    """What is known of the restarts after each loss in one scene.

    A VM is refused where more would be left off with it after a loss than without it.
    """

    def __init__(self, failover: Failover, scene: Scene, lost: Sequence[str], most_tries: int) -> None:
        self._of, self._scene, self._most_tries = failover, scene, most_tries
        self._known = {name: restarts(failover, scene, name) for name in lost}
        self._better: set[str] = set()
        """The losses of which fewer may be left off by now, because VMs have gone."""
        self._next: dict[str, Restarts] = {}
        self._asked: tuple[Stand, Vm, dict[str, int]] | None = None
        """What was asked last, and answered."""
        self._takers: dict[int, str] = {}
        """The host that took a VM of each kind last, and so is tried first."""
        self._there = _there(scene)
        self._looked_again = len(failover.looked_again)

    def following(self, scene: Scene, failover: Failover) -> LossKeeper | None:
        """The same for a scene that differs in some VMs, of this cluster (whose hosts and VMs may have changed) or one
        that differs from it in a host or a VM; None: it differs in more.
        """
        if not self._of.akin(failover):
            return None
        there = _there(scene)
        changed = [name for name, stands in there.items() if stands != self._there[name]]
        again = set(failover.looked_again[self._looked_again :])
        if not changed and not again and self._of is failover and self._scene is scene:
            return self
        other = copy(self)
        other._of, other._scene, other._there, other._asked = failover, scene, there, None
        other._looked_again = len(failover.looked_again)
        gone = [stand for name in changed for stand in self._there[name] if stand not in there[name]]
        come = [stand for name in changed for stand in there[name] if stand not in self._there[name]]
        if len(gone) + len(come) > MOST_CHANGED:
            return None
        other._known, other._better = dict(self._known), set(self._better)
        if gone:
            other._better.update(name for name, known in self._known.items() if known.missed)
        for stand in gone:
            other._leave(stand)
        for stand in come:
            other._known.update(other._changed(stand, self._most_tries, again))
        if again:
            other._look_again(again)
        return other

    def against(self, stand: Stand, *, most: int = 1) -> dict[str, int]:
        """The hosts (so many at `most`) whose loss would leave more VMs off with this VM, and how many; none: it may
        stand so.
        """
        vm = self._scene.cluster.vms[stand.vm]
        if self._asked is not None and self._asked[0] == stand and self._asked[1] is vm:
            return self._asked[2]
        refused: dict[str, int] = {}
        self._renew(stand)
        with self._scene.trial(stand):
            self._next = {}
            for lost in self._concerned(stand):
                tries = MOST_TRIES_WATCHING if refused else self._most_tries
                after = self._next[lost] = self._after(lost, stand, tries)
                if len(after.missed) > len(self._known[lost].missed):
                    refused[lost] = len(after.missed)
                    if len(refused) == most:
                        break
        refused = {lost: refused[lost] for lost in self._known if lost in refused}
        self._asked = stand, vm, refused
        return refused

    def took(self) -> None:
        """The VM that was asked about last stands so from now on."""
        self._known |= self._next
        self._asked = None

    def _renew(self, new: Stand) -> None:
        """Look again at the losses that a VM would matter to, where fewer may be left off by now."""
        for lost in [lost for lost in self._concerned(new) if lost in self._better] if self._better else ():
            self._known[lost] = restarts(self._of, self._scene, lost, self._most_tries)
            self._better.discard(lost)

    def _look_again(self, hosts: Collection[str]) -> None:
        """These hosts take others than before: see who relies on them, and who may find room there now."""
        self._better.update(lost for lost, known in self._known.items() if known.missed)
        for lost, known in self._known.items():
            if lost in hosts or any(host in hosts and not self._takes(host, some) for host, some in known.on.items()):
                self._known[lost] = restarts(self._of, self._scene, lost, self._most_tries)
                self._better.discard(lost)

    def _takes(self, name: str, some: Some) -> bool:
        """Whether a host still takes VMs of these kinds."""
        host = self._scene.cluster.hosts[name]
        return host.state == "up" and self._of.takes(self._scene, self._of.site(self._scene, host), some) is not None

    def _leave(self, stand: Stand) -> None:
        """A VM stands no longer: it need not start again where its host is lost."""
        known = self._known.get(stand.host)
        if known is None:
            return
        if stand.vm not in self._scene.cluster.vms:
            self._known[stand.host] = restarts(self._of, self._scene, stand.host, self._most_tries)
            return
        if not self._of.starts_again(stand.vm):
            return
        if stand.vm in known.missed:
            missed = tuple(vm for vm in known.missed if vm != stand.vm)
            self._known[stand.host] = Restarts(known.on, missed, known.shown)
            return
        kind = self._of.kind(stand.vm)
        for name, some in known.on.items():
            if kind in some:
                at = some.index(kind)
                on = {**known.on, name: (*some[:at], *some[at + 1 :])}
                on = {to: left for to, left in on.items() if left}
                self._known[stand.host] = Restarts(on, known.missed, known.shown)
                return

    def _changed(self, new: Stand, most_tries: int, without: Collection[str]) -> dict[str, Restarts]:
        """The losses to which a VM that has come matters (without some), as they are with it."""
        return {lost: self._after(lost, new, most_tries) for lost in self._concerned(new) if lost not in without}

    def _concerned(self, new: Stand) -> list[str]:
        """The losses to which it matters that a VM stands so, that of its own host first."""
        of, host = self._of, new.host
        across = of.concerned_across(new.vm)
        others = (
            lost
            for lost, known in self._known.items()
            if lost != host and (host in known.on or (across and self._tied(known.on.values())))
        )
        return [host, *others] if host in self._known and of.starts_again(new.vm) else list(others)

    def _tied(self, kinds: Collection[Some]) -> bool:
        return any(self._of.tied(kind) for some in kinds for kind in some)

    def _after(self, lost: str, new: Stand, most_tries: int) -> Restarts:
        """The restarts with one more VM in the scene: those that are known, changed where it stands in their way."""
        of, scene, known = self._of, self._scene, self._known[lost]
        on: dict[str, Some] = dict(known.on)
        left: list[int] = []
        if new.host == lost:
            left = [of.kind(new.vm)]
        elif new.host in on:
            site, some = of.site(scene, scene.cluster.hosts[new.host]), on.pop(new.host)
            while of.takes(scene, site, some) is None:
                some, left = some[:-1], [*left, some[-1]]
            if some:
                on[new.host] = some
        if self._tied((tuple(left), *on.values())):
            return restarts(of, scene, lost, most_tries)
        for kind in left:
            last = scene.cluster.hosts.get(self._takers.get(kind, lost))
            first = [last] if last is not None and last.name != lost and last.state == "up" else []
            for host in chain(first, of.others(scene, lost)):
                some = tuple(sorted((*on.get(host.name, ()), kind)))
                if of.takes(scene, of.site(scene, host), some) is not None:
                    on[host.name] = some
                    self._takers[kind] = host.name
                    break
            else:
                return restarts(of, scene, lost, most_tries)
        return Restarts(on, known.missed, known.shown)


def _there(scene: Scene) -> dict[str, tuple[Stand, ...]]:
    return {name: tuple(scene.on(name)) for name in scene.cluster.hosts}
