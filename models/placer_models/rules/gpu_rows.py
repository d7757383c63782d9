"""What the gpu rule counts on a place of a board: GPUs in the same state form a *row*, its layouts offer *kinds* of
seats, and what VMs ask for are *demands* on them. What it is for is said in `placer_models.rules.gpu_board`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import product

from placer_models.cluster import Ask, Gpu, Needs
from placer_models.gpus import Layout, Sharing, Use
from placer_models.gpus_together import zones
from placer_models.gpus_use import POSITIONAL, Held, unit_of, use_of
from placer_models.rules.rule import Board, Place, Term, Var, VmClass

MOST_LEAVINGS = 4096
"""How many combinations of VMs that may leave are looked at for one GPU; beyond it they all stay or all leave."""


@dataclass(frozen=True)
class Resident:
    """A VM on a GPU that may leave it: its class, which of its holds this is, and what the hold takes."""

    vms: VmClass
    hold: int
    use: Use
    slot: int | None


@dataclass
class Row:
    """GPUs of a place in the same state: how many there are (a number or an unknown, at most `most`), and what every
    one of them holds.
    """

    gpu: Gpu
    ids: list[str]
    sharings: tuple[Sharing, ...]
    fixed: Held
    residents: tuple[Resident, ...]
    names: list[tuple[str, ...]]
    size: Var
    most: int = 0

    def leavings(self, narrowed: Callable[[], None]) -> Iterator[tuple[Resident, ...]]:
        """Each set of residents that may stay (those alike are told apart by number only, unless they have slots)."""
        positional = self.sharings[0] in POSITIONAL
        groups: dict[Hashable, list[Resident]] = defaultdict(list)
        for resident in self.residents:
            slot = resident.slot if positional else None
            groups[(id(resident.vms), resident.hold, resident.use, slot)].append(resident)
        choices = [[tuple(group[:n]) for n in range(len(group), -1, -1)] for group in groups.values()]
        combinations = 1
        for choice in choices:
            combinations *= len(choice)
        if combinations > MOST_LEAVINGS:
            narrowed()
            yield self.residents
            yield ()
            return
        for chosen in product(*choices):
            yield tuple(resident for part in chosen for resident in part)


@dataclass(frozen=True)
class Kind:
    """A kind of seat: a use of a row in a sharing. Shares that must be on different GPUs are a kind of their own, and
    so are the `tied` items of VMs with several, where the manager picks the slots.
    """

    row: int
    sharing: Sharing
    use: Use
    apart: Hashable = None
    tied: bool = False


@dataclass
class Choice:
    """One layout of a row's GPUs, and the unknown that counts the GPUs which take it."""

    row: Row
    sharing: Sharing
    staying: tuple[Resident, ...]
    layout: Layout
    kinds: tuple[Kind, ...]
    count: Var


@dataclass
class Demand:
    """Items of one kind of ask (in one zone): who asks for how many each, and the seats that could serve them."""

    ask: Ask
    needs: Needs
    zone: frozenset[str] | None
    apart: bool
    tied: bool
    asking: list[tuple[VmClass, int, Var]] = field(default_factory=list)
    options: list[tuple[Kind, Var | None]] = field(default_factory=list)

    def terms(self) -> list[Term]:
        """How many items are asked for in all."""
        return [(self.ask.count, count) for _, _, count in self.asking]


def rows_of(board: Board, place: Place) -> list[Row]:
    """The rows of a place as they stand now."""
    scene, host = board.scene, place.host
    movable = {
        name: vms for vms, _ in board.here(place) if not vms.fixed and vms.host in place.names for name in vms.names
    }
    marks = _zone_marks(board, place)
    rows: dict[Hashable, Row] = {}
    for gpu in host.gpus:
        fixed: list[tuple[Use, int | None]] = []
        residents: list[tuple[Resident, str]] = []
        for stand, hold in scene.holders(host.name, gpu.id):
            use = use_of(scene.cluster, gpu, hold)
            if use is None:
                continue
            vms = movable.get(stand.vm)
            if vms is None:
                fixed.append((use, unit_of(hold)))
            else:
                residents.append((Resident(vms, stand.holds.index(hold), use, unit_of(hold)), stand.vm))
        now = scene.sharing(host.name, gpu)
        sharings = (now,) if fixed else (now, *(other for other in gpu.sharings if other != now))
        residents.sort(key=lambda pair: (pair[0].slot or 0, pair[1]))
        key = (
            gpu.make,
            sharings,
            frozenset(gpu.sharings),  # goals ask what a GPU could be, were it empty
            tuple(sorted(fixed, key=repr)),
            tuple((id(resident.vms), resident.hold, resident.use, resident.slot) for resident, _ in residents),
            marks.get(gpu.id),
        )
        row = rows.setdefault(
            key, Row(gpu, [], sharings, tuple(fixed), tuple(resident for resident, _ in residents), [], 0)
        )
        row.ids.append(gpu.id)
        row.names.append(tuple(name for _, name in residents))
        row.size += place.m
        row.most = row.size
    return list(rows.values())


def _zone_marks(board: Board, place: Place) -> dict[str, tuple[int, ...]]:
    """Which zones each GPU is in, for the needs of those who may arrive: GPUs in different zones are not alike. Where
    somebody looks at what is left of GPUs, for the needs of all VMs.
    """
    marks: dict[str, list[int]] = defaultdict(list)
    number = 0
    arriving = (vms.vm for vms, _ in board.here(place) if not vms.fixed)
    for needs in dict.fromkeys(
        vm.needs for vm in (board.scene.cluster.vms.values() if board.exact else arriving) if vm.gpus
    ):
        for zone in zones(place.host, needs) or ():
            number += 1
            for gpu in zone:
                marks[gpu].append(number)
    return {gpu: tuple(numbers) for gpu, numbers in marks.items()}
