"""Jobs in slots as a search for their hours sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

PIECES = 2
"""Runs of an instance in one slot at most: before and after something else."""


@dataclass(frozen=True)
class Choice:
    """A job in a slot: at most `most` instances, each of `seconds`, from `earliest` on and over by `latest`. `takes` is
    what one takes of each of the host's resources. With `least` an instance may be done in parts of at least so many
    seconds, in any slots; each but the first takes `again` seconds longer. `most` is then how many run at once.
    """

    job: str
    slot: int
    most: int
    seconds: int
    earliest: int
    latest: int
    takes: Sequence[int]
    least: int = 0
    again: int = 0

    @property
    def pieces(self) -> int:
        """How many runs of one instance are thought of."""
        return min(PIECES, (self.latest - self.earliest) // self.least) if self.least else 1


class Begun(NamedTuple):
    """A run of a job in a slot from `start` until `end`; its runs that have one number are of one instance."""

    start: int
    job: str
    slot: int
    end: int
    instance: int
