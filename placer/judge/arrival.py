"""Judges one VM that is to start beside all who stand there: the same rules, asked about this stand alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from placer_models.gpus import Use, free_slots
from placer_models.gpus_use import POSITIONAL, held, model_of, use_of
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
        found.extend(_elsewhere(scene, stand))
    return found


def _elsewhere(scene: Scene, stand: Stand) -> Iterator[str]:
    """The holds that are not at the first legal slot, which the manager takes."""
    cluster, host = scene.cluster, scene.cluster.hosts[stand.host]
    beside: dict[str, list[tuple[Use, int | None]]] = {}
    for hold in stand.holds:
        gpu = host.gpu[hold.gpu]
        use = use_of(cluster, gpu, hold)
        if use is None or hold.sharing not in POSITIONAL:
            continue
        others = beside.setdefault(gpu.id, list(held(scene, host, gpu)))
        legal = free_slots(use, model_of(cluster, gpu).row_units(hold.sharing), tuple(others))
        if legal and legal[0] != hold.slot:
            yield f"{host.name}: the manager puts {stand.vm} at slot {legal[0]} of GPU {gpu.id}, not at {hold.slot}"
        others.append((use, hold.slot))
