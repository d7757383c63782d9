"""pydantic's errors in the operator's words: the document's own path, what was found, what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, Tag

from placer_models.faults import CONTROL, MOST_COMPARED, Faults, at, path_of, quote

NAME_PATTERN = f"^[^{CONTROL}]*$"
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "none_required": "null",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "datetime_type": "a time such as 2026-11-20T18:00:00Z",
    "datetime_parsing": "a time such as 2026-11-20T18:00:00Z",
    "datetime_from_date_parsing": "a time such as 2026-11-20T18:00:00Z",
    "date_type": "a day such as 2026-11-20",
    "date_parsing": "a day such as 2026-11-20",
    "date_from_datetime_parsing": "a day such as 2026-11-20",
    "date_from_datetime_inexact": "a day such as 2026-11-20",
    "timezone_aware": "a time with its zone, such as 2026-11-20T18:00:00Z",
}
_KINDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    datetime: "a time such as 2026-11-20T18:00:00Z",
    AwareDatetime: "a time such as 2026-11-20T18:00:00Z",
    date: "a day such as 2026-11-20",
    NoneType: "null",
}


@dataclass
class _Place:
    """Where an error is: pydantic's location without union tags and validators, and what stands there."""

    parts: list[str | int]
    owner: type[BaseModel] | None = None
    description: str | None = None
    annotation: Any = Any
    is_key: bool = False

    @property
    def path(self) -> str:
        return path_of(self.parts)

    @property
    def above(self) -> str:
        return path_of(self.parts[:-1])

    @property
    def hint(self) -> str:
        text = self.description or _kind(self.annotation)
        return f" ({text})" if text else ""


