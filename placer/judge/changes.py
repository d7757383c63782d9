"""The smallest change that would let a VM in: each is tried on the changed cluster, and the rules are asked."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import cast

from placer.judge.check import broken, worse
from placer.judge.resets import resets
from placer.judge.slots import surely_seated
from placer_models.cluster import Gpu, Host, Vm
from placer_models.moving import immovable, unreachable
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on
from placer_models.words import all_of

MOST_TRIES = 100
"""How many changes of one kind are tried for one VM."""

MOST_STOPPED = 5
"""More VMs than these are not named as to be stopped for one."""

MOST_TRIES_IN_ALL = 8_000
"""How many for all VMs of an answer: counted, not timed, so that the same question has the same answer."""

MOST_TRIES_EXACT = 40
"""How many for all VMs of an answer are asked of rules that look at every host for each."""


class Changes:
    """Looks for changes in one scene, the least trouble first: a GPU's sharing or mode, a host's return, one VM's
    move, one VM's stop, the stop of a few.
    """

    def __init__(self, scene: Scene, rules: Sequence[Rule], before: Scene) -> None:
        self.scene, self.rules, self.before = scene, rules, before
        self._left_in_all, self._left_exact = MOST_TRIES_IN_ALL, MOST_TRIES_EXACT
        self._seen: dict[str, tuple[bool, Hashable]] = {}
        several = self._stop_two, self._stop_several
        self._kinds = self._reset_gpus, self._bring_back, self._move_one, self._stop_one, *several

    def smallest(self, vm: Vm, hosts: Sequence[str]) -> str | None:
        """A change that lets a VM in on one of these hosts (the nearest first), in the operator's words; None: none
        was found.
        """
        for kind in self._kinds:
            budget = self._left = min(MOST_TRIES, self._left_in_all)
            for name in filter(self._empty.__contains__, hosts) if kind == self._reset_gpus else hosts:
                if self._left <= 0:
                    break
                found = kind(vm, self.scene.cluster.hosts[name])
                if found is not None:
                    self._left_in_all -= budget - self._left
                    return found
            self._left_in_all -= budget - self._left
        return None

    # the kinds

    def _reset_gpus(self, vm: Vm, host: Host) -> str | None:
        """Put some empty GPUs, as few as do it, in one other sharing or mode."""
        if not vm.gpus or not self._only_gpus_lack(vm, host):
            return None
        for changed, said in resets(self.scene.cluster, host, self._empty[host.name], vm):
            if self._left <= 0:
                return None
            with self._as_if(changed) as other:
                if self._fits(vm, other):
                    return said
        return None

    @cached_property
    def _empty(self) -> dict[str, list[Gpu]]:
        """The empty GPUs of the hosts that have any."""
        found: dict[str, list[Gpu]] = {}
        for host in self.scene.cluster.hosts.values():
            for gpu in host.gpus:
                if not self.scene.holders(host.name, gpu.id):
                    found.setdefault(host.name, []).append(gpu)
        return found

    def _only_gpus_lack(self, vm: Vm, host: Host) -> bool:
        """Whether the host would take the VM if it asked for no GPU, which is seen before any GPU is tried."""
        plain = vm.model_copy(update={"gpus": ()})
        cluster = self.scene.cluster
        self.scene.cluster = replace(cluster, vms=ChainMap({vm.name: plain}, cast("dict[str, Vm]", cluster.vms)))
        try:
            return self._fits(plain, host)
        finally:
            self.scene.cluster = cluster

    def _bring_back(self, vm: Vm, host: Host) -> str | None:
        if host.state == "up":
            return None
        with self._as_if(host.model_copy(update={"state": "up"})) as other:
            if self._fits(vm, other):
                was = "from maintenance" if host.state == "maintenance" else "(it is disconnected)"
                return f"bring {host.name} back {was}"
        return None

    def _move_one(self, vm: Vm, host: Host) -> str | None:
        scene, vms = self.scene, self.scene.cluster.vms
        for stand in self._leavers(vm, host, lambda other: vms[other.vm].may.live_migrate):
            other = vms[stand.vm]
            if other.power != "on" or immovable(scene.cluster, other, stand):
                continue
            if self._fits_without(vm, host, [stand]) and (target := self._goes_to(other, stand, vm, host)):
                return f"move {other.name} from {stand.host} to {target}{_there(stand, host)}"
        return None

    def _goes_to(self, other: Vm, stand: Stand, vm: Vm, host: Host) -> str | None:
        """A host to which a VM could be live-migrated, with the arriving one then started on `host`."""
        scene, always = self.scene, [rule for rule in self.rules if rule.always]
        for name, target in list(scene.cluster.hosts.items()):
            if self._left <= 0:
                return None
            if name == stand.host or unreachable(scene.cluster, stand, target) or not self._admits(other, target):
                continue
            self._left -= 1
            goes = stand_on(scene, other, target)
            if goes is None or any(rule.why(scene, goes) for rule in always):
                continue
            with scene.lifted(stand):
                stays_legal = self._legal(goes)
                if stays_legal:
                    with scene.trial(goes):
                        if self._fits(vm, host):
                            return name
        return None

    def _stop_one(self, vm: Vm, host: Host) -> str | None:
        """Stop one VM that runs, or leave one off that was to be started and is no more urgent."""
        for stand in self._leavers(vm, host, lambda other: self._may_stop(other, vm)):
            if self._fits_without(vm, host, [stand]):
                return self._stopped([stand]) + _there(stand, host)
        return None

    def _stop_two(self, vm: Vm, host: Host) -> str | None:
        going = self._may_go(vm, host)
        if len(going) > 1 and self._fits_without(vm, host, going):
            for pair in combinations(going, 2):
                if self._left <= 0:
                    return None
                if self._fits_without(vm, host, pair):
                    return self._stopped(pair)
        return None

    def _stop_several(self, vm: Vm, host: Host) -> str | None:
        """Stop some few VMs of a host, of which none could stay."""
        going = self._may_go(vm, host)
        if len(going) < 3 or self._left < 2 * len(going) or not self._fits_without(vm, host, going):
            return None
        found = []
        for stay_first in (reversed(going), going):  # those that are most trouble, or the small
            gone = list(going)
            for stand in stay_first:
                if self._fits_without(vm, host, [one for one in gone if one is not stand]):
                    gone.remove(stand)
            found.append(gone)
        least = min(found, key=len)
        all_tried = self._left_exact >= 0  # else some may be named that could stay
        return self._stopped(least) if len(least) <= MOST_STOPPED and all_tried else None

    def _may_go(self, vm: Vm, host: Host) -> Sequence[Stand]:
        """VMs of a host that could be stopped for this one, of those that are alike no more than are ever named."""
        leavers = self._leavers(vm, host, lambda other: self._may_stop(other, vm), alike=MOST_STOPPED)
        return [stand for stand in leavers if stand.host == host.name]

    def _fits_without(self, vm: Vm, host: Host, leave: Sequence[Stand]) -> bool:
        with self.scene.lifted(*leave):
            return self._fits(vm, host)

    def _may_stop(self, stand: Stand, vm: Vm) -> bool:
        """Whether a VM runs, or was to be started and is no more urgent than the one that stays off."""
        cluster = self.scene.cluster
        runs = cluster.vms[stand.vm].power == "on"
        return runs or cluster.asked.get(stand.vm, 0) <= cluster.asked.get(vm.name, 0)

    def _stopped(self, stands: Sequence[Stand]) -> str:
        """`stop x and y on a`, `stop x on a and leave y off, on a`."""
        vms, host = self.scene.cluster.vms, stands[0].host
        runs = [stand.vm for stand in stands if vms[stand.vm].power == "on"]
        new = [stand.vm for stand in stands if vms[stand.vm].power != "on"]
        said = [f"stop {all_of(runs)} on {host}"] * bool(runs) + [f"leave {all_of(new)} off, on {host}"] * bool(new)
        return " and ".join(said)

    # what they share

    def _leavers(self, vm: Vm, host: Host, able: Callable[[Stand], bool], alike: int = 1) -> Iterator[Stand]:
        """VMs that are able to leave, and whose leaving might let this one in, those that may be stopped first, then
        the small; of those that no rule tells apart, one (or as many as `alike` says).
        """
        vms, seen = self.scene.cluster.vms, Counter[Hashable]()
        here = [stand for stand in self.scene.on(host.name) if able(stand)]
        across = [rule for rule in self.rules if not (rule.by_host or rule.exact) and rule.concerns(vm)]
        if not here and not across:
            return
        self._left -= 1
        if not self._admits(vm, host):
            return

        def trouble(stand: Stand) -> tuple[bool, bool, int, int, str]:
            one = vms[stand.vm]
            return one.power != "on", not one.may.power_cycle, len(stand.holds), one.cpu_milli, one.name

        def told_apart(stands: Iterable[Stand]) -> Iterator[Stand]:
            for stand in sorted(stands, key=trouble):
                one = vms[stand.vm]
                pinned, seen_by_rules = self._seen_by_rules(one)
                key = one.power == "on", one.may, seen_by_rules, stand.holds, stand.host
                seen[key] += 1
                if not pinned and seen[key] <= alike:
                    yield stand

        yield from told_apart(here)
        if across:
            yield from told_apart(stand for stand in self._in_the_way_elsewhere(vm, host) if able(stand))

    def _in_the_way_elsewhere(self, vm: Vm, host: Host) -> Sequence[Stand]:
        """Whom on other hosts the rules may mean that alone speak against a VM on a host: those that look at several
        hosts at once.
        """
        stand = stand_on(self.scene, vm, host)
        if stand is None:
            return ()
        against = [rule for rule in self.rules if not rule.exact and rule.why(self.scene, stand)]
        if not against or any(rule.by_host for rule in against):
            return ()
        vms = self.scene.cluster.vms
        named = (other for other in self.scene.stands() if all(rule.concerns(vms[other.vm]) for rule in against))
        return [other for other in named if other.host != host.name]

    def _seen_by_rules(self, vm: Vm) -> tuple[bool, Hashable]:
        """Whether a rule pins a VM, and what the rules see of it."""
        if vm.name not in self._seen:
            pinned = any(rule.pins(vm) for rule in self.rules)
            self._seen[vm.name] = pinned, tuple(rule.vm_key(vm) for rule in self.rules)
        return self._seen[vm.name]

    def _admits(self, vm: Vm, host: Host) -> bool:
        return all(rule.admits(self.scene.cluster, vm, host) for rule in self.rules)

    def _fits(self, vm: Vm, host: Host) -> bool:
        """Whether nothing speaks against a VM on a host."""
        self._left -= 1
        stand = stand_on(self.scene, vm, host)
        if stand is None or not self._legal(stand):
            return False
        surely = self.scene.cluster.platform.slot_choice == "worst-case"
        return not surely or surely_seated(self.before, self.scene, stand)

    def _legal(self, stand: Stand) -> bool:
        """Whether no rule speaks against a stand; those that look at every host for each are asked last."""
        if any(rule.why(self.scene, stand) for rule in self.rules if not rule.exact):
            return False
        for rule in self.rules:
            if rule.exact:
                self._left_exact -= 1
                if self._left_exact < 0 or rule.why(self.scene, stand) or self._breaks_more(rule, stand):
                    return False
        return True

    def _breaks_more(self, rule: Rule, stand: Stand) -> bool:
        """Whether a rule that is broken already would be broken more than once the change is made: what leaves may take
        along what was broken, and nobody may break as much anew.
        """
        if rule.kind not in self._broken:
            return False
        before = broken(self.scene, [rule])
        with self.scene.trial(stand):
            return bool(worse([rule], before, broken(self.scene, [rule])))

    @cached_property
    def _broken(self) -> set[str]:
        """The kinds of rules that are broken before anything is changed."""
        exact = [rule for rule in self.rules if rule.exact]
        return {breach.rule for found in broken(self.before, exact) for breach in found}

    @contextmanager
    def _as_if(self, host: Host) -> Iterator[Host]:
        """The scene with one host changed, for the length of a `with` block."""
        cluster = self.scene.cluster
        self.scene.cluster = replace(cluster, hosts=ChainMap({host.name: host}, cast("dict[str, Host]", cluster.hosts)))
        try:
            yield host
        finally:
            self.scene.cluster = cluster


def _there(stand: Stand, host: Host) -> str:
    """Where there is room then, if not where somebody leaves."""
    return "" if stand.host == host.name else f" (there is room on {host.name} then)"
