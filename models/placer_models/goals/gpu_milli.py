"""Goal `gpu-milli`: most GPU is given to the requested VMs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from placer_models.cluster import Cluster, Vm
from placer_models.goals.goal import Goal
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class GpuMilli(Goal):
    """The thousandths of a GPU that the powered-on requests are given: 1000 for a whole GPU, the share asked for of a
    fraction, and a profile's share of its GPU's memory.
    """

    kind: Literal["gpu-milli"] = "gpu-milli"
    sense: ClassVar[Literal["most"]] = "most"
    unit: ClassVar[str] = "thousandths of a GPU"

    def encode(self, board: Board) -> tuple[list[Term], int]:
        cluster = board.scene.cluster
        return [
            (milli_of(cluster, vms.vm), count) for vms, _, count in board.where(set(board.asked)) if not vms.fixed
        ], 0

    def limit(self, before: Scene) -> int:
        cluster = before.cluster
        return sum(milli_of(cluster, cluster.vms[vm]) for vm in cluster.asked)

    def on_host(self, before: Scene, after: Scene, host: str) -> int:
        cluster = after.cluster
        return sum(milli_of(cluster, cluster.vms[stand.vm]) for stand in after.on(host) if stand.vm in cluster.asked)

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        cluster = after.cluster
        return sum(milli_of(cluster, cluster.vms[vm]) for vm in cluster.asked if after.of(vm))


def milli_of(cluster: Cluster, vm: Vm) -> int:
    """The thousandths of a GPU that a VM asks for in all (a profile that several models have: of the first of them)."""
    total = 0
    for ask in vm.wants:
        if ask.profile is None:
            total += ask.count * (ask.milli or 1000)
            continue
        for model in cluster.catalogue.profile_models(ask.profile):
            uses = (model.use(sharing, profile=ask.profile) for sharing in ("same-size", "mixed-size", "mig"))
            share = next((use.share_milli for use in uses if use is not None), None)
            if share is not None:
                total += ask.count * share
                break
    return total
