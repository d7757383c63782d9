"""One line while the search runs: the goal, its score, its bound, the gap. Only on a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.status import Status


class Live:
    """A `with` block in which `progress` can be told of better scores; `seconds` is how long it took."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.seconds = 0.0
        self._wanted = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._status: Status | None = None

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._wanted:
            from placer.report.console import stderr

            self._status = stderr().status("reading")
            self._status.start()
        return self

    def progress(self, label: str, score: int, bound: int | None) -> None:
        """Show a better score."""
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(line(label, score, bound, time.monotonic() - self._started)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._started
        if self._status is not None:
            self._status.stop()


def line(label: str, score: int, bound: int | None, seconds: float) -> str:
    """`placed 37 of at most 40, gap 7.50 %, 12 s`."""
    if bound is None:
        return f"{label} {score:,}, {seconds:.0f} s"
    gap = abs(bound - score) / max(abs(bound), 1)
    return f"{label} {score:,}, bound {bound:,}, gap {gap:.2%}, {seconds:.0f} s"
