"""The smallest change that would let a VM in: each is tried on the changed cluster, and the rules are asked."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import Any, cast

from placer.judge.check import broken, worse
from placer.judge.slots import surely_seated
from placer_models.cluster import Gpu, Host, Vm
from placer_models.gpus import SHARINGS
from placer_models.moving import immovable, unreachable
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on

MOST_TRIES = 100
"""How many changes of one kind are tried for one VM."""

MOST_TRIES_IN_ALL = 8_000
"""How many for all VMs of an answer: counted, not timed, so that the same question has the same answer."""

MOST_TRIES_EXACT = 40
"""How many for all VMs of an answer are asked of rules that look at every host for each."""


class Changes:
    """Looks for changes in one scene, the least trouble first: a GPU's sharing or mode, a host's return, one VM's
    move, one VM's stop.
    """

    def __init__(self, scene: Scene, rules: Sequence[Rule], before: Scene) -> None:
        self.scene, self.rules, self.before = scene, rules, before
        self._left_in_all, self._left_exact = MOST_TRIES_IN_ALL, MOST_TRIES_EXACT
        self._seen: dict[str, tuple[bool, Hashable]] = {}

    def smallest(self, vm: Vm, hosts: Sequence[str]) -> str | None:
        """A change that lets a VM in on one of these hosts (the nearest first), in the operator's words; None: none
        was found.
        """
        for kind in (self._reset_gpus, self._bring_back, self._move_one, self._stop_one):
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

    # the four kinds

    def _reset_gpus(self, vm: Vm, host: Host) -> str | None:
        """Put some empty GPUs, as few as do it, in one other sharing or mode."""
        if not vm.gpus or not self._only_gpus_lack(vm, host):
            return None
        empty: dict[Hashable, list[Gpu]] = {}
        for gpu in self._empty[host.name]:
            empty.setdefault((gpu.make, gpu.sharings), []).append(gpu)
        most = sum(ask.count for ask in vm.gpus)
        for gpus in empty.values():
            for changed, what in self._settings(host, gpus[0]):
                for count in range(1, min(len(gpus), most) + 1):
                    if count < min(len(gpus), most) and not vm.needs.nvlink and count > 1 and most > 4:
                        continue  # of many, only one and all are tried
                    for some in combinations(gpus, count) if len(gpus) <= 4 else [tuple(gpus[:count])]:
                        ids = {gpu.id for gpu in some}
                        rows = tuple(gpu.model_copy(update=changed) if gpu.id in ids else gpu for gpu in host.gpus)
                        with self._as_if(host.model_copy(update={"gpus": rows})) as other:
                            if self._fits(vm, other):
                                named = ", ".join(gpu.id for gpu in some)
                                return f"put {'GPU' if count == 1 else 'GPUs'} {named} of {host.name} in {what}"
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

    def _settings(self, host: Host, gpu: Gpu) -> Iterator[tuple[dict[str, Any], str]]:
        """What else an empty GPU of a host could be set to."""
        cluster = self.scene.cluster
        model, one_size = cluster.catalogue.find(gpu.model), cluster.platform.why_one_size(host.vgpu_manager)
        for sharing in SHARINGS:
            if sharing == "mixed-size" and one_size is not None:
                continue
            if sharing not in gpu.sharings and model.row_units(sharing):
                yield {"sharing": sharing, "may_share": None}, f"sharing {sharing}"
        for mode in model.modes if model.known else ():
            if mode != gpu.mode:
                yield {"mode": mode}, f"mode {mode}"
                if "passthrough" not in gpu.sharings:
                    yield (
                        {"mode": mode, "sharing": "passthrough", "may_share": None},
                        f"mode {mode} and sharing passthrough",
                    )

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
        vms = self.scene.cluster.vms
        if not any(vms[stand.vm].may.live_migrate for stand in self.scene.on(host.name)):
            return None
        for stand in self._leavers(vm, host):
            other = vms[stand.vm]
            if other.power != "on" or immovable(self.scene.cluster, other, stand):
                continue
            with self.scene.lifted(stand):
                makes_room = self._fits(vm, host)
            if makes_room and (target := self._goes_to(other, stand, vm)):
                return f"move {other.name} from {host.name} to {target}"
        return None

    def _goes_to(self, other: Vm, stand: Stand, vm: Vm) -> str | None:
        """A host to which a VM could be live-migrated, with the arriving one started where it leaves."""
        scene, always = self.scene, [rule for rule in self.rules if rule.always]
        for name, host in list(scene.cluster.hosts.items()):
            if self._left <= 0:
                return None
            if name == stand.host or unreachable(scene.cluster, stand, host) or not self._admits(other, host):
                continue
            self._left -= 1
            goes = stand_on(scene, other, host)
            if goes is None or any(rule.why(scene, goes) for rule in always):
                continue
            with scene.lifted(stand):
                stays_legal = self._legal(goes)
                if stays_legal:
                    with scene.trial(goes):
                        if self._fits(vm, scene.cluster.hosts[stand.host]):
                            return name
        return None

    def _stop_one(self, vm: Vm, host: Host) -> str | None:
        """Stop one VM that runs, or leave one off that was to be started and is no more urgent."""
        cluster = self.scene.cluster
        for stand in self._leavers(vm, host):
            runs = cluster.vms[stand.vm].power == "on"
            if not runs and cluster.asked.get(stand.vm, 0) > cluster.asked.get(vm.name, 0):
                continue
            with self.scene.lifted(stand):
                if self._fits(vm, host):
                    return f"stop {stand.vm} on {host.name}" if runs else f"leave {stand.vm} off, on {host.name}"
        return None

    # what they share

    def _leavers(self, vm: Vm, host: Host) -> Iterator[Stand]:
        """VMs whose leaving might let this one in, those that may be stopped first, then the small; of those that no
        rule tells apart, one.
        """
        self._left -= 1
        if not self._admits(vm, host):
            return
        vms, seen = self.scene.cluster.vms, set()
        stands = [stand for stand in self.scene.on(host.name) if not self._seen_by_rules(vms[stand.vm])[0]]

        def trouble(stand: Stand) -> tuple[bool, bool, int, int, str]:
            one = vms[stand.vm]
            return one.power != "on", not one.may.power_cycle, len(stand.holds), one.cpu_milli, one.name

        for stand in sorted(stands, key=trouble):
            one = vms[stand.vm]
            key = one.power == "on", one.may, self._seen_by_rules(one)[1], stand.holds
            if key not in seen:
                seen.add(key)
                yield stand

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
