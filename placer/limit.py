"""Until when an answer is wanted: the time limit, and Ctrl-C."""

from __future__ import annotations

import time
from types import FrameType

from placer.interrupt import Interruptible

JUDGED, EXPLAINED = 6.0, 0.4
"""How long it takes to judge and write an answer, and to explain why one kind of VMs stays off, the hosts looked at
being as many as VMs stand on: in multiples of how long one look of the rules at the cluster takes.
"""

MOST = 0.5
"""The part of the limit that is kept for that at most."""

WRITTEN = 2.0
"""How long it takes to close and write an answer, likewise."""

LEAST_WORK = 0.1
"""Seconds of work from which on it is told how fast it goes."""

OVER, OVER_SECONDS, MORE_SECONDS = 1.1, 3.0, 1.0
"""How far beyond the limit the answer is written at the latest; and how far beyond its tenth reasons are looked for at
the latest, before the rest goes without.
"""


class Timed:
    """How long the work in a `with` block took, and how long it would take now that others may want the machine."""

    def __init__(self) -> None:
        self._begun = self._ended = _clocks()

    def __enter__(self) -> Timed:
        self._begun = _clocks()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = _clocks()

    def now(self) -> float:
        """Real seconds: as many as it took, or more, if each second of work has taken longer since."""
        (begun, worked_before), (ended, worked) = self._begun, self._ended
        now, worked_now = _clocks()
        slower = (now - ended) / (worked_now - worked) if worked_now - worked > LEAST_WORK else 0.0
        return max(ended - begun, slower * (worked - worked_before))


def _clocks() -> tuple[float, float]:
    """Real seconds, and those that the process has worked (on all its threads)."""
    return time.monotonic(), time.process_time()


class Limit(Interruptible):
    """The time that an answer may take: so many seconds from `since` (of `time.monotonic`; default: now), part of which
    is kept for what comes after the search.

    As a context, in the main thread, the first Ctrl-C sets `interrupted` and ends the search instead of raising
    KeyboardInterrupt; the second raises it.
    """

    def __init__(self, seconds: float, since: float | None = None) -> None:
        super().__init__()
        self._seconds = seconds
        self._since = time.monotonic() if since is None else since
        self.look = Timed()
        """One look of the rules at the cluster."""

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        super()._interrupt(_signal, _frame)

    @property
    def deadline(self) -> float:
        """When the search must end, of `time.monotonic`, but for what is kept for afterwards."""
        return time.monotonic() if self.interrupted else self._since + self._seconds

    def kept(self, kinds: int, hosts: int, stands: int) -> float:
        """The seconds that are kept to judge and explain an answer: so many kinds of VMs stay off."""
        needed = self.look.now() * (JUDGED + EXPLAINED * kinds * hosts / max(1, hosts + stands))
        return min(MOST * self._seconds, needed)

    def over(self) -> bool:
        """Whether nothing further should be looked for, not even reasons."""
        more = min(MORE_SECONDS, OVER_SECONDS - WRITTEN * self.look.now())
        return self.interrupted or time.monotonic() > self._since + OVER * self._seconds + more
