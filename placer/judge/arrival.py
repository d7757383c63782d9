"""Judges one VM that is to start beside all who stand there: the same rules, asked about this stand alone."""

from __future__ import annotations

from collections.abc import Sequence

from placer.judge.slots import not_first
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


def refusals(scene: Scene, rules: Sequence[Rule], stand: Stand) -> list[str]:
    """What speaks against a VM, which stands nowhere, standing so: a sentence for each rule that must hold and that it
    would break (further), and for each slot at which the manager would not put it. Empty: nothing does.
    """
    found = [
        f"{stand.host}: {stand.vm}: {rule.say([reason])}"
        for rule in rules
        if not rule.soft and (reason := rule.why(scene, stand)) is not None
    ]
    if scene.cluster.platform.slot_choice == "first-legal":
        found.extend(f"{stand.host}: {said}" for said in not_first(scene, stand))
    return found
