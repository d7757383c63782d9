"""Bytes to plain values: JSON without anything that two readers could understand differently."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from placer_models.faults import Faults, at, path_of, quote

MOST_BYTES = 512 * 2**20
"""A larger document (after gunzip) is refused: the largest cluster that we know of needs a tenth of it."""
MOST_DEPTH = 100
MOST_VALUES = 5_000_000
"""50,000 VMs on 5,000 hosts need about 1.5 million. Each value costs some 60 bytes of memory, so this bounds that."""

# Both match an unterminated text too and never look back, so that they take linear time on anything.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_TEXT_OR_BRACKET = re.compile(_TEXT.pattern + rb"|[\[{\]}]", re.DOTALL)
_ROUND = bytes.maketrans(b"[{]}", b"(())")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPECTED = {
    "Expecting value": "a value",
    "Expecting ',' delimiter": "',' or the end of the list or object",
    "Expecting ':' delimiter": "':' after the key",
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Illegal trailing comma before end of object": "a key after the comma",
    "Illegal trailing comma before end of array": "a value after the comma",
    "Extra data": "the end of the document",
    "Unterminated string starting at": "a closing quote for this text",
    "Invalid control character at": "an escape (such as \\n) for this character",
    "Invalid \\escape": "one of the escapes that JSON knows",
    "Invalid \\uXXXX escape": "four hexadecimal digits after \\u",
}


class _Strange(NamedTuple):
    """Stands in the tree for a number that is not taken, until its path is known."""

    found: str
    expected: str


def read_json(data: bytes, source: str, *, most_bytes: int = MOST_BYTES) -> object:
    """The plain value that UTF-8 JSON bytes (perhaps gzipped) stand for, or :class:`Faults`.

    Stricter than RFC 8259 makes a reader be, so that nothing is guessed: duplicate keys, ``NaN``, numbers beyond a
    64-bit float or integer, lone surrogates, nesting deeper than 100 and documents of more than ``most_bytes`` are
    refused, each with its place.
    """
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, source, most_bytes)
    if len(data) > most_bytes:
        raise Faults(source, [f"found {len(data)} bytes, expected at most {most_bytes}"])
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Faults(source, ["found UTF-16 or UTF-32, expected JSON in UTF-8"])
    data = data.removeprefix(b"\xef\xbb\xbf")
    _guard(data, source)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"found the byte 0x{data[error.start]:02x}, expected JSON in UTF-8"
        raise Faults(source, [at(_place(data, error.start), found)]) from None
    if not text.strip():
        raise Faults(source, ["found nothing, expected a JSON document"])
    return _load(text, source, _SURROGATE_ESCAPE.search(data) is not None)


def _gunzip(data: bytes, source: str, most_bytes: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            out = stream.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Faults(source, [f"found a damaged gzip file: {error}"]) from None
    if len(out) > most_bytes:
        raise Faults(source, [f"found more than {most_bytes} bytes after gunzip, expected at most that many"])
    return out


def _place(data: bytes, position: int) -> str:
    line = data.count(b"\n", 0, position) + 1
    column = position - data.rfind(b"\n", 0, position)
    return f"line {line}, column {column}"


def _guard(data: bytes, source: str) -> None:
    """Refuses, before a parser builds anything, what would cost much stack or memory."""
    too_many = f"found more than {MOST_VALUES} values, expected at most that many"
    if data.count(b",") > MOST_VALUES or data.count(b'"') > 4 * MOST_VALUES:
        raise Faults(source, [too_many])
    brackets = _TEXT.sub(b"", data).translate(_ROUND, _NOT_BRACKETS)
    if len(brackets) > 2 * MOST_VALUES:
        raise Faults(source, [too_many])
    if _deep(brackets):
        found = f"found lists or objects nested deeper than {MOST_DEPTH}, expected at most that"
        raise Faults(source, [at(_too_deep_at(data), found)])


def _deep(brackets: bytes) -> bool:
    """Each round takes the innermost pairs away, so what is d deep is gone after d rounds."""
    for _ in range(MOST_DEPTH):
        left = brackets.replace(b"()", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    return b"()" in brackets or brackets.count(b"(") > MOST_DEPTH


def _too_deep_at(data: bytes) -> str:
    depth = 0
    for token in _TEXT_OR_BRACKET.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > MOST_DEPTH:
            return _place(data, token.start())
    return ""


def _load(text: str, source: str, surrogates: bool) -> object:
    strange: list[_Strange] = []
    twice: dict[int, tuple[object, list[str]]] = {}  # the object is kept, so that its id stays its own

    def refuse(found: str, expected: str) -> _Strange:
        strange.append(_Strange(found, expected))
        return strange[-1]

    def whole(digits: str) -> object:
        if len(digits) <= 18 or (len(digits) <= 20 and abs(int(digits)) < 2**63):
            return int(digits)
        return refuse(digits, "a whole number below 2**63")

    def decimal(digits: str) -> object:
        number = float(digits)
        return refuse(digits, "a number that a 64-bit float can hold") if abs(number) == float("inf") else number

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(items)
        if len(made) < len(items):
            times = Counter(key for key, _ in items)
            twice[id(made)] = made, [key for key in made if times[key] > 1]
        return made

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_int=whole,
            parse_float=decimal,
            parse_constant=lambda word: refuse(word, "a number"),
        )
    except json.JSONDecodeError as error:
        found = quote(text[error.pos]) if error.pos < len(text) else "the end of the document"
        expected = _EXPECTED.get(error.msg, error.msg)
        place = f"line {error.lineno}, column {error.colno}"
        raise Faults(source, [f"{place}: found {found}, expected {expected}"]) from None
    if strange or twice or surrogates:
        faults = list(oddities(value, {key: keys for key, (_, keys) in twice.items()}))
        if faults:
            raise Faults(source, faults)
    return value


def oddities(value: object, twice: Mapping[int, list[str]], path: tuple[str | int, ...] = ()) -> Iterator[str]:
    """A sentence for each strange number, duplicate key (``twice``, by the object's id) and lone surrogate."""
    here = path_of(path)
    if isinstance(value, _Strange):
        found = value.found if len(value.found) <= 60 else f"{value.found[:60]}..."
        yield at(here, f"found {found}, expected {value.expected}")
    elif isinstance(value, str) and _SURROGATE.search(value):
        yield at(here, f"found {quote(value)}, expected text without lone surrogates")
    elif isinstance(value, float) and not abs(value) < float("inf"):
        yield at(here, f"found {value}, expected a finite number")
    elif isinstance(value, Mapping):
        for key in twice.get(id(value), ()):
            yield at(here, f"found the key {quote(key)} more than once")
        for key, inner in value.items():
            if isinstance(key, str) and _SURROGATE.search(key):
                yield at(here, f"found the key {quote(key)}, expected text without lone surrogates")
            yield from oddities(inner, twice, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from oddities(inner, twice, (*path, index))
