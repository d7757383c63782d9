"""Where the time of an answer went, and the memory that it might take: said on standard error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from placer.cli.options import begun

if TYPE_CHECKING:
    from placer.spending import Spending
    from placer_models.decision import Search


class Account:
    """What an answer takes, from when all that it needs has been read. `since` is when the run began."""

    def __init__(self, search: Search) -> None:
        from placer.spending import Spending

        self.since = begun()
        self.spending: Spending = Spending()
        self._search, self._reading = search, time.monotonic() - self.since

    def say(self) -> None:
        """Say where the time went; and the limit of memory, where nobody asked for one."""
        from placer.memory import default_limit_mib

        parts = {"reading": self._reading, **self.spending.real}
        took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in parts.items() if seconds >= 0.05)
        click.echo(f"time: {took or 'hardly any'}", err=True)
        if self._search.memory_limit_mib is None and (most := default_limit_mib()) is not None:
            click.echo(f"memory: at most {most} MiB, half of what was free (--memory-limit says otherwise)", err=True)
