"""Exit codes, and how what goes wrong becomes one of them and a sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placer.cli.files import STDOUT, leave_stdout
from placer.disagreement import Disagreement
from placer_models.faults import Faults, clean

if TYPE_CHECKING:
    from placer_models.plan import Placements, Plan

DONE, SOME_NOT, BAD_INPUT, REFUSED, NO_ANSWER, OUR_BUG, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130

MEANINGS = {
    DONE: "all that was asked is done",
    SOME_NOT: "some of it could not be done; the answer says why",
    BAD_INPUT: "bad usage or a bad document",
    REFUSED: "the judge refuses the placements or the plan",
    NO_ANSWER: "time ran out with no answer",
    OUR_BUG: "a bug of placer's; a snapshot that shows it is left",
    INTERRUPTED: "interrupted; the best judged answer so far is written",
}


@dataclass
class Case:
    """What one run was given, kept so that a bug of ours can be run again.

    `snapshot` are the bytes that were read, `beside` is the file that the answer was to go to, `begun` is when it began
    (of `time.monotonic`). `names` are the files in which "the snapshot", "the plan" and "the placements" were found.
    """

    words: Sequence[str] = ()
    snapshot: bytes | None = None
    beside: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    stdin_taken: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)


def run(command: click.Command, args: Sequence[str] | None = None, **extra: Any) -> int:
    """Run the command line and return the exit code."""
    case = Case(tuple(sys.argv[1:] if args is None else args))
    extra.setdefault("prog_name", "placer")
    try:
        code = command.main(args=None if args is None else list(args), standalone_mode=False, obj=case, **extra)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as nothing:
        nothing.show()
        return BAD_INPUT
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else "placer"
        _say(f"{path}: {clean(wrong.format_message())} ({path} --help says more)")
        return BAD_INPUT
    except click.ClickException as wrong:
        _say(f"placer: {clean(wrong.format_message())}")
        return BAD_INPUT
    except Faults as faults:
        source = case.names.get(faults.source, faults.source)
        _say(str(Faults(source, faults.sentences, faults.more, faults.at_least)))
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted before there was an answer")
        return INTERRUPTED
    except Disagreement as bug:
        _say("a bug of placer's: its judge refuses what its search proposed")
        for fault in bug.faults:
            _say(f"  {clean(fault)}")
        _leave(case)
        return OUR_BUG
    except Exception as bug:
        if isinstance(bug, OSError) and bug.errno == errno.ENOSPC:  # of help, of tables
            leave_stdout()
            _say(f"{STDOUT} or <stderr>: cannot be written: {bug.strerror}")
            return BAD_INPUT
        said = traceback.format_exception_only(bug)[-1].strip()
        _say(f"a bug of placer's: {clean(said)}")
        _leave(case)
        return OUR_BUG
    return int(code or DONE)


def _say(sentence: str) -> None:
    """Tell it, if standard error takes it: the exit code is the same."""
    with contextlib.suppress(OSError):
        click.echo(sentence, err=True)


def ended(answer: Placements | Plan, what: str, *, done: bool) -> int:
    """The exit code of an answer that is written; that it was interrupted is said. `done`: all that was asked is."""
    if answer.stopped == "interrupted":
        click.echo(f"interrupted: this is the best {what} so far, and the judge passed it", err=True)
        return INTERRUPTED
    if answer.status == "unknown":
        return NO_ANSWER
    return DONE if done else SOME_NOT


def _leave(case: Case) -> None:
    """Leave what shows a bug again: the snapshot as it was read, and a report with the command and the traceback."""
    from placer_models.document import digest

    report = _report(case)
    data = case.snapshot if case.snapshot is not None else report.encode()
    name = f"placer-bug-{digest(data)[:12]}"
    beside = Path(case.beside or "-")
    kept = [beside.parent] if beside.is_file() or not beside.exists() else []  # not beside /dev/null
    for folder in dict.fromkeys((*kept, Path())):
        left = []
        if case.snapshot is not None:
            ending = ".json.gz" if data.startswith(b"\x1f\x8b") else ".json"
            left.append(_new(folder / (name + ending), data))
        left.append(_new(folder / f"{name}.txt", report.encode()))
        if all(left):
            _say(f"please report it with {' and '.join(clean(str(path)) for path in left)}")
            return
    _say(clean(report.strip().splitlines()[-1]))


def _report(case: Case) -> str:
    import importlib.metadata
    import platform

    versions = f"Python {platform.python_version()}"
    for package in ("gpu-placer", "ortools", "pydantic"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions += f", {package} {importlib.metadata.version(package)}"
    return f"$ placer {shlex.join(case.words)}\n{versions}\n\n{traceback.format_exc()}"


def _new(path: Path, data: bytes) -> Path | None:
    """Write a file that is not there yet; one of the same name that holds the same is as good. None: it cannot be."""
    for number in range(100):
        free = path.with_name(path.name.replace(".", f"-{number}.", 1)) if number else path
        try:
            with free.open("xb") as stream:
                stream.write(data)
                os.fsync(stream.fileno())
            return free
        except FileExistsError:
            with contextlib.suppress(OSError):
                if free.read_bytes() == data:
                    return free
        except OSError:
            return None
    return None
