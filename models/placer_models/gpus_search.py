"""A GPU's row of units, as it is searched for items that could be added."""

from __future__ import annotations

from collections.abc import Iterator

from placer_models.gpus_row import Items, Use, units_at, units_taken, within_limits

Counts = tuple[int, ...]
"""How many items of each use."""

Seats = tuple[tuple[int, int | None], ...]
"""Items, each as the index of its use and its slot."""

STATES_PER_LAYOUT = 2
"""The search gives up (as if there were too many layouts) after this many intermediate states for each layout of the
limit.
"""


class TooMany(Exception):
    """More layouts, or more states of the search, than the caller wants."""


class Row:
    """What may be added to one GPU: items of these uses, all of one lock, beside those that are held."""

    def __init__(self, uses: list[Use], row_units: int, held: Items, limit: int) -> None:
        self.uses, self.units, self.held, self.limit = uses, row_units, held, limit
        self.taken = units_taken(held)
        self.capped = [bool(use.caps) for use in uses]
        self.none: Counts = (0,) * len(uses)
        self.starts = [
            tuple(
                start
                for start in use.starts or ()
                if start + use.units <= row_units and not self.taken & units_at(start, use.units)
            )
            for use in uses
        ]

    def one_more(self, counts: Counts, index: int) -> Counts | None:
        """The counts with one more of a use; None: a named limit forbids it."""
        more = (*counts[:index], counts[index] + 1, *counts[index + 1 :])
        if self.capped[index]:
            standing = [(use, None) for use, number in zip(self.uses, counts, strict=True) for _ in range(number)]
            if not within_limits(self.uses[index], [*self.held, *standing]):
                return None
        return more

    def free(self, index: int, mask: int) -> Iterator[int]:
        """The starts of a use at which it overlaps none of these units."""
        units = self.uses[index].units
        return (start for start in self.starts[index] if not mask & units_at(start, units))

    def bounded(self, states: int, maximal: bool = True) -> None:
        """Raises TooMany where these are too many states of the search."""
        if states > self.limit * (STATES_PER_LAYOUT if maximal else 1):
            raise TooMany
