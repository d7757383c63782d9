"""`python -m bench all`: every row of `bench.targets`, one after the other, each call in a process of its own.

Each row is written as it ends: its lines to `DATE-table.jsonl`, and the table of all rows measured that day to
`DATE-table.md`. A row that is measured again replaces what the table said of it; its lines stay.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from bench.growth import sentence
from bench.machine import about
from bench.options import FOLDER, THERE
from bench.process import ROOT, environment
from bench.report import read_lines
from bench.tables import Line, grouped
from bench.target import Call, Files, Missing, Target
from bench.targets import BY_NAME, TARGETS

MOST_SECONDS = 1800
"""A call that has not ended by then has failed."""
RESULTS = ROOT / "bench" / "results"


@click.command("all")
@click.option("--only", "names", type=click.Choice(list(BY_NAME)), multiple=True, help="May be repeated; default: all.")
@click.option("--openb", type=THERE, envvar="PLACER_OPENB", help="The trace's folder (default: PLACER_OPENB).")
@click.option("--proxlb", type=THERE, help="Where proxlb-solver is installed.")
@click.option("--repeat", type=click.IntRange(1), help="Runs of each row (default: each row's own).")
@click.option("-o", "--output", "folder", type=FOLDER, default=RESULTS, help="A folder (default: bench/results).")
@click.option("--calls", "only_calls", is_flag=True, help="Only say which calls would be made, and how often.")
def everything(
    names: Sequence[str],
    openb: Path | None,
    proxlb: Path | None,
    repeat: int | None,
    folder: Path,
    only_calls: bool,
) -> None:
    """Measure row by row what placer is to show, and write lines, table and pictures of each row as it ends."""
    day, failed = datetime.now(UTC).date().isoformat(), 0
    if not only_calls:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = str(folder.resolve() / f"{day}-") if find_spec("matplotlib") else None
        files = Files(Path(scratch), openb and openb.resolve(), proxlb and proxlb.resolve(), pictures)
        for target in [BY_NAME[name] for name in names] or TARGETS:
            target = target if repeat is None else replace(target, repeat=repeat)
            try:
                if only_calls:
                    for call in target.calls(files):
                        click.echo(f"{target.name}: {target.repeat} x python -m {shlex.join(call)}")
                    continue
                lines = measured(target, files)
            except Missing as reason:
                click.echo(f"{target.name}: not measured: {reason}", err=True)
                continue
            kept = folder / f"{day}-table.jsonl"
            with kept.open("ab", buffering=0) as file:  # at once, so that no line is left half written
                file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            (folder / f"{day}-table.md").write_text(markdown(read_lines([kept])), encoding="utf-8")
            failed += any(line["work"] == "failed" for line in lines)
            click.echo(f"{target.name}: {': '.join(_outcome(target, lines))} ({lines[0]['row_seconds']} s)", err=True)
    if failed:
        raise click.ClickException(f"{failed} {'row' if failed == 1 else 'rows'} failed")


def measured(target: Target, files: Files) -> list[Line]:
    """The lines of a row's calls, each with the seconds of the whole row; where one fails, a line of `work` failed and
    no other. Raises Missing.
    """
    row = {"target": target.name, "taken": datetime.now(UTC).isoformat(timespec="seconds")}
    calls = target.calls(files)
    began = time.monotonic()
    try:
        lines = [
            {**row, "again": again, **line}
            for again in range(1, target.repeat + 1)
            for call in calls
            for line in _called(call)
        ]
    except click.ClickException as error:
        lines = [{**row, "work": "failed", "said": error.message, **about()}]
    took = round(time.monotonic() - began)
    return [{**line, "row_seconds": took} for line in lines]


def _outcome(target: Target, lines: Sequence[Line]) -> tuple[str, str]:
    """What was measured, and what it is worth."""
    failed = [line["said"] for line in lines if line["work"] == "failed"]
    return ("nothing", f"failed: {failed[0]}") if failed else (target.said(lines), target.verdict(lines))


def _called(call: Call) -> list[Line]:
    """The JSON lines of a call. placer's 1 says that some of what was asked could not be done."""
    command, called = [sys.executable, "-m", *call], " ".join(call[:2])
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            lines, said = process.communicate(timeout=MOST_SECONDS)
        except BaseException as error:
            process.send_signal(signal.SIGINT)  # so that it ends what it has started
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)
            process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise click.ClickException(f"{called} did not end in {MOST_SECONDS // 60} minutes") from error
            raise
    if process.returncode > (call[0] == "placer"):
        last = said.strip().splitlines()[-1:]
        raise click.ClickException(": ".join([f"{called} ended with {process.returncode}", *last]))
    return [json.loads(text) for text in lines.splitlines() if text.startswith("{")]


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['cpus']} CPUs ({machine['model']}, {machine['memory_mib']} MiB, {machine['system']})"


def markdown(lines: Sequence[Line]) -> str:
    """What the lines say of each row, as it was measured last: a page."""
    last = {name: max(line["taken"] for line in some) for (name,), some in grouped(lines, "target").items()}
    newest = [line for line in lines if line["taken"] == last[line["target"]]]
    machines = {json.dumps(line["machine"], sort_keys=True): line["machine"] for line in newest}
    versions = {name: version for line in newest for name, version in line["versions"].items()}
    page = [
        "# What placer is to show, and what was measured",
        "",
        f"On {' and '.join(map(_machine, machines.values()))}, with "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ". Figures are medians of the runs, each in a process of its own; means where they say so. Every answer was"
        + " judged (FGD's, where pods arrive one by one, by the bench's own world, which refuses what does not fit)."
        + " Load is the greatest load average of one minute before a run; took says how long the whole row was.",
        "",
        "| row | what | at least | beyond | measured | verdict | runs | took | load | commit |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    known = grouped(newest, "target")
    shown = [(target, known[target.name,]) for target in TARGETS if (target.name,) in known]
    for target, some in shown:
        cells = (
            target.name,
            target.work,
            "; ".join(filter(None, (figure.wish(figure.must) for figure in target.figures))),
            "; ".join(filter(None, (figure.wish(figure.beyond) for figure in target.figures))),
            *_outcome(target, some),
            str(len({(line.get("again"), line.get("run")) for line in some})),
            f"{some[0].get('row_seconds', '?')} s",
            f"{max(line['load_before'][0] for line in some):.1f}",
            ", ".join(sorted({str(line["commit"]) for line in some})),
        )
        page.append(f"| {' | '.join(cells)} |")
    if grown := [line for line in newest if line["work"] == "growth"]:
        page += ["", sentence(grown)]
    together = sum(some[0].get("row_seconds", 0) for _, some in shown)
    page += ["", f"All of these rows together took {together / 60:.0f} minutes. The calls:", ""]
    for target, some in shown:
        page += [f"- {target.name}: `{command}`" for command in dict.fromkeys(line["command"] for line in some)]
    return "\n".join(page) + "\n"
