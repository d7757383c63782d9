"""Which move waits for which: an order in which moves can be carried out, and what stands in the way where there is
none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import networkx as nx

from placer.judge.check import broken, worse
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


@dataclass
class Order:
    """Moves in an order that can be carried out; `waits` has an edge from each VM to those whose leaving it waits for.

    `stuck` are the moves that no order reaches: each waits for room that another of them holds.
    """

    moves: list[Stand] = field(default_factory=list)
    waits: nx.DiGraph[str] = field(default_factory=nx.DiGraph)
    stuck: list[Stand] = field(default_factory=list)

    def waits_for(self, vm: str) -> list[str]:
        """The VMs that must have left before this one can go, in the order in which they leave."""
        rank = {stand.vm: i for i, stand in enumerate(self.moves)}
        return sorted(self.waits.successors(vm), key=lambda other: rank[other]) if vm in self.waits else []


def in_order(now: Scene, rules: Sequence[Rule], targets: Sequence[Stand]) -> Order:
    """An order for moves to these stands.

    A VM on the move stands on both hosts, so each target must have room while the VM's source is still held. Moves
    are taken whenever they have room: leaving a host never takes room from anybody, so what this does not reach, no
    order of these moves reaches.
    """
    order, scene = Order(), now.copy()
    always = [rule for rule in rules if rule.always]
    gone_from: dict[str, list[str]] = defaultdict(list)
    waited: set[str] = set()
    left = list(targets)
    while left:
        blocked: list[Stand] = []
        for stand in left:
            if not _has_room(scene, always, stand):
                waited.add(stand.vm)
                blocked.append(stand)
                continue
            (source,) = scene.of(stand.vm)
            scene.put(stand)
            scene.remove(source)
            order.moves.append(stand)
            if stand.vm in waited:
                order.waits.add_edges_from((stand.vm, other) for other in gone_from[stand.host])
            gone_from[source.host].append(stand.vm)
        if len(blocked) == len(left):
            order.stuck = blocked
            break
        left = blocked
    return order


def _has_room(scene: Scene, always: Sequence[Rule], stand: Stand) -> bool:
    before = broken(scene, always, (stand.host,))
    with scene.trial(stand):
        return not worse(always, before, broken(scene, always, (stand.host,)))
