"""Writes `docs/rules.md` and `docs/commands.md` from the docstrings, fields and options of what is there.

    python docs/build.py

`tests/test_docs.py` compares them with what this would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from placer.cli.commands import cli
from placer.cli.exits import MEANINGS
from placer_models.decision import shipped, shipped_decision
from placer_models.goals import GOALS
from placer_models.rules import SHIPPED, kind_of

HERE = Path(__file__).parent
MADE = "<!-- written by docs/build.py; change the docstrings and options instead -->"


def rules_page() -> str:
    """Every rule, goal and shipped decision."""
    lines = ["# Rules, goals and decisions", "", MADE, "", "## Rules", ""]
    lines += ["What must hold, in the order in which rules are judged and in which reasons are given.", ""]
    for rule in SHIPPED:
        where = "Holds for every cluster." if rule.standing else 'Stated in the snapshot\'s `"rules"`.'
        lines += [f"### {kind_of(rule)}", "", where, "", _text(rule), "", *_fields(rule)]
    lines += ["## Goals", ""]
    lines += ["What is wished for. A decision names goals in order; each is solved and held before the next.", ""]
    for kind, goal in GOALS.items():
        better = {"most": "the more the better", "least": "the fewer the better"}[goal.sense]
        lines += [f"### {kind}", "", f"Counted in {goal.unit}, {better}.", "", _text(goal), ""]
    lines += ["## Shipped decisions", "", *_table(("decision", "about", "rules", "goals", "seconds"), _decisions())]
    return _page(lines)


def commands_page() -> str:
    """Every command, with its arguments and options."""
    lines = ["# Commands", "", MADE, "", _text(cli), "", *_options(cli)]
    lines += ["## Exit codes", "", *exit_codes()]
    for name, command in _commands("placer", cli):
        lines += [f"## {name}", "", f"`{_usage(name, command)}`", "", _text(command), "", *_options(command)]
    return _page(lines)


def exit_codes() -> Iterator[str]:
    """The table of exit codes, which the README has too."""
    return _table(("exit code", "means"), ((str(code), meaning) for code, meaning in MEANINGS.items()))


PAGES = {"rules.md": rules_page, "commands.md": commands_page}


def _page(lines: Iterable[str]) -> str:
    """The lines as a page, with single blank lines between paragraphs."""
    kept: list[str] = []
    for line in "\n".join(lines).splitlines():
        if line.strip() or (kept and kept[-1]):
            kept.append(line.rstrip())
    return "\n".join(kept).strip() + "\n"


def _text(of: type | click.Command) -> str:
    """A docstring or a command's help, as it stands in the source."""
    text = of.help if isinstance(of, click.Command) else of.__doc__
    return inspect.cleandoc(text or "").replace("\b\n", "").partition("\f")[0]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _fields(document: type[BaseModel]) -> Iterator[str]:
    """The keys of a rule, but for its kind."""
    schema = document.model_json_schema()
    required = set(schema.get("required", ()))
    rows = []
    for name, part in schema.get("properties", {}).items():
        if name != "kind":
            default = "" if part.get("default") is None else f"`{part['default']}`"
            given = "required" if name in required else default
            rows.append((f"`{name}`", _kind(part, schema), given, part.get("description", "")))
    if any(row[3] for row in rows):
        yield from _table(("key", "is", "if absent", "means"), rows)
    elif rows:
        yield from _table(("key", "is", "if absent"), [row[:3] for row in rows])


def _kind(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A JSON Schema's type in a few words."""
    if "$ref" in part:
        return _kind(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    if "anyOf" in part:
        kinds = (_kind(one, schema) for one in part["anyOf"] if one.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if part.get("type") == "array":
        return f"list of {_kind(part.get('items', {}), schema)}"
    if part.get("type") == "object":
        return "object"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(part.get("type", ""), "number")


def _decisions() -> Iterator[tuple[str, str, str, str, str]]:
    for name in shipped():
        decision = shipped_decision(name)
        seconds = f"{decision.search.time_limit_seconds:g}"
        yield f"`{name}`", decision.about, ", ".join(decision.rules), ", ".join(decision.goals), seconds


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            if not inner.hidden:
                yield f"{path} {name}", inner
                yield from _commands(f"{path} {name}", inner)


def _usage(name: str, command: click.Command) -> str:
    words = [name, "[OPTIONS]"]
    for param in command.params:
        if isinstance(param, click.Argument):
            word = param.metavar or (param.name or "").upper()
            many = "..." if param.nargs == -1 else ""
            words.append((word if param.required else f"[{word}]") + many)
    return " ".join([*words, *(["COMMAND [ARGS]..."] if isinstance(command, click.Group) else [])])


def _options(command: click.Command) -> Iterator[str]:
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    if options:
        yield from _table(("option", "means", "if absent"), [_option(option) for option in options])


def _option(option: click.Option) -> tuple[str, str, str]:
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    takes = ""
    if isinstance(option.type, click.Choice):
        takes = " " + " or ".join(f"`{choice}`" for choice in option.type.choices)
    elif not option.is_flag and not option.count:
        takes = f" {option.metavar or option.type.name.upper()}"
    shown = isinstance(option.default, str | int | float | Path) and not option.is_flag
    default = "required" if option.required else f"`{option.default}`" if shown else ""
    return names + takes, (option.help or "") + (" May be given several times." if option.multiple else ""), default


if __name__ == "__main__":
    for page_name, page in PAGES.items():
        (HERE / page_name).write_text(page(), encoding="utf-8")
