"""The stories in fixtures/night: read, planned, and compared with what they expect.

fixtures/night/README.md says what each key of an expectation means.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from placer import Snapshot
from placer.cli.planning import told as exit_code
from placer_models.decision import Decision, shipped_decision
from placer_models.document import parse
from placer_models.gpus import Catalogue
from placer_models.night import Consolidate, Evacuate, Request, SetMode
from placer_models.plan import Plan, Step

FOLDER = Path(__file__).parents[1] / "fixtures" / "night"
STORIES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())

Command = Literal["consolidate", "evacuate", "set-mode"]


class Expectation(BaseModel):
    """`expect.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    command: Command = "consolidate"
    decision: str | None = None
    exit: Literal[0, 1] = 0
    status: Literal["optimal", "feasible"] | None = None
    freed: list[str] | int | None = None
    jobs: Mapping[str, int] | None = None
    score: Mapping[str, int] = {}
    bound: Mapping[str, int] = {}
    steps: Mapping[str, int] = {}
    does: Mapping[str, list[str]] = {}
    one_of: list[Mapping[str, list[str]]] = []
    reaches: Mapping[str, list[list[str]]] = {}
    sharings: Mapping[str, list[str]] = {}
    untouched: list[str] = []
    continued: Mapping[str, list[str]] = {}
    excused: Mapping[str, str] = {}
    unmoved: Mapping[str, list[str]] = {}
    left_out: list[str] = []
    already: list[str] = []
    order: list[list[str]] = []
    by: Mapping[str, str] = {}
    hours: list[float] | None = None
    broken_now: list[str] = []


class Story:
    """A folder, read."""

    def __init__(self, name: str) -> None:
        self.folder = FOLDER / name
        self.expected = Expectation.model_validate_json((self.folder / "expect.json").read_bytes())
        self.models = self.folder / "gpu_models.json"
        catalogue = Catalogue.shipped().with_file(self.models) if self.models.exists() else None
        self.snapshot = Snapshot.load((self.folder / "snapshot.json").read_bytes(), name, catalogue)
        self.decision: Decision = shipped_decision(self.expected.decision or self.expected.command.replace("-", "_"))
        earlier = self.folder / "plan.json"
        self.earlier = parse(Plan, json.loads(earlier.read_bytes()), name) if earlier.exists() else None
        asked = self.earlier.asked if self.earlier is not None else None
        requests = [asked.request] if asked is not None else self.snapshot.requests
        (self.request,) = (one for one in requests if one.kind == self.expected.command)

    def plan(self) -> Plan:
        """What placer plans."""
        return _planned(self.snapshot, self.request, self.decision, self.earlier)


def _planned(snapshot: Snapshot, request: object, decision: Decision, earlier: Plan | None) -> Plan:
    if earlier is not None:
        from placer.go_on import go_on

        return go_on(snapshot, earlier, decision)
    if isinstance(request, Consolidate):
        from placer.consolidate import consolidate

        return consolidate(snapshot, request, snapshot.jobs, decision)
    if isinstance(request, Evacuate):
        from placer.evacuate import evacuate

        return evacuate(snapshot, request, decision)
    if isinstance(request, SetMode):
        from placer.set_mode import set_mode

        return set_mode(snapshot, request, decision)
    raise TypeError(f"{request} is not of a night")


@cache
def told(name: str) -> tuple[Story, Plan]:
    """A story and its plan."""
    story = Story(name)
    return story, story.plan()


def differences(story: Story, plan: Plan) -> Iterator[str]:
    """Where a plan is not as expected."""
    expected = story.expected
    if expected.exit != (code := exit_code(plan, 0, quiet=True)):
        yield f"exit code {code}, not {expected.exit}"
    if expected.status not in (None, plan.status):
        yield f"status {plan.status}, stopped: {plan.stopped}"
    freed = sorted({one.host for one in plan.freed})
    if expected.freed not in (None, freed, len(freed)):
        yield f"freed {freed}, not {expected.freed}"
    runs = Counter(job for job, _ in {(run.job, run.instance) for run in plan.jobs})
    if expected.jobs is not None and runs != Counter(expected.jobs):
        yield f"jobs {dict(runs)}, not {expected.jobs}"
    for name, wished, found in (("score", expected.score, plan.score), ("bound", expected.bound, plan.bound)):
        yield from (f"{name} of {goal}: {found.get(goal)}" for goal in wished if found.get(goal) != wished[goal])
    kinds: Counter[str] = Counter(step.kind for step in plan.steps)
    yield from (f"{kinds[kind]} steps {kind}, not {n}" for kind, n in expected.steps.items() if kinds[kind] != n)
    yield from _of_vms(expected, plan)
    yield from _going_on(expected, plan)
    yield from _in_time(expected, plan)
    yield from _not_back(story.snapshot, story.request, plan)
    why = [reason for one in plan.left_out for reason in one.reasons]
    for parts, sentences in ((expected.left_out, why), (expected.already, plan.already)):
        yield from (f"no '{part}' in {sentences}" for part in parts if not any(part in said for said in sentences))
    said = expected.broken_now
    yield from (f"no '{part}' in {plan.broken_now}" for part in said if not any(part in one for one in plan.broken_now))
    yield from (f"unexpected: {one}" for one in plan.broken_now if not any(part in one for part in said))


def _steps_of(plan: Plan) -> Mapping[str, list[Step]]:
    """Each VM's and job's steps, in the order in which they start."""
    found: dict[str, list[Step]] = defaultdict(list)
    for step in sorted(plan.steps, key=lambda step: step.start):
        found[str(step.vm or step.job or step.host)].append(step)
    return found


def _of_vms(expected: Expectation, plan: Plan) -> Iterator[str]:
    its = _steps_of(plan)
    does = {name: [step.kind for step in steps] for name, steps in its.items()}
    yield from (
        f"{vm}: {does.get(vm, [])}, not {kinds}" for vm, kinds in expected.does.items() if does.get(vm) != kinds
    )
    for which in expected.one_of:
        if sum(does.get(vm) == kinds for vm, kinds in which.items()) != 1:
            yield f"{ {vm: does.get(vm) for vm in which} }, not exactly one of {dict(which)}"
    for vm, wanted in expected.reaches.items():
        reached = [step.reaches for step in its.get(vm, []) if step.reaches is not None]
        if len(reached) != len(wanted) or any(host not in hosts for host, hosts in zip(reached, wanted, strict=False)):
            yield f"{vm} reaches {reached}, not {wanted}"
    for vm, sharings in expected.sharings.items():
        put = [gpu.sharing for step in its.get(vm, []) for gpu in step.gpus if gpu.sharing is not None]
        if put != sharings:
            yield f"{vm} has GPUs put in {put}, not in {sharings}"
    yield from (f"{vm} is touched: {does[vm]}" for vm in expected.untouched if vm in does)
    unmoved = {one.vm: one.reasons for one in plan.unmoved}
    if unmoved.keys() != expected.unmoved.keys():
        yield f"unmoved: {unmoved}"
    for vm, parts in expected.unmoved.items():
        reasons = unmoved.get(vm, ())
        yield from (f"{vm}: no '{part}' in {reasons}" for part in parts if not any(part in said for said in reasons))


def _going_on(expected: Expectation, plan: Plan) -> Iterator[str]:
    """What has become of the steps of an earlier plan."""
    became = plan.continued
    found = {} if became is None else {"done": became.done, "kept": became.kept, "changed": became.changed}
    found |= {} if became is None else {"dropped": tuple(one.step for one in became.dropped), "said": became.said}
    for what, names in expected.continued.items():
        mine = found.get(what, ())
        if what == "said":
            yield from (f"no '{part}' in {mine}" for part in names if not any(part in said for said in mine))
        elif sorted(mine) != sorted(names):
            yield f"{what}: {mine}, not {names}"
    begun = plan.asked.begun if plan.asked else None
    excused = dict(begun.excused) if begun else {}
    if excused.keys() != expected.excused.keys():
        yield f"excused: {excused}"
    yield from (
        f"{vm}: no '{part}' in '{excused.get(vm)}'"
        for vm, part in expected.excused.items()
        if part not in excused.get(vm, "")
    )


def _in_time(expected: Expectation, plan: Plan) -> Iterator[str]:
    its = _steps_of(plan)
    timed = {f"{name} {step.kind}": step for name, steps in its.items() for step in reversed(steps)}
    for first, second in expected.order:
        if first not in timed or second not in timed:
            yield f"{first} before {second}: not both are there"
        elif timed[first].end > timed[second].start:
            yield f"{second} starts before {first} has ended"
    for name, text in expected.by.items():
        if name not in its or max(step.end for step in its[name]) > datetime.fromisoformat(text):
            yield f"{name} is not done by {text}"
    hours = [(window.until - window.from_).total_seconds() / 3600 for window in plan.window]
    if expected.hours not in (None, hours):
        yield f"windows of {hours} hours, not {expected.hours}"


def _not_back(snapshot: Snapshot, request: Request, plan: Plan) -> Iterator[str]:
    """Counted here, apart from the judge: who is not where it has to be in the end."""
    if not isinstance(request, Consolidate | Evacuate | SetMode) or request.way_back == "none":
        return
    homes = {vm.name: vm.host for vm in snapshot.vms if vm.power == "on"}
    begun = plan.asked.begun if plan.asked else None
    homes |= begun.homes if begun else {}
    for vm, steps in _steps_of(plan).items():
        if vm in homes and vm not in (begun.excused if begun else ()):
            last = steps[-1].reaches
            if last is None or (request.way_back == "same-host" and last != homes[vm]):
                yield f"{vm} ends on {last}, was on {homes[vm]}"


def named(expected: Expectation) -> Sequence[str]:
    """The VMs and jobs that an expectation names."""
    names = [*expected.does, *expected.reaches, *expected.sharings, *expected.untouched, *expected.unmoved]
    names += [vm for which in expected.one_of for vm in which]
    names += [both.rsplit(" ", 1)[0] for pair in expected.order for both in pair]
    return [*names, *(expected.jobs or ()), *expected.by]
