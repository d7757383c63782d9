"""Where there is room, said for all hosts at once: by rules that count amounts, and by the states that GPUs are in."""

from __future__ import annotations

from collections.abc import Sequence

from placer.warm.columns import Columns
from placer.warm.rows import NEVER, Ints, Rows
from placer.warm.seats import fewest, simple
from placer_models.cluster import Vm
from placer_models.goals.stranded import typical_asks
from placer_models.rules.rule import Rule
from placer_models.scene import Scene


def figures_of(scene: Scene, rules: Sequence[Rule]) -> Columns:
    """The figures of every host in a scene, for the rules that must hold and that need nobody's watch."""
    rows = Rows(scene.cluster)
    for ask, needs, times in typical_asks(scene.cluster):
        rows.expect((ask, needs), times)
    return Columns(scene, [rule for rule in rules if not rule.soft and rule.keeper(scene) is None], rows)


def roomy(figures: Columns, vm: Vm, hosts: Ints) -> Ints:
    """Those of some hosts (by number) where nothing that is counted is against a VM: on all others it has no room as
    long as nobody leaves.
    """
    for room in figures.rooms:
        if room.rule.concerns(vm):
            for measure, take in enumerate(room.rule.takes(vm)):
                if take > 0:
                    hosts = hosts[room.left[hosts, measure] >= take]
    one = simple(vm)
    if one is not None and len(hosts):
        item, count = one
        costs = figures.rows.least(figures.rows.item(item))[figures.gpus[hosts]]
        hosts = hosts[fewest(costs, count) < NEVER]
    return hosts
