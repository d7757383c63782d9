"""What is raised when the judge refuses what the search proposed; apart, so that catching it loads nothing."""

from __future__ import annotations

from collections.abc import Sequence


class Disagreement(RuntimeError):
    """The judge refuses what the solver proposed: a bug of ours. `faults` are the judge's sentences."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
