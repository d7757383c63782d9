"""Moves of running VMs to their targets, one after the other: a VM that waits in a circle is moved aside first.

Two VMs that are to change places wait for each other; where a third host has room for one of them as long as that
takes, the circle opens at the cost of one more move. Who is to be started comes after all moves, so its room serves
until then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from placer.waits import Order, free, go, has_room, spares, start_all
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


def legs(now: Scene, rules: Sequence[Rule], targets: Sequence[Stand], most: int) -> list[Stand] | None:
    """At most so many moves, in an order that can be carried out, after which VMs stand so; None: none is found."""
    scene, always = now.copy(), [rule for rule in rules if rule.always]
    found: list[Stand] = []
    left = list(targets)
    while left:
        blocked: list[Stand] = []
        for target in left:
            stand = free(scene, always, target)
            if stand is None:
                blocked.append(target)
            else:
                go(scene, stand)
                found.append(stand)
        if len(blocked) == len(left):
            aside = _aside(scene, always, blocked)
            if aside is None:
                return None
            go(scene, aside)
            found.append(aside)
        if len(found) + len(blocked) > most:
            return None
        left = blocked
    return found


def _aside(scene: Scene, always: Sequence[Rule], blocked: Sequence[Stand]) -> Stand | None:
    """Where one of those who wait could go for a while, so that another finds room."""
    coming: dict[str, list[Stand]] = defaultdict(list)
    for target in blocked:
        coming[target.host].append(target)
    for target in blocked:
        (source,) = scene.of(target.vm)
        with scene.lifted(source):
            opens = any(has_room(scene, always, other) for other in coming[source.host] if other.vm != target.vm)
        if opens and (stand := next(spares(scene, always, source, target, scene.cluster.hosts), None)) is not None:
            return stand
    return None


def in_sequence(now: Scene, rules: Sequence[Rule], moves: Sequence[Stand], starts: Sequence[Stand]) -> Order:
    """These moves in the order in which they are given; each waits for those that left its target before. `stuck` are
    all of them where the starts do not find their room after them.
    """
    order, scene = Order(), now.copy()
    always = [rule for rule in rules if rule.always]
    gone_from: dict[str, list[str]] = defaultdict(list)
    for stand in moves:
        order.waits.add_edges_from((stand.vm, other) for other in gone_from[stand.host] if other != stand.vm)
        source = go(scene, stand)
        order.moves.append(stand)
        gone_from[source.host].append(stand.vm)
    if not start_all(scene, always, order, starts):
        order.stuck = list(moves)
    return order
