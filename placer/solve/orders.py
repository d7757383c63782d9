"""In which order the VMs of first answers come: kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from placer.solve.survey import Survey
from placer_models.goals.gpu_milli import milli_of

Order = list[tuple[str, ...]]
"""The VMs that are asked for, those that are alike together."""

Key = Callable[[str], tuple[float, ...]]


class Orders:
    """The orders that are worth trying, by priority unless it is said."""

    def __init__(self, survey: Survey) -> None:
        self._cluster = survey.cluster
        self._waiting = survey.waiting(self._cluster.asked, list(self._cluster.asked))

    @property
    def waiting(self) -> Sequence[tuple[str, ...]]:
        """The groups of VMs that are alike, as they are asked for."""
        return self._waiting

    def biggest(self) -> Order:
        """Most GPU first, then most CPUs."""
        return self._by(lambda name: (-self._milli(name), *(-amount for amount in self._rest(name))))

    def lightest(self, *, ranked: bool = True) -> Order:
        """Most GPU first, then fewest CPUs; `ranked`: by priority."""
        return self._by(lambda name: (-self._milli(name), *self._rest(name)), ranked=ranked)

    def smallest(self) -> Order:
        """Least of everything first."""
        return self._by(lambda name: (self._milli(name), *self._rest(name)))

    def _by(self, key: Key, *, ranked: bool = True) -> Order:
        return sorted(self._waiting, key=lambda names: (-self._cluster.asked[names[0]] * ranked, *key(names[0])))

    def _milli(self, name: str) -> int:
        return milli_of(self._cluster, self._cluster.vms[name])

    def _rest(self, name: str) -> tuple[int, int]:
        vm = self._cluster.vms[name]
        return vm.cpu_milli, vm.memory_mib
