"""An answer to power-on requests as tables: who starts where, who moves, who stays off and why, how good it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import RenderableType

from placer.report.console import MOST_ROWS, cut, plain, row, stderr, table
from placer_models.goals import GOALS
from placer_models.goals.night import NIGHT_GOALS
from placer_models.plan import PlacedGpu, Placements, Plan
from placer_models.snapshot import Snapshot
from placer_models.words import and_more

UNITS = {kind: goal.unit for goals in (GOALS, NIGHT_GOALS) for kind, goal in goals.items()}
"""What each goal is counted in."""


def print_placements(snapshot: Snapshot, answer: Placements, seconds: float) -> None:
    """Print an answer on standard error; `seconds` of wall clock it took."""
    console = stderr()
    if answer.placed:
        made = table("VM", "host", "GPUs", title=f"{len(answer.placed)} to start")
        for placed in answer.placed[:MOST_ROWS]:
            row(made, placed.vm, placed.host, gpus_text(placed.gpus))
        console.print(made)
        if more := cut(len(answer.placed), MOST_ROWS, "to start"):
            console.print(more)
    if answer.moves:
        made = table("", "VM", "from", "to", "GPUs", "after", "why", title=f"{len(answer.moves)} to move before")
        for move in answer.moves[:MOST_ROWS]:
            row(made, move.id, move.vm, move.from_, move.to, gpus_text(move.gpus), ", ".join(move.waits_for), move.why)
        console.print(made)
        if more := cut(len(answer.moves), MOST_ROWS, "to move"):
            console.print(more)
    if answer.unplaced:
        console.print(plain(f"{len(answer.unplaced)} stay off", "bold"))
        for vms, lines in _alike((one.vm, _said(one.reasons, one.nearest, one.change)) for one in answer.unplaced):
            console.print(plain(and_more(vms, 5)))
            for line in lines:
                console.print(plain(f"    {line}"))
    for sentence in answer.broken_now[:MOST_ROWS]:
        console.print(plain(f"broken already: {sentence}"))
    for sentence in answer.assumed:
        console.print(plain(f"assumed: {sentence}"))
    if answer.score:
        console.print(goals_table(answer.score, answer.bound, answer.gap))
    asked = len(snapshot.requests)
    console.print(plain(f"{len(answer.placed)} of {asked} requests can start; {ended(answer)}, {seconds:.1f} s"))


def ended(answer: Placements | Plan) -> str:
    """`feasible (time limit)`."""
    return f"{answer.status} ({answer.stopped})" if answer.stopped else answer.status


def gpus_text(gpus: Iterable[PlacedGpu]) -> str:
    """`3b:00.0 M60-2Q at slot 1`, one after the other."""
    return ", ".join(_gpu_text(gpu) for gpu in gpus)


def _gpu_text(gpu: PlacedGpu) -> str:
    text = gpu.gpu
    if gpu.profile is not None:
        text += f" {gpu.profile}"
    if gpu.milli is not None:
        text += f" {gpu.milli}/1000"
    if gpu.slot is not None:
        text += f" at slot {gpu.slot}"
    if gpu.sharing is not None:
        text += f" (put in {gpu.sharing})"
    return text


def _said(reasons: tuple[str, ...], nearest: str | None, change: str | None) -> tuple[str, ...]:
    lines = reasons[:MOST_ROWS]
    if len(reasons) > MOST_ROWS:
        lines = (*lines, f"... and {len(reasons) - MOST_ROWS} more reasons")
    if nearest:
        lines = (*lines, f"nearest: {nearest}")
    return (*lines, f"would let it in: {change}") if change else lines


def _alike(said: Iterable[tuple[str, tuple[str, ...]]]) -> list[tuple[list[str], tuple[str, ...]]]:
    """VMs that stay off for the same reasons, together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for vm, lines in said:
        groups.setdefault(lines, []).append(vm)
    return [(vms, lines) for lines, vms in groups.items()][:MOST_ROWS]


def goals_table(
    score: Mapping[str, int], bound: Mapping[str, int | None], gap: Mapping[str, float | None]
) -> RenderableType:
    """How good an answer is, goal by goal."""
    made = table("goal", "score", "bound", "gap", "counted in", right=("score", "bound", "gap"))
    for cells in goal_rows(score, bound, gap):
        row(made, *cells)
    return made


def goal_rows(
    score: Mapping[str, int], bound: Mapping[str, int | None], gap: Mapping[str, float | None]
) -> list[tuple[str, ...]]:
    """Each goal with its score, bound, gap, and what it is counted in."""
    return [
        (
            goal,
            f"{reached:,}",
            "" if (best := bound.get(goal)) is None else f"{best:,}",
            "" if (left := gap.get(goal)) is None else f"{left:.2%}",
            UNITS.get(goal.partition(" (")[0], ""),
        )
        for goal, reached in score.items()
    ]
