"""Ctrl-C as a wish to come to an end with what there is."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interruptible:
    """As a context, in the main thread, Ctrl-C sets `interrupted` instead of raising KeyboardInterrupt."""

    def __init__(self) -> None:
        self.interrupted = False
        self._before: Any = None
        """Who is told of Ctrl-C outside this context."""

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self.interrupted = True
