"""Why a VM stands where it does or stays off, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from placer.report.console import MOST_ROWS, cut, plain, row, stderr, table
from placer.report.placements import gpus_text
from placer_models.explanation import Explanation, PlanExplanation
from placer_models.words import and_more


def print_explanation(found: Explanation) -> None:
    """Print an explanation on standard error."""
    console = stderr()
    for sentence in sentences(found):
        console.print(plain(sentence))
    if found.elsewhere:
        made = table("hosts", "why not there", right=())
        for group in found.elsewhere[:MOST_ROWS]:
            row(made, _names(group.hosts), group.reason)
        console.print(made)
        if more := cut(len(found.elsewhere), MOST_ROWS, "groups of hosts"):
            console.print(more)
    if found.nearest:
        console.print(plain(f"nearest: {found.nearest}"))
    if found.change:
        console.print(plain(f"would let it in: {found.change}"))


def print_answers(found: PlanExplanation) -> None:
    """Print what a plan does, and why, on standard error."""
    console = stderr()
    if not found.answers:
        console.print(plain(f"the plan has nothing to do with {found.kind} {found.name}"))
    for answer in found.answers[:MOST_ROWS]:
        console.print(plain(answer.question, "bold"))
        for reason in answer.because:
            console.print(plain(f"  {reason}"))
    if more := cut(len(found.answers), MOST_ROWS, "questions"):
        console.print(more)
    if found.change:
        console.print(plain(f"would free it: {found.change}"))


def sentences(found: Explanation) -> list[str]:
    """Where it stands or could stand."""
    said = []
    if found.host is not None:
        gpus = f" with {gpus_text(found.gpus)}" if found.gpus else ""
        said.append(f"{found.vm} stands on {found.host}{gpus}")
        said += [f"it breaks a rule there: {sentence}" for sentence in found.breaks]
        said.append(f"it could also stand on {_names(found.could)}" if found.could else "it could stand nowhere else")
        if found.stays:
            said.append(f"it {found.stays}")
        elif found.could:
            told = _names(found.could_migrate) if found.could_migrate else "none of them"
            said.append(f"a live migration could take it to {told}")
        return said
    asked = "is to be started" if found.asked else "is not asked for"
    said.append(f"{found.vm} is {found.power}; it {asked}")
    said.append(f"it could start on {_names(found.could)}" if found.could else "no host would take it")
    return said


def _names(hosts: Sequence[str]) -> str:
    return and_more(hosts, 6)
