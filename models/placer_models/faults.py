"""What is wrong with a document, said to whoever wrote it: one sentence for each fault, each on one line."""

from __future__ import annotations

import difflib
import heapq
import json
import re
from collections.abc import Iterable, Mapping

MOST_SHOWN = 50
MOST_COMPARED = 100
"""Characters of a name that are compared with others: the time grows with their square."""
CONTROL = "\u0000-\u001f\u007f-\u009f\u2028\u2029"
"""Control characters and line breaks, as the inside of a regular expression's [...]."""

_UNPRINTABLE = re.compile(f"[{CONTROL}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[\w-]+")


class Faults(ValueError):
    """Why a document is refused: all its faults, each one sentence (``path: found ..., expected ...``).

    ``source`` names the document (a file's name, ``<stdin>``, ``the snapshot``). ``more`` counts the faults beyond the
    sentences, or some of them where ``at_least`` is set. ``str()`` gives a line for each of the first 50 sentences,
    with the source in front, and says how many more there are.
    """

    def __init__(self, source: str, sentences: Iterable[str], more: int = 0, at_least: bool = False) -> None:
        self.source = clean(source)
        self.sentences = tuple(clean(sentence) for sentence in sentences)
        self.more, self.at_least = more, at_least
        super().__init__(self.source, self.sentences, more, at_least)

    def __str__(self) -> str:
        lines = [f"{self.source}: {sentence}" for sentence in self.sentences[:MOST_SHOWN]]
        more = self.more + len(self.sentences) - len(lines)
        if more:
            lines.append(
                f"{self.source}: and {'at least ' if self.at_least else ''}{more} more fault{'s' if more > 1 else ''}"
            )
        return "\n".join(lines)


def clean(text: str) -> str:
    """The text on one line: control characters, line breaks, text-direction marks and lone surrogates are escaped."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def quote(value: object, most: int = 60) -> str:
    """A value as a sentence shows it: text quoted and on one line, the long shortened, lists and objects only named."""
    if isinstance(value, str):
        return f"'{clean(value)}'" if len(value) <= most else f"'{clean(value[:most])}...'"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > 200:  # Python refuses to print more than 4,300 digits
        return f"a number of {value.bit_length()} bits"
    text = clean(str(value))
    return text if len(text) <= most else f"{text[:most]}..."


class Hints:
    """Which of the known names was probably meant.

    Looking is slow where much is known, and of many faults only the first are shown: after those there are no hints.
    """

    def __init__(self, most: int = MOST_SHOWN) -> None:
        self._left = most

    def __call__(self, found: str, known: Iterable[str]) -> str:
        """``; did you mean 'esx01'?``, or nothing where no name is near."""
        if self._left == 0 or not isinstance(found, str):
            return ""
        self._left -= 1

        def unlike(name: str) -> tuple[int, int]:
            return (name[:3] != found[:3]) + (name[-3:] != found[-3:]), abs(len(name) - len(found))

        alike = heapq.nsmallest(500, known, unlike)
        near = difflib.get_close_matches(found[:MOST_COMPARED], alike, 1)
        return f"; did you mean {quote(near[0])}?" if near else ""


def path_of(parts: Iterable[str | int]) -> str:
    """``("vms", 3, "gpus", 0)`` as ``vms[3].gpus[0]``; a key that is no plain word stands in quotes."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{quote(part)}]"
    return path


def at(path: str, text: str) -> str:
    """The sentence about the place; the document as a whole has the empty path."""
    return f"{path}: {text}" if path else text
