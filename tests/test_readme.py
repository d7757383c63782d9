"""The documents cannot lie: every command in them is run, and what they show is what comes out.

In a `console` block, lines that begin with `$ ` are commands (`> ` begins their further lines), the others are output.
Every output line must come out, in this order; `...` in a line stands for anything, a line `...` for any lines, and the
width of white space does not count. A command must end with 0 unless `echo $?` follows it. A block under
`<!-- not run: reason -->` is left. A `python` block is run as a program and must end with 0.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHIPPED = ("fixtures", "models", "placer", "bench", "docs", "run", "pyproject.toml")

NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
MAY_STAY_UNRUN = re.compile(
    r"git |cd |pip |pre-commit |\./run (setup|test|lint)\b|\.ci/run|bash \.ci/run|python -m bench"
)
"""Setting up, and what would run these very tests again or measure for minutes."""

SECONDS = 120


@dataclass(frozen=True)
class Command:
    """One command of a page, with the output lines that the page shows."""

    line: int
    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """One console block; `reason` says why it is not run."""

    commands: tuple[Command, ...]
    reason: str | None


def blocks(page: str) -> Iterator[Block]:
    """The console blocks of a page, and its python blocks as one command each."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"(\s*)```(console|python)\s*", lines[at])
        if fence is None:
            at += 1
            continue
        above = next((line for line in reversed(lines[:at]) if line.strip()), "")
        unrun = NOT_RUN.search(above)
        first = at = at + 1
        while lines[at].strip() != "```":
            at += 1
        inside = [line.removeprefix(fence[1]) for line in lines[first:at]]
        if fence[2] == "python":
            inside = ["$ python - <<'END'", *(f"> {line}" for line in [*inside, "END"])]
        yield Block(tuple(_commands(inside, first + 1)), unrun[1] if unrun else None)


def _commands(lines: list[str], first: int) -> Iterator[Command]:
    starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text, at = [lines[start][2:]], start + 1
        while at < end and lines[at].startswith("> "):
            text.append(lines[at][2:])
            at += 1
        shown = tuple(line for line in lines[at:end] if line.strip())
        yield Command(first + start, "\n".join(text), shown)


def missing(shown: tuple[str, ...], real: str) -> str | None:
    """The first shown line that does not come out after those before it."""
    rest = iter([" ".join(line.split()) for line in real.splitlines()])
    for line in shown:
        wanted = ".*".join(re.escape(part) for part in " ".join(line.split()).split("..."))
        if line.strip() != "..." and not any(re.fullmatch(wanted, one) for one in rest):
            return line
    return None


def false_claims(page: str, folder: Path) -> list[str]:
    """Run every block of a page in a folder, in order; what does not come out as shown."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PLACER_VENV": sys.prefix,
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    found = []
    for block in blocks(page):
        if block.reason is not None:
            continue
        code = 0
        for at, command in enumerate(block.commands):
            done = subprocess.run(
                ["bash", "-c", f"(exit {code})\n{command.text}"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            code = done.returncode
            where = f"line {command.line}, $ {command.text}"
            told = [after.text for after in block.commands[at + 1 : at + 2]] == ["echo $?"]
            if code and not told:
                found.append(f"{where}: exit code {code}\n{done.stdout}")
            if (line := missing(command.shown, done.stdout)) is not None:
                found.append(f"{where}: does not say {line!r} there, but\n{done.stdout}")
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is shipped, in which commands may write."""
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_does_what_the_page_shows(page: Path, checkout: Path) -> None:
    assert false_claims(page.read_text(encoding="utf-8"), checkout) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_only_setting_up_is_not_run(page: Path) -> None:
    unrun = [block for block in blocks(page.read_text(encoding="utf-8")) if block.reason is not None]
    assert [command for block in unrun for command in block.commands if not MAY_STAY_UNRUN.match(command.text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_the_readme_begins_with_the_demo_and_the_tests() -> None:
    commands = [
        command.text for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")) for command in block.commands
    ]
    assert commands[:2] == ["./run demo", "./run test"]


PAGE = """
```console
$ printf 'esx01: 2 free\\nesx02: none\\n' > hosts; cat hosts
esx01:   ... free
esx02: none
$ (exit 3)
$ echo $?
3
```

```python
from pathlib import Path

assert Path("hosts").exists()
```

<!-- not run: it would go on forever -->
```console
$ pip install everything
```
"""


def test_an_honest_page_passes(tmp_path: Path) -> None:
    assert false_claims(PAGE, tmp_path) == []
    assert [block.reason for block in blocks(PAGE)] == [None, None, "it would go on forever"]


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("esx02: none\n", "esx02: some\n"),
        ("... free", "3 free"),
        ("$ echo $?\n3\n", ""),
        ("$ echo $?\n3", "$ echo $?\n0"),
    ],
)
def test_a_lying_page_is_found_out(true: str, false: str, tmp_path: Path) -> None:
    assert true in PAGE
    assert len(false_claims(PAGE.replace(true, false), tmp_path)) == 1
