"""Documents at the doors: strict JSON in, one sentence for each fault, and the same text out for the same document.

What comes in goes through :func:`read_json` (bytes to plain values) and :func:`parse` (plain values to a frozen
:class:`Document`). Both refuse with :class:`Faults`, and with no other exception.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, KeysView, Mapping
from decimal import Decimal
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from placer_models.faults import Faults, Hints, clean, path_of, quote
from placer_models.sentences import NAME_PATTERN, sentences
from placer_models.strict_json import MOST_BYTES, oddities, read_json

__all__ = [
    "MOST_BYTES",
    "Count",
    "Cpus",
    "Document",
    "Faults",
    "Hints",
    "MemoryMib",
    "Name",
    "Positive",
    "clean",
    "digest",
    "dump",
    "milli",
    "parse",
    "path_of",
    "quote",
    "read_json",
]

D = TypeVar("D", bound=BaseModel)
WIDTH = 120
MOST_TOLD = 1000
"""Nobody reads more; the others are counted."""
LARGE, HEAD = 2**19, 5000
"""Characters of a large document, and items at the head of each of its lists."""


class Document(BaseModel):  # noqa: PLW1641 -- pydantic adds a hash of the fields
    """The base of every part of a document: frozen, no unknown keys, nothing converted but an int for a float."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,  # what a command does not read costs it nothing
    )

    # Parts keep figures in cached properties, which pydantic would compare, and copy although a field has changed.

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True  # by far the most frequent question, asked by every cache
        if not isinstance(other, Document):
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return type(self) is type(other) and all(mine[key] == theirs[key] for key in _fields(self))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed; what was worked out from the fields is worked out anew."""
        copy = super().model_copy(update=update, deep=deep)
        for key in copy.__dict__.keys() - _fields(self):
            del copy.__dict__[key]
        return copy


def _fields(document: Document) -> KeysView[str]:
    return type(document).model_fields.keys()


def _three_places(value: float) -> float:
    exponent = Decimal(repr(value)).as_tuple().exponent
    if isinstance(exponent, int) and exponent < -3:
        raise ValueError(f"found {quote(value)}, expected at most three decimal places")
    return _short(value)


def _short(value: float) -> float:
    return int(value) if value == int(value) else value  # 64 is read and written as 64, not as 64.0


Name = Annotated[str, Field(min_length=1, max_length=253, pattern=NAME_PATTERN)]
"""The cluster's own id of something: 1 to 253 characters, none of them a control character or a line break."""
Count = Annotated[int, Field(ge=0, le=2**31)]
Positive = Annotated[int, Field(ge=1, le=4096)]
MemoryMib = Annotated[int, Field(ge=0, le=2**40, description="whole MiB")]
Cpus = Annotated[
    float,
    Field(ge=0, le=10**6),
    AfterValidator(_three_places),
    PlainSerializer(_short, return_type=int | float, when_used="json"),
]
"""CPUs, or a ratio: decimal with at most three places (thousandths are what clouds and Kubernetes count in)."""


def milli(value: float) -> int:
    """A number of at most three decimal places in exact thousandths: ``milli(11.9) == 11900``."""
    return round(value * 1000)


def digest(data: bytes) -> str:
    """The SHA-256 of the bytes, in hexadecimal: by it an answer names the document that it answers."""
    return hashlib.sha256(data).hexdigest()


def parse(cls: type[D], data: object, source: str) -> D:
    """The document that plain values stand for; everything that is wrong with them together as :class:`Faults`."""
    try:
        text = json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Faults(source, _odd(data) or [f"found what JSON cannot hold: {error}"]) from None
    if len(text) > LARGE:
        # pydantic keeps a kilobyte for each error: the heads of the lists show whether a large document is all wrong.
        found = _validated(cls, json.dumps(_heads(data)))
        if isinstance(found, list) and len(found) > MOST_TOLD:
            raise _refusal(cls, data, source, found, at_least=True)
    found = _validated(cls, text)
    if isinstance(found, list):
        raise _refusal(cls, data, source, found)
    return found


def _validated(cls: type[D], text: str) -> D | list[Any]:
    """The document, or pydantic's errors."""
    try:
        # By way of JSON, because only there pydantic's strict mode takes a list for a tuple and text for a time.
        return cls.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        return list(error.errors(include_url=False))


def _refusal(cls: type[BaseModel], data: object, source: str, errors: list[Any], at_least: bool = False) -> Faults:
    if errors[0]["type"] == "json_invalid":
        return Faults(source, _odd(data) or [errors[0]["msg"]])
    return Faults(source, sentences(cls, data, errors[:MOST_TOLD]), len(errors[MOST_TOLD:]), at_least)


def _heads(value: object) -> object:
    if isinstance(value, dict):
        return {key: _heads(inner) for key, inner in value.items()}
    return [_heads(inner) for inner in value[:HEAD]] if isinstance(value, list) else value


def _odd(data: object) -> list[str]:
    try:
        return list(oddities(data, {}))
    except RecursionError:
        return []


def dump(document: BaseModel) -> str:
    """The document as JSON, the same text for the same document: keys in the order of the fields, none that is null.

    What fits stands on one line, so that a long list has one item on each.
    """
    value = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    return "".join(_pretty(value, "")) + "\n"


_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _pretty(value: Any, indent: str) -> Iterator[str]:
    """Pieces of text; `indent` also counts for the width."""
    whole = _compact(value)
    if len(indent) + len(whole) < WIDTH or not isinstance(value, (dict, list)):
        yield whole
        return
    inner, comma = indent + "  ", ""
    yield "{" if isinstance(value, dict) else "["
    for item in value:
        yield f"{comma}\n{inner}"
        if isinstance(value, dict):
            yield f"{_compact(item)}: "
            yield from _pretty(value[item], inner)
        else:
            yield from _pretty(item, inner)
        comma = ","
    yield f"\n{indent}" + ("}" if isinstance(value, dict) else "]")
