"""The consoles on which tables are printed: names stand as they are, colours only where there is a terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from placer_models.faults import clean

MOST_ROWS = 40
"""Nobody reads a longer list on a terminal; the JSON has all of it."""

WIDTH = 120
"""Of text that goes to no terminal, where COLUMNS does not say."""


def stderr() -> Console:
    """Where tables and progress go: nowhere, if it is closed (rich would print on standard output then)."""
    out = sys.stderr or io.StringIO()
    return Console(file=out, markup=False, highlight=False, emoji=False, soft_wrap=False, width=_width(out))


def to_text(parts: Sequence[RenderableType], *, colours: bool = False) -> str:
    """What a console would show, as text: with the colours that standard output takes, where they are wanted."""
    out, taken = io.StringIO(), Console(file=sys.stdout).color_system if colours and sys.stdout else None
    console = Console(
        file=out,
        markup=False,
        highlight=False,
        emoji=False,
        width=_width(sys.stdout),
        force_terminal=taken is not None,
        color_system=taken,  # type: ignore[arg-type]
    )
    for part in parts:
        console.print(part)
    return out.getvalue()


def _width(stream: object) -> int | None:
    try:
        terminal = bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        terminal = False
    return None if terminal or os.environ.get("COLUMNS", "").isdigit() else WIDTH


def table(*columns: str, title: str | None = None, right: Sequence[str] = ()) -> Table:
    """A plain table; the columns named in `right` hold figures."""
    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in right
        )
    return made


def row(made: Table, *cells: object) -> None:
    """A row whose cells stand as they are, whatever is in them."""
    made.add_row(*(cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in cells))


def plain(text: str, style: str = "") -> Text:
    """A line that stands as it is."""
    return Text(clean(text), style=style)


def cut(count: int, shown: int, what: str) -> Text | None:
    """The line that says how many more there are."""
    return plain(f"... and {count - shown} more {what}", "dim") if count > shown else None
