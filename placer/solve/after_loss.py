"""The board after a host is lost: what stood there starts again on the others, where all else stays as it is.

It lives in the same CP-SAT model as the board that it is made of: who stays is counted by that board's unknowns, who
starts again by further ones, and what is left of each GPU by the layouts that the gpu rule told. Where that board is
loose, VMs that it starts are seated after the loss as suits then: more is possible, and far fewer unknowns are needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from placer.solve.survey import Survey
from placer_models.cluster import Gpu, Host, Vm
from placer_models.gpus import Sharing
from placer_models.rules.gpu_rows import Row
from placer_models.rules.rule import Board, Loss, Place, Term, Var, VmClass
from placer_models.scene import Scene


class Whole(Board, Protocol):
    """What is asked of the board of which it is made, beyond what rules ask of boards."""

    @property
    def survey(self) -> Survey:
        """What is alike in its cluster."""

    def columns(self) -> Iterable[Place]:
        """The places of all hosts, also of those about which nothing is decided."""

    def present(self, count: Var) -> int:
        """What an unknown is in the present scene."""

    def at_most_hard(self, terms: Iterable[Term], bound: int, *, eased: bool) -> None:
        """Post for a rule that must hold, whichever rule is posting."""


class AfterLoss:
    """A board whose arriving classes are those that start again; see `Board` for what each method is."""

    exact = exact_for_rules = False
    slot_choice = "chosen"

    def __init__(self, board: Whole, lost: str, again: Callable[[Vm], bool], to: Collection[str]) -> None:
        self._board, self._lost, self._loose = board, lost, not board.exact_for_rules
        live = {place.host.name for place in board.places}
        self._places = [
            place
            for place in dict.fromkeys(board.columns())
            if not self._loose or place.host.name in live or place.host.name in to or place.host.name == lost
        ]
        seen = {place.host.name for place in self._places}
        self._where: list[tuple[VmClass, Place, Var]] = []
        gone: dict[int, list[tuple[VmClass, Var]]] = defaultdict(list)
        for vms, place, count in board.where():
            if place.host.name not in seen:
                continue
            still = vms if self._loose else VmClass(vms.vm, vms.names, vms.stands, fixed=True)
            if place.host.name != lost:
                self._where.append((still, place, count))
                continue
            if again(vms.vm):
                gone[board.survey.vm(vms.names[0])].append((vms, count))
            still = VmClass(vms.vm, vms.names, vms.stands, fixed=True)
            # What stood there stands there no longer, but it counts in what is broken now.
            self._where.append((still, place, board.integer(0, "gone", board.present(count))))
        self.missing: list[Term] = []
        for members in gone.values():
            self._start_again(members, to)
        self._here: dict[str, list[tuple[VmClass, Var]]] = {place.host.name: [] for place in self._places}
        for vms, place, count in self._where:
            self._here[place.host.name].append((vms, count))
        self._rows: dict[str, list[Row]] = {} if self._loose else {place.host.name: [] for place in board.places}
        for place, gpu, sharing, holds, count in board.layouts() if not self._loose else ():
            sharings = (sharing,) if holds else gpu.sharings
            row = Row(gpu, [gpu.id], sharings, tuple(holds), (), [], count, len(place.host.gpus))
            self._rows[place.host.name].append(row)

    def _start_again(self, members: Sequence[tuple[VmClass, Var]], to: Collection[str]) -> None:
        names = tuple(name for vms, _ in members for name in vms.names)
        vms = VmClass(members[0][0].vm, names)
        started = [
            (place, self._board.integer(len(names), f"{names[0]} again@{place.host.name}"))
            for place in self._places
            if place.host.name in to and self._board.survey.admits(names[0], place.host.name)
        ]
        missing = [(1, count) for _, count in members] + [(-1, count) for _, count in started]
        self._board.at_most([(-factor, count) for factor, count in missing], 0, eased=False)
        self._where.extend((vms, place, count) for place, count in started)
        self.missing.extend(missing)

    @property
    def scene(self) -> Scene:
        return self._board.scene

    @property
    def places(self) -> Sequence[Place]:
        return self._places

    @property
    def asked(self) -> Mapping[str, int]:
        return {}

    def here(self, place: Place) -> Sequence[tuple[VmClass, Var]]:
        return self._here[place.host.name]

    def where(self, vms: Collection[str] | None = None) -> Iterable[tuple[VmClass, Place, Var]]:
        return (spot for spot in self._where if vms is None or spot[0].names[0] in vms)

    def elsewhere(self) -> Sequence[Host]:
        return ()

    def rows(self, place: Place) -> list[Row] | None:
        return [] if place.host.name == self._lost else self._rows.get(place.host.name)

    def integer(self, most: int, name: str, now: int = 0) -> Var:
        return self._board.integer(most, name, now)

    def at_most(self, terms: Iterable[Term], bound: int, *, eased: bool = True) -> None:
        self._board.at_most_hard(terms, bound, eased=eased)

    def equal(self, terms: Iterable[Term], value: int) -> None:
        self._board.equal(terms, value)

    def gate(self, place: Place, arriving: Iterable[Var], touched: Var) -> None:
        """No goal counts here."""

    def rough(self, place: Place) -> None:
        """Nobody looks at layouts here."""

    def rough_places(self) -> Sequence[Place]:
        return ()

    def narrowed(self) -> None:
        self._board.narrowed()

    def soft_breaches(self) -> tuple[list[Term], int]:
        return [], 0

    def layout(self, place: Place, gpu: Gpu, sharing: Sharing, holds: Any, count: Var) -> None:
        """Nobody looks at what is left after the loss."""

    def layouts(self) -> Iterable[tuple[Place, Gpu, Sharing, Any, Var]]:
        return ()

    def reader(self, place: Place, read: Callable[[Callable[[Var], int]], Any]) -> None:
        """Nothing is read back: it is enough that it could be done."""

    def after_loss(self, host: Host, again: Callable[[Vm], bool], to: Collection[str]) -> Loss:
        raise TypeError("one host is lost at a time")
