"""Names in a sentence: the first of them, and that there are more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def few(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c ...`, or all of them where they are no more than so many."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def and_more(names: Sequence[str], most: int) -> str:
    """`a, b, c and 4 more`, or all of them where they are no more than so many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def all_of(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + [*names[-1:]])


def once_each(sentences: Iterable[str], most: int = 5) -> str:
    """`w1, w2: may not be moved; h3: is full`, of sentences that begin with a name: what is said of several is said
    once.
    """
    by: dict[str, list[str]] = {}
    for sentence in sentences:
        who, colon, why = sentence.partition(": ")
        by.setdefault(why if colon else sentence, []).extend([who] * bool(colon))
    return "; ".join(f"{and_more(names, most)}: {why}" if names else why for why, names in by.items())
