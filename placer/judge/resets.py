"""What else the empty GPUs of a host could be set to: another sharing, firmware mode, or no MIG layout that is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations
from typing import Any

from placer_models.cluster import Cluster, Gpu, Host, Vm
from placer_models.gpus import SHARINGS

MOST_CHOSEN_FROM = 4
"""Of so many GPUs every choice is tried; of more, those of one kind, and as many as can be of all kinds."""


def resets(cluster: Cluster, host: Host, empty: Sequence[Gpu], vm: Vm) -> Iterator[tuple[Host, str]]:
    """The host with some of its empty GPUs put in one other setting, and what is done, in the operator's words: few
    GPUs first, and no more than the VM asks for.
    """
    ways: dict[str, dict[str, Gpu]] = defaultdict(dict)
    for gpu in empty:
        for changed, what in _settings(cluster, host, gpu):
            ways[what][gpu.id] = gpu.model_copy(update=changed)
    most = sum(ask.count for ask in vm.gpus)
    for count in range(1, most + 1):
        for what, able in ways.items():
            if most > MOST_CHOSEN_FROM and not vm.needs.nvlink and count not in (1, min(len(able), most)):
                continue  # of many, only one and all are tried
            for some in _choices([*able.values()], count):
                named = ", ".join(gpu.id for gpu in some)
                rows = {gpu.id: gpu for gpu in some}
                gpus = tuple(rows.get(gpu.id, gpu) for gpu in host.gpus)
                said = f"put {'GPU' if count == 1 else 'GPUs'} {named} of {host.name} in {what}"
                yield host.model_copy(update={"gpus": gpus}), said


def _settings(cluster: Cluster, host: Host, gpu: Gpu) -> Iterator[tuple[dict[str, Any], str]]:
    """What else one empty GPU could be set to; where its model has several modes, also a mode and a sharing together,
    of which it may have one already.
    """
    model, one_size = cluster.catalogue.find(gpu.model), cluster.platform.why_one_size(host.vgpu_manager)
    able = [how for how in SHARINGS if model.row_units(how) and (how != "mixed-size" or one_size is None)]
    shared: dict[str, dict[str, Any]] = {
        how: {} if how in gpu.sharings else {"sharing": how, "may_share": None, "mig_layout": None} for how in able
    }
    yield from ((changed, f"sharing {how}") for how, changed in shared.items() if changed)
    if gpu.mig_layout is not None:
        yield {"mig_layout": None}, "another MIG layout"
    for mode in model.modes if model.known and set(model.modes) - {gpu.mode} else ():
        flashed = {"mode": mode} if mode != gpu.mode else {}
        if flashed:
            yield flashed, f"mode {mode}"
        yield from (
            ({**flashed, **changed}, f"mode {mode} and sharing {how}")
            for how, changed in shared.items()
            if flashed or changed
        )


def _choices(gpus: Sequence[Gpu], count: int) -> Iterator[tuple[Gpu, ...]]:
    if len(gpus) <= MOST_CHOSEN_FROM:
        yield from combinations(gpus, count)
        return
    kinds: dict[Hashable, list[Gpu]] = defaultdict(list)
    for gpu in gpus:
        kinds[gpu.model, gpu.mode, gpu.sharings].append(gpu)
    chosen = [tuple(alike[:count]) for alike in (*kinds.values(), gpus) if len(alike) >= count]
    yield from dict.fromkeys(chosen)
