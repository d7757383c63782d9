"""Conditions that follow from others and that a linear relaxation does not see by itself.

In the relaxation half a VM fits everywhere, and a tenth of a host is touched. Both are cured from any condition of the
form sum(weight x VMs) <= room, whichever rule posted it:

- departures: for a VMs of one kind to arrive where F is free and each takes W > F, those who leave must free a W - F.
  At least so many must leave as the heaviest of them need for it: posted for the a that asks least for each.
- gates: where nobody arrives unless a host is touched, the weight of those who arrive less the weight of those who
  leave is at most F x touched.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from placer_models.rules.rule import Term


@dataclass(frozen=True)
class Side:
    """One unknown of a condition: its weight, its number, its value in the present scene, the most that it can be."""

    weight: int
    index: int
    now: int
    most: int


@dataclass(frozen=True)
class Room:
    """A condition sum(weight x unknown) <= bound: all weights are positive, and no unknown that counts who stands there
    now can grow.
    """

    arrivals: tuple[Side, ...]
    stays: tuple[Side, ...]
    bound: int

    @property
    def free(self) -> int:
        """What is free now."""
        return self.bound - sum(side.weight * side.now for side in self.stays)


def room_of(sides: Sequence[Side], bound: int) -> Room | None:
    """The condition as room for arrivals; None where it is of another form."""
    if any(side.weight < 0 or side.now not in (0, side.most) for side in sides):
        return None
    stays = tuple(side for side in sides if side.now and side.weight)
    arrivals = tuple(side for side in sides if not side.now and side.weight)
    room = Room(arrivals, stays, bound)
    return room if arrivals and room.free >= 0 else None


def departures(room: Room, unknowns: Mapping[int, object], wanted: frozenset[int]) -> Iterator[tuple[list[Term], int]]:
    """The conditions, as (terms, bound), on those who must leave for each of these unknowns to arrive."""
    if not room.stays:
        return
    leave = sum(side.now for side in room.stays)
    for side in room.arrivals:
        if side.index not in wanted or side.weight <= room.free:
            continue
        need = _least_per_arrival(room, side)
        if need is None:
            yield [(1, unknowns[side.index])], 0
            continue
        # need x arrivals <= sum(now - stays)
        stay = [(need.denominator, unknowns[other.index]) for other in room.stays]
        yield [(need.numerator, unknowns[side.index]), *stay], need.denominator * leave


def _least_per_arrival(room: Room, side: Side) -> Fraction | None:
    """How many must leave for each that arrives, at least; None: not even one can."""
    heaviest = sorted(((other.weight, other.now) for other in room.stays), reverse=True)
    least: Fraction | None = None
    for arriving in range(1, side.most + 1):
        leaving = _fewest(heaviest, arriving * side.weight - room.free)
        if leaving is None:
            break
        rate = Fraction(leaving, arriving)
        least = rate if least is None else min(least, rate)
    return least


def _fewest(heaviest: Sequence[tuple[int, int]], weight: int) -> int | None:
    """The fewest that weigh so much together; None: all do not."""
    number = 0
    for one, count in heaviest:
        if weight <= 0:
            return number
        take = min(count, -(-weight // one))
        number, weight = number + take, weight - take * one
    return number if weight <= 0 else None


def gate(room: Room, unknowns: Mapping[int, object], arriving: Container[int], touched: object) -> list[Term] | None:
    """The condition, as terms that are at most the weight of who stands there now, for unknowns that are 0 unless
    `touched` is 1; None where others arrive, too.
    """
    if not all(side.index in arriving for side in room.arrivals):
        return None
    sides = [(side.weight, unknowns[side.index]) for side in (*room.arrivals, *room.stays)]
    return [*sides, (-room.free, touched)]
