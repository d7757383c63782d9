"""Kinds of VMs where rule `reserve` asks who starts again: VMs that no rule tells apart are of one kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from functools import lru_cache
from itertools import islice

from placer_models.cluster import Ask, Needs, Vm
from placer_models.rules.rule import Rule

Some = tuple[int, ...]
"""Kinds of VMs in ascending order, each as often as it is meant."""


class Kinds:
    """The kinds of those VMs that start `again`, numbered, and of others once they are asked about."""

    def __init__(self, rules: Sequence[Rule], again: Callable[[Vm], bool]) -> None:
        self._rules, self._again = rules, again
        self._known: dict[int, tuple[Vm, int]] = {}
        self._numbers: dict[Hashable, int] = {}
        self._members: list[dict[str, Vm]] = []

    def number(self, vm: Vm) -> int:
        """The number of a VM's kind."""
        known = self._known.get(id(vm))
        if known is None:
            number = self._numbers.setdefault(self._key(vm), len(self._numbers))
            if number == len(self._members):
                self._members.append({})
            self._members[number][vm.name] = vm
            known = self._known[id(vm)] = vm, number
        return known[1]

    def take(self, vms: Collection[Vm]) -> None:
        """Know the kinds of these VMs: those of big VMs come first."""
        for vm in sorted(filter(self._again, vms), key=_size):
            self.number(vm)

    def forget(self, vm: Vm) -> None:
        """A VM is gone, or its document is another now."""
        self._known.pop(id(vm), None)
        for members in self._members:
            members.pop(vm.name, None)

    def alike(self, one: Vm, other: Vm) -> bool:
        """Whether two VMs start again likewise."""
        return (self._key(one), self._again(one)) == (self._key(other), self._again(other))

    def _key(self, vm: Vm) -> Hashable:
        return tuple(rule.vm_key(vm) for rule in self._rules)

    def one(self, kind: int) -> Vm | None:
        """Any VM of a kind; None: there is none any more."""
        return next(iter(self._members[kind].values()), None)

    def vms(self, some: Some, without: Collection[str]) -> list[Vm]:
        """VMs of these kinds, one for each, and none of those named; fewer, where there are too few."""
        not_again = set(without)
        vms: list[Vm] = []
        for kind, count in Counter(some).items():
            others = (vm for name, vm in self._members[kind].items() if name not in not_again)
            vms.extend(islice(others, count))
            not_again.update(vm.name for vm in vms)  # a VM that is looked at as another is of two kinds
        return vms


def _size(vm: Vm) -> tuple[object, ...]:
    """Sorts the big VMs first."""
    return -sum(ask.count for ask in vm.gpus), -vm.memory_mib, -vm.cpu_milli, _said(vm.wants, vm.needs)


@lru_cache(maxsize=4096)
def _said(wants: tuple[Ask, ...], needs: Needs) -> str:
    return repr((wants, needs))
