"""How two documents differ, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from placer.report.console import MOST_ROWS, cut, plain, row, stderr, table
from placer_models.difference import Change, Difference
from placer_models.words import few

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def print_difference(found: Difference) -> None:
    """Print it on standard error."""
    console = stderr()
    if not found.changes:
        console.print(plain(f"the {found.of} do not differ"))
        return
    made = table("", "what", "which", "before", "after")
    for change in found.changes[:MOST_ROWS]:
        row(
            made,
            SIGNS[change.change],
            change.what,
            change.name,
            told(change, change.before),
            told(change, change.after),
        )
    console.print(made)
    if more := cut(len(found.changes), MOST_ROWS, "differences"):
        console.print(more)
    counts = {kind: sum(change.change == kind for change in found.changes) for kind in SIGNS}
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    console.print(plain(f"{said}; {found.same} the same"))


def told(change: Change, values: Mapping[str, Any] | None) -> str:
    """What one document says of a part, in a few words."""
    if values is None:
        return ""
    if "is" in values:
        return _word(values["is"])
    keys = change.keys or [key for key in values if key not in ("kind", "name", "vm", "job", "instance")]
    return ", ".join(f"{key} {_word(values[key])}" for key in keys if key in values)


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_word(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return few([_word(inner) for inner in value])
    return "none" if value is None else str(value)
