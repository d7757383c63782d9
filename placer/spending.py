"""Where an answer's time goes: the solver's deterministic seconds, which are told in the answer, and real ones, which
are said where nobody compares bytes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Spending:
    """What each part of the work took; of parts inside each other only the inner one counts. `cut` says whether the
    clock has ended some part of a search, if only its share of the time: the same search may find something else on
    another day, on which it gets further.
    """

    def __init__(self) -> None:
        self.cut = False
        self._work: defaultdict[str, float] = defaultdict(float)
        self._real: defaultdict[str, float] = defaultdict(float)
        self._part, self._since = "", time.monotonic()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is spent in the `with` block belongs to a part."""
        outer = self._turn_to(name)
        try:
            yield
        finally:
            self._turn_to(outer)

    def _turn_to(self, name: str) -> str:
        now, was = time.monotonic(), self._part
        self._real[was] += now - self._since
        self._part, self._since = name, now
        return was

    def add(self, work: float) -> None:
        """So many deterministic seconds were spent by the present part."""
        self._work[self._part] += work

    @property
    def work(self) -> Mapping[str, float]:
        """Deterministic seconds by part, in the order in which parts were first heard of."""
        return {part: round(seconds, 6) for part, seconds in self._work.items() if part and round(seconds, 6)}

    @property
    def real(self) -> Mapping[str, float]:
        """Real seconds by part."""
        return {part: seconds for part, seconds in self._real.items() if part}
