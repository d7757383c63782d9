"""One VM's hosts taken to the rules that must hold: those that can say so of many hosts bar some at once, the others
are asked about the VM's stand, and then the judge is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from placer.disagreement import Disagreement
from placer.judge.arrival import refusals
from placer_models.cluster import Host, Vm
from placer_models.rules.gpu import GpuRule
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand


class Unsure(Exception):
    """Whether the VM can be placed, and how best, must be searched for."""


class Asking:
    """The rules that must hold and concern a VM. `said` are those that have let it in already, by columns; `seat` gives
    its best seats on a host. `passed` are the hosts that were refused, each with the rule that did.
    """

    def __init__(
        self,
        scene: Scene,
        rules: Sequence[Rule],
        said: Collection[int],
        vm: Vm,
        seat: Callable[[Host], tuple[Hold, ...]],
    ) -> None:
        self._scene, self._vm, self._seat = scene, vm, seat
        self._rules = [rule for rule in rules if rule.concerns(vm)]
        self._counts: list[tuple[Rule, Callable[[Host], int]]] = []
        self._others: list[Rule] = []
        self.passed: list[tuple[Host, Rule]] = []
        for rule in self._rules:
            if isinstance(rule, GpuRule) or id(rule) in said:
                continue
            adds = rule.adds(scene, vm)
            if adds is None:
                self._others.append(rule)
            else:
                self._counts.append((rule, adds))

    def stand(self, host: Host) -> Stand | None:
        """The VM's best stand on a host, judged; None: a rule refuses it. Raises Unsure, and Disagreement (our bug)."""
        for rule, adds in self._counts:
            if adds(host):
                self.passed.append((host, rule))
                return None
        stand = self._on(host)
        for rule in self._others:
            if rule.why(self._scene, stand) is not None:
                if rule.exact and self._vm.gpus:
                    raise Unsure  # other GPUs of this host may do
                self.passed.append((host, rule))
                return None
        faults = refusals(self._scene, self._rules, stand)
        if faults:
            raise Disagreement(faults)
        return stand

    def reasons(self, most: int) -> Iterator[str]:
        """The first few hosts that were passed over, and why."""
        for host, rule in self.passed[:most]:
            reason = rule.why(self._scene, self._on(host))
            if reason is None:
                said = f"rule {rule.kind} counts {self._vm.name} on {host.name} as a breach, and finds none"
                raise Disagreement([said])
            yield f"{host.name} ({rule.say([reason])})"

    def _on(self, host: Host) -> Stand:
        return Stand(self._vm.name, host.name, self._seat(host))
