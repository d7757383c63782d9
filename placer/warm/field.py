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
from placer.warm.asking import Asking
from placer.warm.columns import Columns
from placer.warm.openings import Open, Openings
from placer.warm.order import Key, Look, in_order
from placer.warm.rows import Rows
from placer.warm.scores import Scores
from placer.warm.states import Ints
from placer.warm.wishes import Wishes
from placer_models.cluster import Cluster, Vm
from placer_models.goals.goal import Goal
from placer_models.goals.stranded import asks_of, typical_asks
from placer_models.named import Vms
from placer_models.rules.gpu import GpuRule
from placer_models.rules.host_state import HostState
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

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
        self.rows = Rows(cluster)
        self._learns = cluster.expected is None
        self.strands = any(goal.kind == "stranded" for goal in goals)
        if self.strands:
            for ask, needs, times in typical_asks(cluster):
                self.rows.expect((ask, needs), times)
        self.columns = Columns(self.scene, rules, self.rows)
        self._said = {id(room.rule) for room in self.columns.rooms}
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
            if not rule.soft:
                rule.watch(self.scene)
        self.openings = Openings(cluster, self.columns, self.rows)
        self.wishes = Wishes(self.scene, rules, self.columns)
        self.scores = Scores(cluster, goals, self.wishes, self.columns, self.rows)

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
        with self.wishes.changing(stand.host):
            change(stand)
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
        open_, keys, ahead = self._look(vm)
        asking = self._asking(vm, open_)
        off = self.scores.off()
        for best in in_order(keys, ahead, len(open_.hosts)):
            stand = asking.stand(self.columns.hosts[int(open_.hosts[best.at])])
            if stand is not None:
                score = self.scores.on(vm, best.counts)
                if self.scores.better(off, score):
                    break
                reasons = tuple(asking.reasons(MOST_NAMED))
                return Pick(stand, score, len(open_.hosts), best.left, reasons, len(asking.passed))
        return Pick(None, off, len(open_.hosts))

    def hopeless(self, vm: Vm) -> bool:
        """Whether a VM has no room anywhere and will have none whoever else comes. Raises as `pick` does."""
        rules = [rule for rule in self.must if rule.concerns(vm) and id(rule) not in self._said]
        return all(isinstance(rule, GpuRule | HostState) for rule in rules) and self.pick(vm).stand is None

    def rank(self, vm: Vm) -> tuple[tuple[str, ...], ...]:
        """The hosts on which a VM that stands nowhere could be started, the best first, those together that neither a
        goal nor a look ahead tells apart. Raises as `pick` does.
        """
        open_, keys, ahead = self._look(vm)
        asking = self._asking(vm, open_)
        groups: dict[tuple[int, ...], list[str]] = {}
        lost = ahead.lost(np.arange(len(open_.hosts)))
        for best in in_order(keys, ahead, len(open_.hosts)):
            host = self.columns.hosts[int(open_.hosts[best.at])]
            if asking.stand(host) is not None:
                groups.setdefault((*best.counts.values(), int(lost[best.at])), []).append(host.name)
        return tuple(tuple(groups[key]) for key in sorted(groups))

    def _look(self, vm: Vm) -> tuple[Open, list[tuple[str, Key]], Look]:
        """The hosts with room, what goals tell them apart by, and the look ahead."""
        self.openings.check_sayable(vm)
        self._ahead.ready()
        open_ = self.openings.of(vm)
        keys = self.scores.keys(vm, open_, lambda host: self.openings.seated(vm, host, open_))
        return open_, keys, self._look_ahead(vm, open_)

    def _look_ahead(self, vm: Vm, open_: Open) -> Look:
        """What is lost of what is expected on the hosts that were found; where a VM asks for several different things
        or for GPUs that are together, only what that does to GPUs is counted.
        """
        if open_.one is None:
            return _Known(open_.lost(open_.hosts, self.columns.up))
        return self._ahead.look(vm, open_.one, open_.hosts, open_.gpus)

    def _asking(self, vm: Vm, open_: Open) -> Asking:
        seated = self.openings.seated
        return Asking(self.scene, self.must, self._said, vm, lambda host: seated(vm, host, open_))

    # one VM in the room of another

    def arrivals(self, vm: Vm) -> tuple[Ints, Ints, Ints]:
        """The hosts with room for a VM, wherever it stands now: their places, what would be stranded more, and what
        would be lost of what is expected.
        """
        open_ = self.openings.of(vm)
        lost = self._look_ahead(vm, open_).lost(np.arange(len(open_.hosts)))
        up = self.columns.up[open_.hosts] > 0
        found = open_.hosts[up]
        return found, open_.cost[found] if self.strands else np.zeros(len(found), dtype=np.int64), lost[up]

    def lost_instead(self, vm: Vm, hosts: Ints, gpus: Ints, left: Ints) -> Ints:
        """What is lost on hosts where a VM comes in the place of another, without whom the hosts' GPUs (a row for each)
        are in these states, and their CPUs and memory are left so.
        """
        self._ahead.ready()
        return self._ahead.lost_instead(vm, self.openings.one(vm), hosts, gpus, left)


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
