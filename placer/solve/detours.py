"""Ways round a knot: moves that wait for each other, none of which can go first.

One VM steps aside: over a spare host (two migrations in place of one), or suspended and resumed where it wants to go,
or powered off and on there: whichever costs least by the goals in their order. Where no VM can, they are stuck.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx

from placer.solve.target import Ways
from placer.solve.traffic import Action
from placer.waits import in_the_way, knots, spares
from placer_models.cluster import Cluster
from placer_models.motion import step_seconds
from placer_models.night import Limits
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

GAINS = ("job-value", "named-freed", "hosts-freed")
"""The goals for whose sake VMs are moved at all: what a goal before all of them counts is not spent on a detour."""

MOST_LEGS = 4
"""After so many steps a VM hops no more."""

Cost = dict[str, int]
"""By goal."""


@dataclass
class Detours:
    """Asked by a schedule where nothing moves any more. `ways` is what may be done to each VM, `goals` the kinds of the
    goals in their order, `hosts` the hosts over which a VM may hop, the best first, and `moves_left` how many
    migrations more there may be.
    """

    cluster: Cluster
    rules: Sequence[Rule]
    limits: Limits
    ways: Mapping[str, Ways]
    goals: Sequence[str]
    hosts: Sequence[str]
    moves_left: int | None = None

    def __call__(self, scene: Scene, waiting: Sequence[Action], store_left: int | None) -> list[Action] | None:
        """The actions of those who step aside in the cheapest way that lets one of the others go; None: there is
        none.
        """
        by_vm = {action.vm: action for action in waiting}
        ways_out: list[tuple[tuple[int, ...], str, list[Action]]] = []
        for knot in self.knots(scene, waiting):
            for vm, others in knot.items():
                found = self._aside(scene, by_vm[vm], [by_vm[other] for other in others], store_left)
                if found is not None:
                    ways_out.append((self._rank(found[0]), vm, found[1]))
        if not ways_out:
            return None
        _, _, actions = min(ways_out, key=lambda way: way[:2])
        if self.moves_left is not None:
            self.moves_left -= _hops(actions)
        return actions

    def knots(self, scene: Scene, waiting: Sequence[Action]) -> Iterator[dict[str, list[str]]]:
        """Each knot's VMs, with those in whose way others of them stand."""
        waits: nx.DiGraph[str] = nx.DiGraph()
        always = [rule for rule in self.rules if rule.always]
        leavers: dict[str, list[Stand]] = {}
        for action in waiting:
            if action.source is not None:
                leavers.setdefault(action.source.host, []).append(action.source)
        for action in waiting:
            waits.add_node(action.vm)
            if action.to is not None:
                others = in_the_way(scene, always, action.to, leavers.get(action.to.host, ()))
                waits.add_edges_from((action.vm, other.vm) for other in others or ())
        for knot in knots(waits):
            yield {vm: list(waits.successors(vm)) for vm in knot}

    def _aside(
        self, scene: Scene, waiter: Action, others: Sequence[Action], store_left: int | None
    ) -> tuple[Cost, list[Action]] | None:
        """Let all these step aside so that one can go: what it costs, and what they do."""
        scene, total, found = scene.copy(), Cost(), list[Action]()
        for other in others:
            options = [
                (cost, actions)
                for cost, actions in self._options(scene, other, store_left)
                if self._affordable(cost) and self._moves_enough(_hops(found) + _hops(actions))
            ]
            if not options:
                return None
            cost, actions = min(options, key=lambda option: self._rank(option[0]))
            first = actions[0]
            assert first.source is not None
            if first.to is not None:
                scene.put(first.to)
            elif first.kind == "suspend" and store_left is not None:
                store_left -= first.state_mib
            scene.remove(first.source)
            total = {goal: total.get(goal, 0) + cost.get(goal, 0) for goal in {*total, *cost}}
            found += [replace(action, aside=(waiter.vm,)) for action in actions]
        return total, found

    def _options(self, scene: Scene, action: Action, store_left: int | None) -> Iterator[tuple[Cost, list[Action]]]:
        source, to, vm = action.source, action.to, self.cluster.vms[action.vm]
        if source is None or to is None:
            return
        stun = round(action.stun_seconds * 1000)
        if self.ways[vm.name].migrate and action.leg < MOST_LEGS:
            always = [rule for rule in self.rules if rule.always]
            spare = next(spares(scene, always, source, to, self.hosts), None)
            if spare is not None:
                yield {"stun": stun, "moves": 1}, [replace(action, to=spare), _next(action, source=spare)]
        for way, _ in self.ways[vm.name].away:
            if way == "suspend" and store_left is not None and action.state_mib > store_left:
                continue
            off = replace(action, kind=way, to=None, stun_seconds=0.0, seconds=self._seconds(action, way))
            back = "resume" if way == "suspend" else "power-on"
            on = _next(off, kind=back, source=None, to=to, seconds=self._seconds(action, back))
            yield {"downtime": off.seconds + on.seconds, "stun": -stun, "moves": -1}, [off, on]

    def _seconds(self, action: Action, kind: str) -> int:
        return step_seconds(self.cluster, self.cluster.vms[action.vm], kind, self.limits)

    def _rank(self, cost: Cost) -> tuple[int, ...]:
        return tuple(cost.get(goal, 0) for goal in self.goals)

    def _affordable(self, cost: Cost) -> bool:
        """Whether it costs nothing that is dearer than all that is won."""
        gains = [i for i, goal in enumerate(self.goals) if goal in GAINS]
        return all(cost.get(goal, 0) <= 0 for goal in self.goals[: min(gains, default=0)])

    def _moves_enough(self, more: int) -> bool:
        return self.moves_left is None or more <= self.moves_left


def _next(action: Action, **changes: object) -> Action:
    return replace(action, leg=action.leg + 1, **changes)  # type: ignore[arg-type]


def _hops(actions: Sequence[Action]) -> int:
    """How many migrations they are more than one for each VM."""
    return sum(action.kind == "migrate" for action in actions) - len({action.vm for action in actions})
