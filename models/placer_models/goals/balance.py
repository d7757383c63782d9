"""Goal `balance`: the fullest host is as little full as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from placer_models.cluster import Host, Vm
from placer_models.goals.goal import Goal
from placer_models.rules.rule import Board, Rule, Term
from placer_models.scene import Scene


class Balance(Goal):
    """The highest share of CPUs or memory that is given on any host, in thousandths of what VMs may have there,
    rounded up.
    """

    kind: Literal["balance"] = "balance"
    sense: ClassVar[Literal["least"]] = "least"
    unit: ClassVar[str] = "thousandths of a host"

    def encode(self, board: Board) -> tuple[list[Term], int]:
        fullest = board.integer(10**6, "fullest")
        for place in board.places:
            here = board.here(place)
            for room, amount in _sides(place.host):
                given = [(1000 * amount(vms.vm), count) for vms, count in here]
                board.at_most([*given, (-room * place.m, fullest)], 0, eased=False)
        elsewhere = board.elsewhere()
        if elsewhere:
            now = max(fullness(board.scene, host) for host in elsewhere)
            board.at_most([(-1, fullest)], -now, eased=False)
        return [(1, fullest)], 0

    def score(self, before: Scene, after: Scene, rules: Sequence[Rule]) -> int:
        return max((fullness(after, host) for host in after.cluster.hosts.values()), default=0)


def _sides(host: Host) -> list[tuple[int, Callable[[Vm], int]]]:
    """The host's resources that it has any of: the room, and what a VM takes of it."""
    sides = ((host.cpu_room_milli, _cpus), (host.memory_room_mib, _memory))
    return [(room, side) for room, side in sides if room]


def _cpus(vm: Vm) -> int:
    return vm.cpu_milli


def _memory(vm: Vm) -> int:
    return vm.memory_mib


def fullness(scene: Scene, host: Host) -> int:
    """How full a host is by what is given of it: thousandths of its CPUs or its memory, the higher, rounded up."""
    use = scene.use(host.name)
    memory = use.gpu_vms_memory_mib + use.other_memory_mib
    sides = ((use.cpu_milli, host.cpu_room_milli), (memory, host.memory_room_mib))
    return max((-(-1000 * given // room) for given, room in sides if room), default=0)
