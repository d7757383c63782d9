"""The rules' manual pages, from their docstrings and fields."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from placer_models.faults import Faults, Hints, quote
from placer_models.rules import RULES, Rule, kind_of


def rule_list() -> str:
    """Every rule with the first sentence of its manual page."""
    width = max(len(kind_of(rule)) for rule in RULES)
    return "".join(f"{kind_of(rule):{width}}  {_first(rule)}\n" for rule in RULES)


def rule_page(kind: str) -> str:
    """A rule's manual page. Raises Faults for a kind that no rule has."""
    kinds = {kind_of(rule): rule for rule in RULES}
    if kind not in kinds:
        raise Faults("rules", [f"found {quote(kind)}, expected one of {', '.join(kinds)}{Hints()(kind, kinds)}"])
    rule = kinds[kind]
    where = "Holds for every cluster." if rule.standing else 'Stated in the snapshot\'s "rules".'
    return "\n".join([kind, "", where, "", inspect.cleandoc(rule.__doc__ or ""), *_fields(rule)]) + "\n"


def _first(rule: type[Rule]) -> str:
    text = " ".join(inspect.cleandoc(rule.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".:") if len(text.partition(". ")[0]) <= 100 else f"{text[:97]}..."


def _fields(rule: type[Rule]) -> list[str]:
    lines = []
    for name, kind, absent, about in keys(rule):
        told = f" (if absent: {absent})" if absent else ""
        lines.append(f"  {name}: {kind}{told}" + (f": {about}" if about else ""))
    return ["", "Keys:", *lines] if lines else []


def keys(document: type[BaseModel]) -> list[tuple[str, str, str, str]]:
    """The keys of a rule but for its kind: name, what it is, what holds if it is absent, what it means."""
    schema = document.model_json_schema()
    required = set(schema.get("required", ()))
    found = []
    for name, part in schema.get("properties", {}).items():
        if name != "kind":
            default = "" if part.get("default") is None else str(part["default"])
            absent = "required" if name in required else default
            found.append((name, _words(part, schema), absent, part.get("description", "")))
    return found


def _words(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A JSON Schema's type in a few words."""
    if "$ref" in part:
        return _words(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    if "enum" in part:
        return " or ".join(str(value) for value in part["enum"])
    if "const" in part:
        return str(part["const"])
    if "anyOf" in part:
        kinds = (_words(one, schema) for one in part["anyOf"] if one.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if part.get("type") == "array":
        return f"list of {_words(part.get('items', {}), schema)}"
    if part.get("type") == "object":
        return "object"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(part.get("type", ""), "number")
