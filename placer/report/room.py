"""How many more of each ask fit, as a table."""

from __future__ import annotations

from placer.report.console import MOST_ROWS, plain, row, stderr, table
from placer_models.room import Room
from placer_models.words import and_more


def print_room(room: Room) -> None:
    """Print it on standard error."""
    console = stderr()
    made = table("ask", "more", "at most", "", "hosts", right=("more", "at most"))
    for one in room.asks:
        hosts = and_more([f"{host} {count}" for host, count in one.hosts.items()], 6)
        most = "" if one.bound is None else f"{one.bound:,}"
        row(made, one.name, f"{one.more:,}", most, "exact" if one.proven else "not proven", hosts)
    console.print(made)
    for one in room.asks:
        if one.full:
            console.print(plain(f"one more of {one.name}:"))
            for sentence in one.full[:MOST_ROWS]:
                console.print(plain(f"    {sentence}"))
