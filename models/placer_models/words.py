"""Names in a sentence: the first of them, and that there are more."""

from __future__ import annotations

from collections.abc import Sequence


def few(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c ...`, or all of them where they are no more than so many."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def and_more(names: Sequence[str], most: int) -> str:
    """`a, b, c and 4 more`, or all of them where they are no more than so many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def all_of(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + [*names[-1:]])
