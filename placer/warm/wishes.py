"""The rules that should hold: by how much they are broken, and by how much more with a VM on each of many hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from placer.warm.asking import Unsure
from placer.warm.columns import Columns
from placer.warm.states import Ints
from placer_models.cluster import Host, Vm
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand

Seated = Callable[[Host], tuple[Hold, ...]]
"""A VM's best seats on a host."""


class Wishes:
    """The wishes among the rules, in one scene, whose breaches are kept."""

    def __init__(self, scene: Scene, rules: Sequence[Rule], columns: Columns) -> None:
        self._scene, self._columns = scene, columns
        self._rules = [rule for rule in rules if rule.soft]
        self._rooms = {id(room.rule): room for room in columns.rooms}
        self._broken: list[int | None] = [_amount(rule, scene, None) for rule in self._rules]
        """By how much each is broken; None: it must be counted."""

    @property
    def broken(self) -> int:
        """By how much they are broken."""
        counted = [
            _amount(rule, self._scene, None) if known is None else known
            for rule, known in zip(self._rules, self._broken, strict=True)
        ]
        self._broken = [*counted]
        return sum(counted)

    def afresh(self) -> int:
        """The same, counted again in the scene as it stands on trial."""
        return sum(_amount(rule, self._scene, None) for rule in self._rules)

    @contextmanager
    def changing(self, host: str) -> Iterator[None]:
        """Who stands on a host changes in a `with` block."""
        self.recount()
        before = self._on(host)
        yield
        after = self._on(host)
        changed = zip(self._broken, before, after, strict=True)
        self._broken = [None if now is None else now + new - old for now, old, new in changed]

    def recount(self) -> None:
        """Rules that look at what is left elsewhere, too, are to be counted anew: something has changed."""
        self._broken = [None if rule.exact else now for rule, now in zip(self._rules, self._broken, strict=True)]

    def _on(self, host: str) -> list[int]:
        """By how much those that are known are broken on a host."""
        pairs = zip(self._rules, self._broken, strict=True)
        return [0 if known is None else _amount(rule, self._scene, host) for rule, known in pairs]

    def concern(self, vm: Vm) -> bool:
        """Whether any could be broken by where the VM stands."""
        return any(rule.concerns(vm) for rule in self._rules)

    def added(self, vm: Vm, found: Ints, seated: Seated) -> Ints:
        """By how much more they would be broken with the VM on each of these hosts. Raises Unsure."""
        total: Ints = np.zeros(len(found), dtype=np.int64)
        hosts = [self._columns.hosts[number] for number in found]
        for rule in self._rules:
            if not rule.concerns(vm):
                continue
            room, adds = self._rooms.get(id(rule)), rule.adds(self._scene, vm)
            if room is not None:
                total += room.added(vm, found)
            elif adds is not None:
                total += np.array([adds(host) for host in hosts], dtype=np.int64)
            elif rule.exact and vm.gpus:
                raise Unsure  # it may depend on which GPUs of the host the VM gets
            else:
                total += np.array([self._looked_up(rule, vm, host, seated) for host in hosts], dtype=np.int64)
        return total

    def _looked_up(self, rule: Rule, vm: Vm, host: Host, seated: Seated) -> int:
        before = _amount(rule, self._scene, host.name)
        with self._scene.trial(Stand(vm.name, host.name, seated(host))):
            return _amount(rule, self._scene, host.name) - before


def _amount(rule: Rule, scene: Scene, host: str | None) -> int:
    """How much of a rule is broken (on one host, where given)."""
    return sum(breach.amount for breach in rule.check(scene, None if host is None else (host,)))
