"""Writes `docs/rules.md` and `docs/commands.md` from the docstrings, fields and options of what is there.

    python docs/build.py

`tests/test_docs.py` compares them with what this would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from pydantic import BaseModel

from placer.cli.commands import cli
from placer.cli.exits import MEANINGS
from placer.report.manual import keys
from placer_models.decision import Decision, Search, shipped, shipped_decision
from placer_models.goals import GOALS, Goal
from placer_models.goals.night import NIGHT_GOALS, NightGoal
from placer_models.rules import SHIPPED, kind_of
from placer_models.shipped import DECISIONS

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
    lines += ["The goals of placements:", ""]
    for kind, goal in GOALS.items():
        lines += _goal(kind, goal)
    lines += ["## Goals of a night", "", "Of the plans of `placer consolidate`, in the same way.", ""]
    for kind, night_goal in NIGHT_GOALS.items():
        lines += _goal(kind, type(night_goal))
    lines += ["## Shipped decisions", "", *_table(("decision", "about", "rules", "goals", "seconds"), _decisions())]
    lines += [
        "`rules` are kinds that snapshots state, or `all`. Your own decision is such a file, for `--decision`:",
        "",
    ]
    lines += ["```toml", (DECISIONS / "power_on.toml").read_text(encoding="utf-8").strip(), "```", ""]
    about = _text(Search)
    lines += [*_fields(Decision), f"Under `search`: {about[0].lower()}{about[1:]}", "", *_fields(Search)]
    return _page(lines)


def _goal(kind: str, goal: type[Goal] | type[NightGoal]) -> list[str]:
    better = {"most": "the more the better", "least": "the fewer the better"}[goal.sense]
    return [f"### {kind}", "", f"Counted in {goal.unit}, {better}.", "", _text(goal), ""]


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
    """The keys of a rule or another document, but for its kind."""
    rows = [
        (f"`{name}`", kind, absent if absent in ("", "required") or absent[0] in "[{" else f"`{absent}`", about)
        for name, kind, absent, about in keys(document)
    ]
    if any(about for *_, about in rows):
        yield from _table(("key", "is", "if absent", "means"), rows)
    elif rows:
        yield from _table(("key", "is", "if absent"), [row[:3] for row in rows])


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
            word = (param.metavar or (param.name or "").upper()).strip("[]")
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
