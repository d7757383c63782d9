"""A merged cluster in pieces that no VM could come to two of: each is small enough to be solved in whole numbers, and
what nobody beats in each of them, added up, nobody beats in all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

Thing = TypeVar("Thing")


def pieces(spots: Iterable[tuple[Thing, Collection[int]]]) -> list[tuple[list[int], list[Thing]]]:
    """Places (by number) and who can come to some of them, piece by piece."""
    known: list[tuple[set[int], list[Thing]]] = []
    for one, places in spots:
        mine, things = set(places), [one]
        others: list[tuple[set[int], list[Thing]]] = []
        for piece in known:
            if piece[0].isdisjoint(mine):
                others.append(piece)
            else:
                mine |= piece[0]
                things = [*piece[1], *things]
        if mine:
            known = [*others, (mine, things)]
    return [(sorted(places), things) for places, things in known]
