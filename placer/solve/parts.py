"""How an instance is done in parts: pieces of the stretches of time in which hosts have room for it, one after the
other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Stretch(NamedTuple):
    """From `start` until `end` there is room in a slot."""

    slot: int
    start: int
    end: int


def covered(stretches: Sequence[Stretch], seconds: int, least: int, again: int) -> list[Stretch]:
    """Pieces that do `seconds` as soon as may be, each of at least `least`, and `again` longer where one goes on with
    another; nothing: there is no way.

    Whoever has begun goes on where it can longest: of all ways that leave no time idle this has the fewest pieces.
    """
    pieces: list[Stretch] = []
    left, now, rooms = seconds, min((one.start for one in stretches), default=0), list(stretches)
    while left > 0:
        need, short = (left + again, max(least, again + 1)) if pieces else (left, least)
        rooms = [room for room in rooms if room.end - max(room.start, now) >= short]
        if not rooms:
            return []
        room = min(rooms, key=lambda room: (max(room.start, now), -room.end, room.slot))
        start = max(room.start, now)
        end = min(room.end, start + need)
        rest = need - (end - start)
        if 0 < rest < least - again:  # too little for a piece of its own: that takes some of this one, or runs longer
            missing = least - again - rest
            end, rest = (end - missing if end - missing - start >= short else end), least - again
        pieces.append(Stretch(room.slot, start, end))
        left, now = rest, end
    return pieces


def paired(tails: Iterable[Stretch], heads: Sequence[Stretch], seconds: int, least: int, again: int) -> list[Stretch]:
    """Two pieces: all of a tail that is too short by itself, and before it the beginning of a head. So hosts are filled
    to the end one after the other (McNaughton, Management Science 6, 1959). Nothing: there is no way.
    """
    for tail in tails:
        length = min(tail.end - tail.start, seconds + again - least)
        if not least <= length < seconds or length <= again:
            continue
        rest = seconds + again - length
        for head in heads:
            if head.start + rest <= min(head.end, tail.start):
                return [
                    Stretch(head.slot, head.start, head.start + rest),
                    Stretch(tail.slot, tail.start, tail.start + length),
                ]
    return []
