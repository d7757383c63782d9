"""What commands share: their options, and how they read a snapshot, a decision and a catalogue."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placer.cli import files
from placer.cli.exits import Case
from placer_models.faults import Faults, quote
from placer_models.shipped import shipped

if TYPE_CHECKING:
    from placer_models.decision import Decision
    from placer_models.document import Document
    from placer_models.gpus import Catalogue
    from placer_models.plan import Placements, Plan
    from placer_models.snapshot import Snapshot

Command = Callable[..., Any]
D = TypeVar("D", bound="Document")

snapshot_argument = click.argument("snapshot", metavar="SNAPSHOT")
output_option = click.option("-o", "--output", metavar="FILE", help="Where the answer goes (default: standard output).")
models_option = click.option(
    "--gpu-models", metavar="FILE", help="A site's own GPU models (JSON), beside the shipped catalogue."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print no tables, only what is wrong.")


def decision_option(default: str) -> Callable[[Command], Command]:
    """The option that names a decision."""
    return click.option(
        "--decision",
        metavar="NAME|FILE",
        default=default,
        show_default=True,
        help=f"Which rules hold and which goals are wished for: a TOML file, or one of {', '.join(shipped())}.",
    )


class _Seconds(click.FloatRange):
    """A number of seconds, which "nan" is not: no comparison with it holds, and so no range keeps it out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return seconds


def search_options(command: Command, default: str = "power_on") -> Command:
    """Add --decision, --time-limit, --seed and --workers to a command."""
    options = (
        decision_option(default),
        click.option(
            "--time-limit",
            metavar="SECONDS",
            type=_Seconds(0, 10**6, min_open=True),
            help="How long to think at most (default: the decision's).",
        ),
        click.option(
            "--seed",
            metavar="N",
            type=click.IntRange(0, 2**31 - 1),
            help="Seed of the search (default: the decision's).",
        ),
        click.option(
            "--workers",
            metavar="N",
            type=click.IntRange(1, 256),
            help="Threads of the search (default: the decision's).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def begun() -> float:
    """When this run began, of `time.monotonic`: reading counts towards its time limit."""
    case = click.get_current_context().find_object(Case)
    return time.monotonic() if case is None else case.begun


def memory_option(command: Command) -> Command:
    """Add --memory-limit to a command whose searches keep to it."""
    return click.option(
        "--memory-limit",
        metavar="MIB",
        type=click.IntRange(1, 2**31),
        help="How much memory the process may take: larger boards are not built (default: half of what is free).",
    )(command)


def read(path: str) -> tuple[bytes, str]:
    """A file's bytes and name: another file than the answer will go to. Standard input can be read but once."""
    context = click.get_current_context()
    files.spare(path, context.params.get("output"))
    case = context.find_object(Case) or Case()
    if path == "-":
        if case.stdin_taken:
            raise click.UsageError("standard input ('-') is given for two files, and can be only one")
        case.stdin_taken.append(path)
    return files.read(path)


def snapshot_of(path: str, gpu_models: str | None = None) -> Snapshot:
    """The snapshot in a file, read with a site's GPU models where they are given."""
    from placer_models.snapshot import Snapshot

    catalogue = _catalogue_of(gpu_models)
    data, source = read(path)
    context = click.get_current_context()
    case = context.find_object(Case)
    if case is not None:
        case.snapshot, case.names["the snapshot"] = data, source
        case.beside = context.params.get("output")
    gc.disable()  # it would walk through all that is read, again and again, and find nothing
    try:
        return Snapshot.load(data, source, catalogue)
    finally:
        gc.freeze()
        gc.enable()


def _catalogue_of(gpu_models: str | None) -> Catalogue | None:
    from placer_models.document import read_json
    from placer_models.gpus import Catalogue

    if not gpu_models:
        return None
    values = read_json(*read(gpu_models))
    try:
        return Catalogue.shipped().with_file(values)
    except Faults as faults:
        raise Faults(gpu_models, faults.sentences, faults.more) from None


def answer_of(path: str) -> Placements | Plan:
    """The placements or the plan in a file: its `format` says which. Raises Faults."""
    from placer_models.document import read_json

    data, source = read(path)
    return _answer(read_json(data, source), source, "")


def loaded(kind: type[D], path: str) -> D:
    """The document of this kind in a file. Raises Faults."""
    from placer_models.document import parse, read_json

    data, source = read(path)
    case = click.get_current_context().find_object(Case)
    if case is not None:
        case.names[f"the {kind.__name__.lower()}"] = source
    return parse(kind, read_json(data, source), source)


def plan_of(path: str) -> Plan:
    """The plan in a file. Raises Faults."""
    from placer_models.plan import Plan

    return loaded(Plan, path)


def document_of(path: str, gpu_models: str | None) -> Snapshot | Placements | Plan:
    """The snapshot, the placements or the plan in a file: its `format` says which. Raises Faults."""
    from placer_models.document import digest, read_json
    from placer_models.snapshot import Snapshot

    data, source = read(path)
    values = read_json(data, source)
    if _form(values) == "placer.snapshot/1":
        return Snapshot.of(values, source, _catalogue_of(gpu_models), digest(data))
    return _answer(values, source, "'placer.snapshot/1', ")


def _answer(values: object, source: str, besides: str) -> Placements | Plan:
    from placer_models.document import parse
    from placer_models.plan import Placements, Plan

    match _form(values):
        case "placer.plan/1":
            return parse(Plan, values, source)
        case "placer.placements/1":
            return parse(Placements, values, source)
        case other:
            found = "none" if other is None else quote(other)
            expected = f"expected {besides}'placer.placements/1' or 'placer.plan/1'"
            raise Faults(source, [f"format: found {found}, {expected}"])


def _form(values: object) -> object:
    return values.get("format") if isinstance(values, dict) else None


def decision_of(
    decision: str,
    time_limit: float | None = None,
    seed: int | None = None,
    workers: int | None = None,
    memory_limit: int | None = None,
) -> Decision:
    """The decision that the options name, with what they override."""
    from placer_models.decision import read_decision, shipped_decision

    if decision not in shipped() and (decision.endswith(".toml") or decision == "-" or Path(decision).exists()):
        found = read_decision(*read(decision))
    else:
        found = shipped_decision(decision)
    wishes = {"time_limit_seconds": time_limit, "seed": seed, "workers": workers}
    wishes["memory_limit_mib"] = memory_limit
    search = found.search.model_copy(update={key: value for key, value in wishes.items() if value is not None})
    return found.model_copy(update={"search": search})
