"""What stands in a VM's way, host by host: the VM is put on each host in turn, and the rules are asked.

Hosts that no rule tells apart, and that hold the same, share their answer, and so do VMs that no rule tells apart: a
cluster of a thousand hosts is explained in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from placer.judge.changes import Changes
from placer.judge.slots import surely_seated
from placer_models.cluster import Host, Vm
from placer_models.plan import Reason, Unplaced
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import seat
from placer_models.words import and_more


class Against(NamedTuple):
    """What speaks against a VM on a host: which rule (its number), and its reason. One that was given for another host
    that is alike (`own` is False) may name what is there.
    """

    rule: int
    reason: Reason
    own: bool = True


MOST_KEPT = 200_000
"""How many reasons are kept while a scene changes."""

BARRED = 100.0
"""What an obstacle weighs besides that no departure of other VMs removes."""


@dataclass(frozen=True)
class Look:
    """One VM seen on every host: the first obstacle on each host that has one, the hosts that have none, the nearest
    miss, and the hosts by how near they are.
    """

    against: tuple[Against, ...]
    open_to: tuple[str, ...]
    nearest: str | None
    by_nearness: tuple[str, ...]


class Explainer:
    """Reasons in one scene; where it changes meanwhile, `renew` must be told. `before` is the scene that the snapshot
    shows, where this is another.
    """

    def __init__(self, scene: Scene, rules: Sequence[Rule], before: Scene | None = None) -> None:
        self.scene, self.before = scene, before or scene
        self.rules = [rule for rule in rules if not rule.soft]
        self._changes = Changes(scene, self.rules, self.before)
        self._looks: dict[Hashable, tuple[Look, str | None]] = {}
        self._reasons: dict[int, tuple[str, ...]] = {}
        self._kinds_of_vm: dict[Hashable, int] = {}
        self._kinds_of_host: list[dict[str, int | None]] = []
        self._numbers: list[dict[Hashable, int]] = [{} for _ in self.rules]
        self._renewed: Counter[str] = Counter()
        """How often each host has changed."""
        self._said: dict[tuple[int, int, int | None], tuple[Reason | None, float, int]] = {}
        """By rule and kinds of VM and host: a reason, what it weighs, and how often its host had changed then."""

    def renew(self, hosts: Iterable[str]) -> None:
        """Take in that the scene has changed on these hosts; what was found on others, or on such as these, is kept."""
        self._looks.clear()
        self._reasons.clear()
        self._changes = Changes(self.scene, self.rules, self.before)
        if len(self._said) > MOST_KEPT:
            self._said.clear()
            self._kinds_of_host, self._numbers = [], [{} for _ in self.rules]
        for name in hosts:
            self._renewed[name] += 1
            if self._kinds_of_host:
                self._number(self.scene.cluster.hosts[name])

    # what others ask

    def unplaced(
        self, vms: Iterable[str], *, proven: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Unplaced]:
        """Why each of these VMs stays off; `proven`: the answer is known to be the best by its goals. Once `stop` says
        so, VMs of further kinds are only said not to have been looked into.
        """
        for name in vms:
            if self._key(self.scene.cluster.vms[name]) not in self._looks and stop():
                yield Unplaced(vm=name, reasons=("not looked into: the time was up",))
                continue
            look, change = self.look_and_change(self.scene.cluster.vms[name])
            if id(look) not in self._reasons:  # looks are kept, so that their ids stay their own
                self._reasons[id(look)] = tuple(reason for _, _, reason in self.grouped(look.against))
            reasons = self._reasons[id(look)]
            if look.open_to:
                why = "the goals are met best with it off" if proven else "the search ended before it was used"
                reasons = (f"{and_more(look.open_to, 3)}: there is room; {why}", *reasons)
            yield Unplaced(vm=name, reasons=reasons or ("there are no hosts",), nearest=look.nearest, change=change)

    def look_and_change(self, vm: Vm) -> tuple[Look, str | None]:
        """What there is on every host for a VM that stands nowhere, and the smallest change that would let it in."""
        key = self._key(vm)
        if key not in self._looks:
            look = self.look(vm)
            self._looks[key] = look, None if look.open_to else self._changes.smallest(vm, look.by_nearness)
        return self._looks[key]

    def look(self, vm: Vm) -> Look:
        """What there is on every host for a VM that stands nowhere."""
        against: list[Against] = []
        open_to: list[str] = []
        weights: list[tuple[float, int, str]] = []
        least = float("inf")
        keys = {number: self._kind_of_vm(rule, vm) for number, rule in enumerate(self.rules) if rule.concerns(vm)}
        for place, host in enumerate(self.scene.cluster.hosts.values()):
            first, weight = self._obstacle(vm, keys, host, least)
            if first is None:
                open_to.append(host.name)
                continue
            against.append(first)
            weights.append((weight, place, host.name))
            least = min(least, weight)
        weights.sort()
        by_nearness = tuple(name for _, _, name in weights)
        nearest = self._miss(vm, by_nearness[0]) if by_nearness and not open_to else None
        return Look(tuple(self._with_names(vm, against)), tuple(open_to), nearest, by_nearness)

    def grouped(self, against: Iterable[Against]) -> Iterator[tuple[list[str], str, str]]:
        """Hosts, rule, sentence: one for each group of hosts on which the same rule says the same."""
        for group in _groups(against):
            rule, reasons = self.rules[group[0].rule], [one.reason for one in group]
            hosts = [reason.host for reason in reasons]
            who = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
            yield hosts, rule.kind, f"{who}: {rule.say(reasons)}"

    # one VM on one host

    def _key(self, vm: Vm) -> Hashable:
        """What the rules see of a VM."""
        return tuple(rule.vm_key(vm) for rule in self.rules)

    def _kind_of_vm(self, rule: Rule, vm: Vm) -> int:
        """A number for VMs that are alike to a rule: looked up a thousand times, it costs less than what it is for."""
        return self._kinds_of_vm.setdefault(rule.vm_key(vm), len(self._kinds_of_vm))

    def _obstacle(self, vm: Vm, keys: Mapping[int, int], host: Host, least: float) -> tuple[Against | None, float]:
        """The first obstacle by the rules that concern the VM (whose keys these are), and what all weigh together:
        those after the first are asked only while that is below `least`.
        """
        first: Against | None = None
        weight = 0.0
        for number, key in keys.items():
            if first is not None and weight >= least:
                break
            found, more = self._ask(number, vm, key, host)
            weight += more
            first = first or found
        if first is None and (unsure := self._unsure(vm, host)) is not None:
            return unsure, 1.0
        return first, weight

    def _ask(self, number: int, vm: Vm, vm_key: int, host: Host) -> tuple[Against | None, float]:
        """What one rule says against a VM on a host and what that weighs, asked once for all that are alike to it."""
        kind = self._host_kinds()[number][host.name]
        key = number, vm_key, kind
        if kind is None or key not in self._said:
            self._said[key] = (*self._fresh(number, vm, host), self._renewed[host.name])
        reason, weight, then = self._said[key]
        if reason is None:
            return None, 0.0
        own = reason.host == host.name and then == self._renewed[host.name]
        there = reason if own else Reason(reason.rule, host.name, reason.code, reason.said, reason.numbers)
        return Against(number, there, own), weight

    def _fresh(self, number: int, vm: Vm, host: Host) -> tuple[Reason | None, float]:
        rule = self.rules[number]
        holds = None if rule.standing else seat(self.scene, vm, host)
        reason = rule.why(self.scene, Stand(vm.name, host.name, holds or ()))
        if reason is None:
            return None, 0.0
        barred = 0.0 if rule.admits(self.scene.cluster, vm, host) else BARRED
        return reason, _weight(reason) + barred

    def _unsure(self, vm: Vm, host: Host) -> Against | None:
        """Room that is there only if the manager picks the right slots is none."""
        if self.scene.cluster.platform.slot_choice != "worst-case":
            return None
        holds = seat(self.scene, vm, host)
        if holds is None or surely_seated(self.before, self.scene, Stand(vm.name, host.name, holds)):
            return None
        number = next(i for i, rule in enumerate(self.rules) if rule.kind == "gpu")
        said = "there is room, but the manager may pick slots that leave none"
        return Against(number, Reason("gpu", host.name, ("unsure",), said))

    def _host_kinds(self) -> list[dict[str, int | None]]:
        """For each rule, which hosts are alike to it: equal numbers. None: it cannot say."""
        if not self._kinds_of_host:
            self._kinds_of_host = [{} for _ in self.rules]
            for host in self.scene.cluster.hosts.values():
                self._number(host)
        return self._kinds_of_host

    def _number(self, host: Host) -> None:
        for rule, kinds, numbers in zip(self.rules, self._kinds_of_host, self._numbers, strict=True):
            seen = rule.scene_key(self.scene, host)
            key = rule.host_key(host), seen
            kinds[host.name] = None if seen is None else numbers.setdefault(key, len(numbers))

    # in words

    def _with_names(self, vm: Vm, against: Sequence[Against]) -> list[Against]:
        """The same obstacles; where a reason stands alone and is another host's, the host's own."""
        hosts = self.scene.cluster.hosts
        borrowed = {group[0].reason.host for group in _groups(against) if len(group) == 1 and not group[0].own}
        return [
            one._replace(reason=self._fresh(one.rule, vm, hosts[one.reason.host])[0] or one.reason)
            if one.reason.host in borrowed
            else one
            for one in against
        ]

    def _miss(self, vm: Vm, name: str) -> str | None:
        """What is missing on a host."""
        host = self.scene.cluster.hosts[name]
        reasons = ((rule, self._fresh(number, vm, host)[0]) for number, rule in enumerate(self.rules))
        said = [rule.missing(reason) for rule, reason in reasons if reason is not None]
        return f"{name}: {'; '.join(said)}" if said else None


def _groups(against: Iterable[Against]) -> list[list[Against]]:
    """Obstacles of the same rule with the same code."""
    groups: dict[tuple[object, ...], list[Against]] = {}
    for one in against:
        groups.setdefault((one.rule, one.reason.code), []).append(one)
    return list(groups.values())


def _weight(reason: Reason) -> float:
    """One for each obstacle, and the part of what is asked for that is not there."""
    asked = reason.numbers.get("asked", 0)
    return 1 + (1 - min(1, reason.numbers.get("free", 0) / asked) if asked else 1)
