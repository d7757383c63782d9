"""What the search for one window found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from placer.night.back import Back
from placer.night.flash import Flash
from placer.solve.errands import Run, value_of
from placer.solve.motion import Schedule
from placer.solve.night import NightOutcome
from placer.solve.target import Target


@dataclass
class Result:
    """A night's target with its schedule and its jobs, and what the search knows of it. `hours` says from when until
    when each freed host is free.
    """

    target: Target
    schedule: Schedule
    back: Back
    hours: dict[str, tuple[int, int]]
    runs: list[Run]
    outcome: NightOutcome
    flashes: Sequence[Flash] = ()

    @property
    def value(self) -> int:
        """What the jobs bring that run."""
        return value_of(self.runs)
