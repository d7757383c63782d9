"""How one plan differs from another; likewise placements, and snapshots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from placer_models.difference import Change, Difference
from placer_models.document import Faults
from placer_models.plan import Placements, Plan, Step
from placer_models.snapshot import Snapshot

Compared = Snapshot | Placements | Plan
Part = tuple[str, str, Mapping[str, Any]]
"""What it is, which one, and what it says."""

UNTOLD = frozenset({"id", "waits_for", "why"})
"""Keys of steps that say nothing by themselves: ids are given anew in each plan."""


def diff(before: Compared, after: Compared) -> Difference:
    """What `after` has that `before` has not, and the other way round, in the order of the documents.

    Plans: steps, freed hosts, job runs, VMs that stay, scores and bounds. Placements: the same of starts and moves.
    Snapshots: hosts, GPUs, VMs, rules, requests and jobs. How long a search took and with which seed is not compared.
    Raises Faults for documents of two kinds.
    """
    of, parts = _parts(before)
    other, theirs = _parts(after)
    if of != other:
        raise Faults("the second document", [f"found {other}, expected {of} to compare with those of the first"])
    old, new = _numbered(parts), _numbered(theirs)
    changes = [change for key in dict.fromkeys([*old, *new]) if (change := _change(key, old.get(key), new.get(key)))]
    return Difference.model_validate(
        {"of": of, "changes": tuple(changes), "same": len(old.keys() | new.keys()) - len(changes)}
    )


Key = tuple[str, str]


def _numbered(parts: Iterable[Part]) -> dict[Key, Mapping[str, Any]]:
    """The parts by name; of several with one name, the later ones by their number."""
    counts: Counter[Key] = Counter()
    found: dict[Key, Mapping[str, Any]] = {}
    for what, name, values in parts:
        counts[what, name] += 1
        number = counts[what, name]
        found[what, f"{name} ({number})" if number > 1 else name] = values
    return found


def _change(key: Key, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Change | None:
    what, name = key
    if old is None:
        return Change(what=what, name=name, change="added", after=new)
    if new is None:
        return Change(what=what, name=name, change="removed", before=old)
    keys = tuple(key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key))
    if not keys:
        return None
    was, now = ({key: values[key] for key in keys if key in values} for values in (old, new))
    return Change(what=what, name=name, change="changed", keys=keys, before=was, after=now)


def _parts(document: Compared) -> tuple[str, Iterator[Part]]:
    match document:
        case Snapshot():
            return "snapshots", _of_snapshot(document)
        case Plan():
            return "plans", _of_plan(document)
        case Placements():
            return "placements", _of_placements(document)


def _of_plan(plan: Plan) -> Iterator[Part]:
    for step in sorted(plan.steps, key=lambda step: (step.start, step.end)):
        yield "step", step_name(step), _values(step, UNTOLD)
    yield from _listed("freed host", plan.freed, lambda freed: freed.host)
    yield from _listed("job run", plan.jobs, lambda run: f"{run.job} {run.instance}")
    yield from _listed("VM that stays", plan.unmoved, lambda one: one.vm)
    yield from _listed("host left out", plan.left_out, lambda one: one.host)
    for when in ("before", "meanwhile", "after"):
        yield from _figures(when, getattr(plan, when))
    yield from _outcome(plan)


def _of_placements(answer: Placements) -> Iterator[Part]:
    yield from _listed("VM that starts", answer.placed, lambda placed: placed.vm)
    for move in answer.moves:
        yield "move", move.vm, _values(move, UNTOLD)
    yield from _listed("VM that stays off", answer.unplaced, lambda one: one.vm)
    yield from _outcome(answer)


def _of_snapshot(snapshot: Snapshot) -> Iterator[Part]:
    for host in snapshot.hosts:
        yield "host", host.name, _values(host, {"gpus"})
        yield from _listed(f"GPU of {host.name}", host.gpus, lambda gpu: gpu.id)
    yield from _listed("VM", snapshot.vms, lambda vm: vm.name)
    yield from _listed("rule", snapshot.rules, lambda rule: rule.kind)
    yield from _listed("request", snapshot.requests, lambda request: request.kind)
    yield from _listed("job", snapshot.jobs, lambda job: job.name)


def _outcome(answer: Placements | Plan) -> Iterator[Part]:
    for goal in answer.score:
        yield "goal", goal, {"score": answer.score[goal], "bound": answer.bound.get(goal)}
    yield "status", "", {"is": answer.status}


def _figures(what: str, figures: Mapping[str, int]) -> Iterator[Part]:
    for name, figure in figures.items():
        yield what, name, {"is": figure}


def _listed(what: str, parts: Sequence[Any], name: Callable[[Any], Hashable]) -> Iterator[Part]:
    for part in parts:
        yield what, str(name(part)), _values(part)


def _values(part: BaseModel, without: Iterable[str] = ()) -> Mapping[str, Any]:
    """What a part says, as JSON has it."""
    return part.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(without))


def step_name(step: Step) -> str:
    """What a step does, and to whom."""
    return f"{step.kind} {step.vm or step.job or step.host}"
