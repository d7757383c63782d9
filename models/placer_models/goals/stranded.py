"""Goal `stranded`: least GPU is left that the asks of this cluster cannot use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from placer_models.cluster import Ask, Cluster, Gpu, Needs, Typical, Vm
from placer_models.goals.goal import Goal
from placer_models.gpus import GpuModel, Sharing, Use, room_for
from placer_models.gpus_use import Held, held, model_of, use_for
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class Stranded(Goal):
    """The thousandths of a GPU that are free and that the typical asks cannot use, over all GPUs of hosts that are up.

    The typical asks are those of all VMs of the snapshot, each weighted by the number of VMs that make it (or those
    that are said to be expected: `Snapshot.expecting`). Of a GPU, an ask that its model could serve strands what is
    free less what as many further items of that ask as possible would take: in the sharing in which the GPU stands or,
    where it is empty, in the best of those open to it. The score is the weighted mean over the asks (an ask that a GPU
    could never serve strands nothing there), rounded down.
    """

    kind: Literal["stranded"] = "stranded"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "thousandths of a GPU"
    exact: ClassVar[bool] = True

    def encode(self, board: Board) -> tuple[list[Term], int]:
        cluster = board.scene.cluster
        typical = typical_asks(cluster)
        weight = sum(times for _, _, times in typical)
        if not weight:
            return [], 0
        terms = [
            (_loss(cluster, typical, gpu, sharing, tuple(holds)), count)
            for place, gpu, sharing, holds, count in board.layouts()
            if place.host.state == "up"
        ]
        constant = sum(
            _loss(cluster, typical, gpu, board.scene.sharing(host.name, gpu), held(board.scene, host, gpu))
            for host in board.elsewhere()
            if host.state == "up"
            for gpu in host.gpus
        )
        # Of GPUs with too many layouts to list nothing is known: all of them is the most that they could strand.
        constant += sum(1000 * weight * len(place.host.gpus) * place.m for place in board.rough_places())
        gpus = sum(len(place.host.gpus) * place.m for place in board.places)
        score = board.integer(1000 * gpus + constant // weight, "stranded")
        # weight x score >= loss - (weight - 1): the least such score is the loss / weight, rounded down
        board.at_most([*terms, (-weight, score)], weight - 1 - constant, eased=False)
        return [(1, score)], 0

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        cluster = after.cluster
        typical = typical_asks(cluster)
        losses = (
            _loss(cluster, typical, gpu, after.sharing(host.name, gpu), held(after, host, gpu))
            for host in cluster.hosts.values()
            if host.state == "up"
            for gpu in host.gpus
        )
        return sum(losses) // max(1, sum(times for _, _, times in typical))


def typical_asks(cluster: Cluster) -> Typical:
    """The asks that are expected of a cluster where that is said; else those of its VMs, and how many VMs make each."""
    return asks_made_by(cluster.vms.values()) if cluster.expected is None else cluster.expected


def asks_made_by(vms: Iterable[Vm]) -> Typical:
    """The asks of these VMs, and how many of them make each."""
    found: Counter[tuple[Ask, Needs]] = Counter()
    for vm in vms:
        found.update(asks_of(vm))
    return tuple((ask, needs, times) for (ask, needs), times in found.items())


def asks_of(vm: Vm) -> set[tuple[Ask, Needs]]:
    """A VM's asks, one item of each, with whether they need CUDA."""
    return {item_of(ask, vm) for ask in vm.wants}


def item_of(ask: Ask, vm: Vm) -> tuple[Ask, Needs]:
    """One item of a VM's ask, with whether it needs CUDA."""
    return _one_item(ask.want), _CUDA if vm.needs.cuda else _NO_CUDA


@lru_cache(maxsize=65536)
def _one_item(ask: Ask) -> Ask:
    """The ask for one of what an ask wants several of."""
    return ask.model_copy(update={"count": 1}).want


_CUDA, _NO_CUDA = Needs(cuda=True), Needs()


def _loss(cluster: Cluster, typical: Typical, gpu: Gpu, sharing: Sharing, holds: Held) -> int:
    """What is stranded of a GPU that holds this, times the weights."""
    if sum(use.share_milli for use, _ in holds) >= 1000:
        return 0
    return sum(times * stranded_by(cluster, ask, needs, gpu, sharing, holds) for ask, needs, times in typical)


def stranded_by(cluster: Cluster, ask: Ask, needs: Needs, gpu: Gpu, sharing: Sharing, holds: Held) -> int:
    """The thousandths of a GPU that holds this which are free and which further items of one ask cannot use."""
    free = 1000 - sum(use.share_milli for use, _ in holds)
    if free <= 0 or all(use_for(cluster, ask, needs, gpu, other) is None for other in gpu.sharings):
        return 0
    model = model_of(cluster, gpu)
    uses = ((how, use_for(cluster, ask, needs, gpu, how)) for how in ((sharing,) if holds else gpu.sharings))
    used = max((_usable(model, how, use, holds) for how, use in uses if use is not None), default=0)
    return free - min(free, used)


@lru_cache(maxsize=65536)
def _usable(model: GpuModel, sharing: Sharing, use: Use, holds: Held) -> int:
    """The thousandths that as many items as possible would take of what is left."""
    return room_for(use, model.row_units(sharing), holds) * use.share_milli
