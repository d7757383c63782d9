"""Places one VM by looking at every host: which have room, what each goal would then count, which is best.

Nothing is estimated. The rules that count amounts, and the states of GPUs, say for all hosts at once where there is
room; the goals' scores are worked out for each of those; the best is then taken to every rule, and the next where one
refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from placer.warm.ahead import Ahead
from placer.warm.asking import Asking, Unsure
from placer.warm.columns import Bools, Columns
from placer.warm.order import Key, Look, in_order
from placer.warm.rows import NEVER, Ints, Rows
from placer.warm.seats import Seats, fewest, simple
from placer_models.cluster import Cluster, Host, Vm
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.stranded import asks_of, typical_asks
from placer_models.gpus_together import misfit
from placer_models.named import Vms
from placer_models.rules.gpu import GpuRule
from placer_models.rules.host_state import HostState
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand

MOST_NAMED = 3
"""Hosts that were passed over of which it is said why."""


@dataclass(frozen=True)
class Pick:
    """The best place for a VM: `stand` (None: it is best off, or nowhere has it room), the goals' scores then, how
    many hosts had room, how many each goal left of them, how many better ones were passed over, and why the first few.
    """

    stand: Stand | None
    score: Mapping[str, int]
    fitting: int = 0
    left: tuple[tuple[str, int], ...] = ()
    reasons: tuple[str, ...] = ()
    passed: int = 0


class Field:
    """A scene with its figures at hand. `sample` are VMs like those that are expected (None: as the cluster says, or
    like those that it knows). Not safe under threads by itself.
    """

    def __init__(
        self, cluster: Cluster, rules: Sequence[Rule], goals: Sequence[Goal], sample: Iterable[Vm] | None = None
    ) -> None:
        self.scene = Scene.now(cluster)
        self.rules, self.goals = rules, goals
        self.must = [rule for rule in rules if not rule.soft]
        self._soft = [rule for rule in rules if rule.soft]
        self.rows = Rows(cluster)
        self._learns = cluster.expected is None
        self.strands = any(goal.kind == "stranded" for goal in goals)
        if self.strands:
            for ask, needs, times in typical_asks(cluster):
                self.rows.expect((ask, needs), times)
        self.columns = Columns(self.scene, rules, self.rows)
        self._ahead = Ahead(self.rows, self.columns, chooses_seats=not self.strands)
        if sample is None and cluster.expected is not None:
            for ask, needs, times in cluster.expected:
                self._ahead.expect((ask, needs), times)
        else:
            for vm in cluster.vms.values() if sample is None else sample:
                self._ahead.learn(vm, 1)
        self._ahead.ready()
        self.rows.warm_up()
        for rule in rules:
            if isinstance(rule, Vms):
                rule.members(cluster)
        self.seats = Seats(self.rows)
        self._broken = [_amount(rule, self.scene, None) for rule in self._soft]
        self._seats_known: dict[tuple[object, ...], int] = {}
        self._changes_then = 0

    @property
    def cluster(self) -> Cluster:
        """The cluster, whose VMs and hosts change with time."""
        return self.scene.cluster

    # changes

    def put(self, stand: Stand) -> None:
        """A VM comes to a host."""
        self._change(stand, self.scene.put)

    def remove(self, stand: Stand) -> None:
        """A VM leaves a host."""
        self._change(stand, self.scene.remove)

    def _change(self, stand: Stand, change: Callable[[Stand], None]) -> None:
        before = [_amount(rule, self.scene, stand.host) for rule in self._soft]
        change(stand)
        after = [_amount(rule, self.scene, stand.host) for rule in self._soft]
        self._broken = [now + new - old for now, new, old in zip(self._broken, after, before, strict=True)]
        self.columns.refresh(stand.host)

    def learn(self, vm: Vm, times: int) -> None:
        """Reckon with what a VM asks for so many times more, where what is expected is learnt from the VMs there."""
        if self._learns:
            self._ahead.learn(vm, times)
            for item in asks_of(vm) if self.strands else ():
                self.rows.expect(item, times)

    # one VM

    def pick(self, vm: Vm) -> Pick:
        """The best place for a VM of the cluster that stands nowhere. Raises Unsure, and Disagreement (our bug)."""
        found, keys, ahead, off = self._look(vm)
        asking = self._asking(vm)
        for best in in_order(keys, ahead, len(found)):
            stand = asking.stand(self.columns.hosts[int(found[best.at])])
            if stand is not None:
                score = self._scores_on(vm, best.counts)
                if self._better(off, score):
                    break
                reasons = tuple(asking.reasons(MOST_NAMED))
                return Pick(stand, score, len(found), best.left, reasons, len(asking.passed))
        return Pick(None, off, len(found))

    def hopeless(self, vm: Vm) -> bool:
        """Whether a VM has no room anywhere and will have none whoever else comes. Raises as `pick` does."""
        rooms = {id(room.rule) for room in self.columns.rooms}
        rules = [rule for rule in self.must if rule.concerns(vm) and id(rule) not in rooms]
        return all(isinstance(rule, GpuRule | HostState) for rule in rules) and self.pick(vm).stand is None

    def rank(self, vm: Vm) -> tuple[tuple[str, ...], ...]:
        """The hosts on which a VM that stands nowhere could be started, the best first, those together that neither a
        goal nor a look ahead tells apart. Raises as `pick` does.
        """
        found, keys, ahead, _ = self._look(vm)
        asking = self._asking(vm)
        groups: dict[tuple[int, ...], list[str]] = {}
        lost = ahead.lost(np.arange(len(found)))
        for best in in_order(keys, ahead, len(found)):
            host = self.columns.hosts[int(found[best.at])]
            if asking.stand(host) is not None:
                groups.setdefault((*best.counts.values(), int(lost[best.at])), []).append(host.name)
        return tuple(tuple(groups[key]) for key in sorted(groups))

    def _look(self, vm: Vm) -> tuple[Ints, list[tuple[str, Key]], Look, dict[str, int]]:
        """The hosts with room, what goals tell them apart by, the look ahead, and the scores where the VM stays off."""
        self.check_sayable(vm)
        self._ahead.ready()
        fits, cost = self._fitting(vm)
        found: Ints = np.flatnonzero(fits)
        lost = self.columns.lost() if self.strands else 0
        cost = cost[found] * self.columns.up[found]
        return found, self._keys(vm, found, cost, lost), self._look_ahead(vm, found, cost), self._scores_off(lost)

    def _look_ahead(self, vm: Vm, found: Ints, cost: Ints) -> Look:
        """What is lost of what is expected on some of the hosts that were found; where a VM asks for several different
        things or for GPUs that are together, only what that does to GPUs is counted.
        """
        one = self._one(vm)
        return _Known(cost) if one is None else self._ahead.look(vm, one, found)

    def _one(self, vm: Vm) -> tuple[int | None, int] | None:
        """The only item (if any) that a VM asks for, by its number, and on how many GPUs; None: it asks for more."""
        one = simple(vm) if vm.gpus else None
        if one is None:
            return None if vm.gpus else (None, 0)
        return self.rows.item(one[0]), one[1]

    def check_sayable(self, vm: Vm) -> None:
        """Raise Unsure where a VM's places cannot be enumerated."""
        if not vm.gpus:
            return
        several = sum(ask.count for ask in vm.gpus if ask.profile is not None) > 1
        if several and self.cluster.platform.slot_choice == "worst-case":
            raise Unsure
        if not any(isinstance(rule, GpuRule) for rule in self.must):
            raise Unsure

    def _fitting(self, vm: Vm) -> tuple[Bools, Ints]:
        """Which hosts have room by the rules that can say so of all hosts, and how much more would be lost of GPUs."""
        columns = self.columns
        fits: Bools = np.ones(len(columns.hosts), dtype=np.bool_)
        for room in columns.rooms:
            if not room.rule.soft and room.rule.concerns(vm):
                fits &= room.fits(vm)
        cost: Ints = np.zeros(len(fits), dtype=np.int64)
        if vm.gpus:
            one = simple(vm)
            if misfit(self.cluster, vm):
                cost += NEVER
            elif one is not None:
                item, count = one
                cost = fewest(self.rows.best(self.rows.item(item))[0][columns.gpus], count)
            else:
                for number in np.flatnonzero(fits).tolist():
                    cost[number] = self.cost(vm, columns.hosts[number], columns.gpus[number].tolist())
            fits &= cost < NEVER
        return fits, cost

    def cost(self, vm: Vm, host: Host, states: Sequence[int]) -> int:
        """The same for one host, whose GPUs are in these states: hosts in the same share it as long as the weights are
        the same.
        """
        if self._changes_then != self.rows.changes:
            self._changes_then = self.rows.changes
            self._seats_known.clear()
        key = vm.wants, vm.needs, tuple(states), _places(host)
        if key not in self._seats_known:
            best = self.seats.best(vm, host, states)
            self._seats_known[key] = NEVER if best is None else best[0]
        return self._seats_known[key]

    def arrivals(self, vm: Vm) -> tuple[Ints, Ints, Ints]:
        """The hosts with room for a VM, wherever it stands now: their places, what would be stranded more, and what
        would be lost of what is expected.
        """
        fits, cost = self._fitting(vm)
        found: Ints = np.flatnonzero(fits & (self.columns.up > 0))
        lost = self._look_ahead(vm, found, cost[found]).lost(np.arange(len(found)))
        return found, cost[found] if self.strands else np.zeros(len(found), dtype=np.int64), lost

    def lost_instead(self, vm: Vm, hosts: Ints, gpus: Ints, left: Ints) -> Ints:
        """What is lost on hosts where a VM comes in the place of another, without whom the hosts' GPUs (a row for each)
        are in these states, and their CPUs and memory are left so.
        """
        self._ahead.ready()
        return self._ahead.lost_instead(vm, self._one(vm), hosts, gpus, left)

    @property
    def wished(self) -> int:
        """By how much the rules that should hold are broken, as is known."""
        return sum(self._broken)

    def wishes_broken(self) -> int:
        """The same, counted afresh in the scene as it stands on trial."""
        return sum(_amount(rule, self.scene, None) for rule in self._soft)

    def _asking(self, vm: Vm) -> Asking:
        said = {id(room.rule) for room in self.columns.rooms}
        return Asking(self.scene, self.must, said, vm, lambda host: self._seated(vm, host))

    def _seated(self, vm: Vm, host: Host) -> tuple[Hold, ...]:
        """A VM's best seats on a host that has room for it."""
        best = self.seats.best(vm, host, self.columns.gpus[self.columns.index[host.name]].tolist())
        assert best is not None, f"{host.name} has no seat for {vm.name}"
        return best[1]

    # scores

    def _keys(self, vm: Vm, found: Ints, cost: Ints, lost: int) -> list[tuple[str, Key]]:
        """What tells hosts apart: the scores of those goals that do, in their order."""
        columns, weight = self.columns, max(1, self.rows.weight)

        def balance(some: Ints) -> Ints:
            fullest: Ints = np.maximum(columns.full.max(initial=0), columns.fuller(found[some], vm))
            return fullest

        keys: dict[str, Key] = {
            "should": lambda some: self._wishes(vm, found[some]) + self.wished,
            "stranded": lambda some: (lost + cost[some]) // weight,
            "balance": balance,
        }
        return [(goal.kind, keys[goal.kind]) for goal in self.goals if goal.kind in keys]

    def _wishes(self, vm: Vm, found: Ints) -> Ints:
        """How many more wishes would be broken on each host."""
        total: Ints = np.zeros(len(found), dtype=np.int64)
        wishes = [rule for rule in self._soft if rule.concerns(vm)]
        if not wishes:
            return total
        rooms = {id(room.rule): room for room in self.columns.rooms}
        hosts = [self.columns.hosts[number] for number in found]
        for rule in wishes:
            room, adds = rooms.get(id(rule)), rule.adds(self.scene, vm)
            if room is not None:
                total += room.added(vm, found)
            elif adds is not None:
                total += np.array([adds(host) for host in hosts], dtype=np.int64)
            elif rule.exact and vm.gpus:
                raise Unsure  # it may depend on which GPUs of the host the VM gets
            else:
                total += np.array([self._looked_up(rule, vm, host) for host in hosts], dtype=np.int64)
        return total

    def _looked_up(self, rule: Rule, vm: Vm, host: Host) -> int:
        before = _amount(rule, self.scene, host.name)
        with self.scene.trial(Stand(vm.name, host.name, self._seated(vm, host))):
            return _amount(rule, self.scene, host.name) - before

    def _scores_off(self, lost: int) -> dict[str, int]:
        off = {
            "should": self.wished,
            "stranded": lost // max(1, self.rows.weight),
            "balance": int(self.columns.full.max(initial=0)),
        }
        return {goal.label: off.get(goal.kind, 0) for goal in self.goals}

    def _scores_on(self, vm: Vm, keys: Mapping[str, int]) -> dict[str, int]:
        on = {"placed": 1, "gpu-milli": milli_of(self.cluster, vm), "hosts-touched": 1, **keys}
        return {goal.label: on.get(goal.kind, 0) for goal in self.goals}

    def scores_moved(self, vm: Vm, wishes: int, stranded: int, fullest: int) -> dict[str, int]:
        """The scores where a VM starts in the room of one that moves; so much more is stranded then (times weights)."""
        lost = self.columns.lost() + stranded if self.strands else 0
        now = {"should": wishes, "stranded": lost // max(1, self.rows.weight), "balance": fullest}
        return self._scores_on(vm, {**now, "moves": 1, "hosts-touched": 2})

    def _better(self, one: Mapping[str, int], other: Mapping[str, int]) -> bool:
        def key(score: Mapping[str, int]) -> list[int]:
            return [-score[goal.label] if goal.sense == "most" else score[goal.label] for goal in self.goals]

        return key(one) < key(other)


@dataclass(frozen=True)
class _Known:
    """A look at figures that are known of every host."""

    values: Ints

    def lost(self, some: Ints) -> Ints:
        return self.values[some]

    def least(self, some: Ints) -> Ints:
        values = self.values[some]
        found: Ints = some[values == values.min()]
        return found


def _amount(rule: Rule, scene: Scene, host: str | None) -> int:
    """How much of a rule is broken (on one host, where given)."""
    return sum(breach.amount for breach in rule.check(scene, None if host is None else (host,)))


def _places(host: Host) -> tuple[object, ...]:
    """What tells GPUs of a host apart for VMs whose GPUs must be together."""
    at = {gpu.id: i for i, gpu in enumerate(host.gpus)}
    groups = tuple(tuple(sorted(at[name] for name in group)) for group in host.nvlink_groups)
    return tuple((gpu.board, gpu.numa_node) for gpu in host.gpus), groups
