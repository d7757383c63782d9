"""Unknowns and conditions of a board, as a CP-SAT model that also knows what each unknown is in the present scene.

A condition that the scene breaks already is eased to what it breaks (no answer may make it worse), one of a rule that
is only wished for is counted, and from conditions about room sharper ones follow (`placer.solve.sharpen`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from ortools.sat.python import cp_model

from placer.solve.sharpen import Room, Side, gate, room_of
from placer_models.rules.rule import Place, Term, Var


class TooLarge(Exception):
    """The board would have more unknowns than were allowed, or take longer to set up than there is time."""


def reading(values: Sequence[int]) -> Callable[[Var], int]:
    """What each unknown is in a solution, whose values these are."""
    return lambda unknown: unknown if isinstance(unknown, int) else values[unknown.index]


class Conditions:
    """A model with at most so many unknowns, set up before it is `over`: else TooLarge is raised. What rules may ask of
    it is said by `placer_models.rules.rule.Board`.
    """

    def __init__(self, most: int | None = None, over: Callable[[], bool] = lambda: False) -> None:
        self.model = cp_model.CpModel()
        self._limit, self._over = most, over
        self._now: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._unknowns: dict[int, cp_model.IntVar] = {}
        self._conditions: list[tuple[list[int], list[cp_model.IntVar], int]] = []
        self._softly = False
        """Whether the rule that is posting is only wished for."""
        self._soft: list[Term] = []
        self._soft_constant = 0

    def integer(self, most: int, name: str, now: int = 0) -> Var:
        unknown = self.model.new_int_var(0, most, name)
        if (self._limit is not None and unknown.index >= self._limit) or self._over():
            raise TooLarge
        self._now[unknown.index], self._most[unknown.index] = now, most
        self._unknowns[unknown.index] = unknown
        return unknown

    def at_most(self, terms: Iterable[Term], bound: int, *, eased: bool = True) -> None:
        factors, unknowns, constant = self.merged(terms)
        if eased and self._softly:
            most = constant + sum(f * self._most[u.index] for f, u in zip(factors, unknowns, strict=True) if f > 0)
            if most <= bound:
                return
            if not unknowns:
                self._soft_constant += constant - bound
                return
            over = self.integer(most - bound, "over")
            factors.append(-1)
            unknowns.append(over)
            self._soft.append((1, over))
        elif eased:
            present = constant + sum(f * self._now[u.index] for f, u in zip(factors, unknowns, strict=True))
            bound = max(bound, present)
            self._conditions.append((factors, unknowns, bound - constant))
        if unknowns or constant > bound:
            self.model.add(cp_model.LinearExpr.weighted_sum(unknowns, factors) <= bound - constant)

    def equal(self, terms: Iterable[Term], value: int) -> None:
        factors, unknowns, constant = self.merged(terms)
        self.model.add(cp_model.LinearExpr.weighted_sum(unknowns, factors) == value - constant)

    def present(self, count: Var) -> int:
        """What an unknown is in the present scene."""
        return count if isinstance(count, int) else self._now[count.index]

    def at_most_hard(self, terms: Iterable[Term], bound: int, *, eased: bool) -> None:
        """Post for a rule that must hold, whichever rule is posting."""
        softly, self._softly = self._softly, False
        self.at_most(terms, bound, eased=eased)
        self._softly = softly

    def soft_breaches(self) -> tuple[list[Term], int]:
        return list(self._soft), self._soft_constant

    def gate(self, place: Place, arriving: Iterable[Var], touched: Var) -> None:
        indexes = {unknown.index: None for unknown in arriving}
        for room in [room for index in indexes for room in self._rooms.get(index, ()) if place.m == 1]:
            terms = gate(room, self._unknowns, indexes, touched)
            if terms is not None:
                self.at_most(terms, room.bound - room.free, eased=False)

    @cached_property
    def _rooms(self) -> Mapping[int, list[Room]]:
        """The rules' conditions from which sharper ones follow, by the first unknown that arrives."""
        found: dict[int, list[Room]] = defaultdict(list)
        for factors, unknowns, bound in self._conditions:
            numbers = [unknown.index for unknown in unknowns]
            sides = [Side(f, i, self._now[i], self._most[i]) for f, i in zip(factors, numbers, strict=True)]
            room = room_of(sides, bound)
            if room is not None:
                found[room.arrivals[0].index].append(room)
        return found

    @staticmethod
    def merged(terms: Iterable[Term]) -> tuple[list[int], list[cp_model.IntVar], int]:
        """Terms as factors, unknowns (each once) and a constant."""
        factors: dict[int, int] = defaultdict(int)
        unknowns: dict[int, cp_model.IntVar] = {}
        constant = 0
        for factor, unknown in terms:
            if isinstance(unknown, int):
                constant += factor * unknown
            else:
                factors[unknown.index] += factor
                unknowns[unknown.index] = unknown
        return list(factors.values()), list(unknowns.values()), constant