def sentences(cls: type[BaseModel], data: object, errors: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each of pydantic's errors; the alternatives of a plain union become one."""
    told: dict[tuple[str, str], list[str]] = {}
    meant: set[str] = set()
    missing: dict[tuple[str, str], str] = {}
    for error in errors:
        place = _locate(cls, data, error["loc"])
        kind, context, value = error["type"], error.get("ctx", {}), error["input"]
        cause = context.get("error")
        if kind == "missing":
            key = str(place.parts[-1])
            missing[place.above, f"missing {quote(key)}{place.hint}"] = place.path
            told[place.above, f"missing {quote(key)}{place.hint}"] = []
        elif kind == "extra_forbidden":
            known = [info.alias or name for name, info in place.owner.model_fields.items()] if place.owner else []
            near = _nearest(place.parts[-1], known)
            meant.update(path_of([*place.parts[:-1], key]) for key in near)
            listed = f"; known: {', '.join(known)}" if known else ""
            told[place.path, f"unknown key{_did_you_mean(near)}{listed}"] = []
        elif kind == "union_tag_not_found":
            kinds = _tags(place.annotation, context["discriminator"].strip("'"))
            told[
                place.path, f"missing {context['discriminator']}" + (f" ({_one_of(kinds, None)})" if kinds else "")
            ] = []
        elif kind == "union_tag_invalid":
            key = context["discriminator"].strip("'")
            found = value[key] if isinstance(value, Mapping) and key in value else context["tag"]
            options = re.findall(r"'([^']*)'", context["expected_tags"])
            told[path_of([*place.parts, key]), f"found {quote(found)}, expected "] = [_one_of(options, found)]
        elif kind == "too_short" and any(_is_inside(other["loc"], error["loc"]) for other in errors):
            continue  # pydantic counts only the items that are right, and the others have their own sentences
        elif isinstance(cause, Faults):
            for sentence in cause.sentences:
                told[_joined(place.path, sentence), ""] = []
        elif kind in ("value_error", "assertion_error"):
            told[place.path, str(cause)] = []
        elif place.is_key:
            told[place.above, f"found the key {quote(value)}, expected "] = [_expected(error)]
        else:
            told.setdefault((place.path, f"found {quote(value)}, expected "), []).append(_expected(error))
    return [
        at(path, text + " or ".join(dict.fromkeys(expected))) if text else path
        for (path, text), expected in told.items()
        if missing.get((path, text)) not in meant  # a misspelt key is one fault, not an unknown and a missing one
    ]


def _is_inside(inner: Sequence[object], outer: Sequence[object]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _joined(path: str, sentence: str) -> str:
    """A sentence of a part of the document, as one of the whole."""
    has_path = re.match(r"[\w-]+[.\[:]|\[", sentence)
    if not path or not has_path:
        return at(path, sentence)
    return f"{path}{sentence}" if sentence.startswith("[") else f"{path}.{sentence}"


def _expected(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("literal_error", "enum"):
        return _one_of(re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]], error["input"])
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return "a name without control characters and line breaks"
    if kind in _EXPECTED:
        text = _EXPECTED[kind].format(**context).removesuffix(".0")
        return re.sub(r"\b1 (\w+)s$", r"1 \1", text)
    message = str(error["msg"]).removeprefix("Input should be ")
    return message[:1].lower() + message[1:]


def _one_of(options: Sequence[str], found: object) -> str:
    listed = [quote(option) for option in options]
    text = " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
    return text + _did_you_mean(_nearest(found, options) if len(listed) > 1 else ())


def _nearest(found: object, options: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(found[:MOST_COMPARED], options, 1, 0.7) if isinstance(found, str) else []


def _did_you_mean(near: Sequence[str]) -> str:
    return f"; did you mean {quote(near[0])}?" if near else ""


def _kind(annotation: Any) -> str:
    """What is expected by the type alone, in words; nothing where the type says too little."""
    annotation = _bare(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _one_of([str(option) for option in arguments], None)
    if origin in (Union, UnionType):
        words = [_kind(option) for option in arguments]
        return " or ".join(dict.fromkeys(words)) if all(words) else ""
    if _is_a(origin, Sequence) or _is_a(origin, Set):
        return "a list"
    if _is_a(origin, Mapping) or _is_a(annotation, BaseModel):
        return "an object"
    return _KINDS.get(annotation, "")


def _is_a(thing: Any, cls: type) -> bool:
    return isinstance(thing, type) and issubclass(thing, cls)


def _bare(annotation: Any) -> Any:
    """The type without its `Annotated` and without an optional `None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        others = [option for option in get_args(annotation) if option is not NoneType]
        if len(others) == 1:
            return _bare(others[0])
    return annotation


def _locate(cls: type[BaseModel], data: object, loc: Sequence[str | int]) -> _Place:
    """Follows pydantic's location through the types, and where they say nothing through the data."""
    place, annotation, value, in_mapping = _Place([]), _bare(cls), data, False
    for item in loc:
        origin, arguments = get_origin(annotation), get_args(annotation)
        following: Any = Any
        if in_mapping and item == "[key]":
            place.is_key = True
            break
        in_mapping = False
        place.owner = place.description = None
        if _is_a(annotation, BaseModel):
            info = next((info for name, info in annotation.model_fields.items() if item in (info.alias, name)), None)
            place.owner = annotation
            if info:
                following, place.description = info.annotation, info.description
        elif origin in (Union, UnionType):
            annotation = _bare(next((option for option in arguments if _goes_by(option, item)), Any))
            continue
        elif _is_a(origin, Mapping):
            in_mapping, following = True, arguments[1]
        elif (_is_a(origin, Sequence) or _is_a(origin, Set)) and isinstance(item, int):
            following = arguments[item] if origin is tuple and arguments[-1] is not Ellipsis else arguments[0]
        elif not _has(value, item):
            continue
        place.parts.append(item)
        place.annotation = following
        annotation = _bare(following)
        value = value[item] if _has(value, item) else None  # type: ignore[index]
    return place


def _has(value: object, item: str | int) -> bool:
    if isinstance(value, Mapping):
        return item in value
    return isinstance(value, (list, tuple)) and isinstance(item, int) and item < len(value)


def _tags(annotation: Any, key: str) -> list[str]:
    """What a discriminating key may say."""
    options = [_bare(option) for option in get_args(_bare(annotation))]
    fields = [option.model_fields[key] for option in options if _is_a(option, BaseModel) and key in option.model_fields]
    return [str(tag) for field in fields for tag in get_args(field.annotation)]


def _goes_by(option: Any, label: str | int) -> bool:
    """Whether pydantic's label for a union's member, its tag or its class's name, means this one."""
    if any(isinstance(mark, Tag) and mark.tag == label for mark in getattr(option, "__metadata__", ())):
        return True
    option = _bare(option)
    if not _is_a(option, BaseModel):
        return False
    kinds = [info.annotation for info in option.model_fields.values() if get_origin(info.annotation) is Literal]
    return label == option.__name__ or any(label in get_args(kind) for kind in kinds)
