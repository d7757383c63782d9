"""A night's plan as tables: which hosts are freed, what runs on them, the steps, who stays and why, how good it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from rich.console import RenderableType

from placer.report.clock import WallClock, lasting
from placer.report.console import MOST_ROWS, cut, plain, row, stderr, table
from placer.report.placements import ended, goals_table, gpus_text
from placer.undone import undone
from placer_models.plan import JobRun, Plan, Step, StepKind
from placer_models.words import and_more, once_each

T = TypeVar("T")

DOING: Mapping[StepKind, str] = {
    "migrate": "migrations",
    "suspend": "suspensions",
    "resume": "resumptions",
    "power-off": "power-offs",
    "power-on": "power-ons",
    "enter-maintenance": "spells of maintenance",
    "set-mode": "GPU changes",
    "restart-host": "restarts of hosts",
}
"""The steps that are worth counting, in the plural."""

FIGURES = ("before", "meanwhile", "after")

SPELT = {"vms": "VMs", "gpu": "GPU", "gpus": "GPUs", "mib": "MiB", "milli": "thousandths"}
"""Words of the figures' names."""

MOST_NAMES = 5
"""Of those who have something in common so many are named."""


def print_plan(plan: Plan, seconds: float) -> None:
    """Print a plan on standard error; `seconds` of wall clock it took."""
    console = stderr()
    for part in plan_tables(plan):
        console.print(part)
    console.print(plain(f"{counted(plan.steps)}; {ended(plan)}, {seconds:.1f} s"))


def plan_tables(plan: Plan) -> Iterator[RenderableType]:
    """A plan's tables and sentences."""
    clock = WallClock.of(plan)
    for window in plan.window:
        yield plain(f"from {clock.day(window.from_)} until {clock.day(window.until)} ({clock.name})", "bold")
    yield from _continued(plan, clock)
    yield from _freed(plan, clock)
    yield from _steps(plan, clock)
    yield from _unmoved(plan)
    for sentence in plan.already:
        yield plain(f"as asked already: {sentence}")
    for sentence in undone(plan):
        yield plain(f"not done: {sentence}", "bold")
    for sentence in plan.broken_now[:MOST_ROWS]:
        yield plain(f"broken already: {sentence}")
    for sentence in plan.assumed:
        yield plain(f"assumed: {sentence}")
    if changed := [row for row in figure_rows(plan) if len({*row[1:]} - {""}) > 1]:  # the JSON has all
        made = table("", *FIGURES, right=FIGURES)
        for cells in changed[:MOST_ROWS]:
            row(made, *cells)
        yield made
    if plan.score:
        yield goals_table(plan.score, plan.bound, plan.gap)


def _continued(plan: Plan, clock: WallClock) -> Iterator[RenderableType]:
    for sentence in continued_sentences(plan, clock):
        yield plain(sentence)
    if plan.continued and plan.continued.dropped:
        made = table("dropped", "why")
        for step, why in (dropped := dropped_rows(plan))[:MOST_ROWS]:
            row(made, step, why)
        yield made
        if more := cut(len(dropped), MOST_ROWS, "dropped"):
            yield more


def continued_sentences(plan: Plan, clock: WallClock) -> Iterator[str]:
    """What has become of the plan with which this one goes on, if it does."""
    begun, became = plan.asked.begun if plan.asked else None, plan.continued
    if begun is None or became is None:
        return
    counts = {
        "done or under way": became.done,
        "kept": became.kept,
        "changed": became.changed,
        "dropped": became.dropped,
        "new": became.new,
    }
    said = ", ".join(f"{len(steps)} {what}" for what, steps in counts.items() if steps)
    yield f"goes on at {clock.day(begun.at)} with an earlier plan; its steps: {said or 'none'}"
    yield from (f"not as planned: {sentence}" for sentence in became.said)


def dropped_rows(plan: Plan) -> list[tuple[str, str]]:
    """The steps of an earlier plan that are dropped, those with the same reason together."""
    dropped = plan.continued.dropped if plan.continued else ()
    return [(and_more(steps, MOST_NAMES), why) for steps, (why,) in together((one.step, (one.why,)) for one in dropped)]


def _freed(plan: Plan, clock: WallClock) -> Iterator[RenderableType]:
    if not plan.freed:
        return
    runs: dict[str, list[JobRun]] = defaultdict(list)
    for run in plan.jobs:
        runs[run.host].append(run)
    hosts = len({freed.host for freed in plan.freed})
    made = table("host", "from", "until", "for", "jobs", title=f"{hosts} host{'s' if hosts > 1 else ''} freed")
    for freed in plan.freed[:MOST_ROWS]:
        there = [run for run in runs[freed.host] if freed.from_ <= run.start and run.end <= freed.until]
        times = clock.time(freed.from_), clock.time(freed.until), lasting(freed.until - freed.from_)
        row(made, freed.host, *times, jobs_text(there))
    yield made
    if more := cut(len(plan.freed), MOST_ROWS, "freed"):
        yield more


def jobs_text(runs: Sequence[JobRun]) -> str:
    """`render-farm (2), training`."""
    counts = Counter(run.job for run in runs)
    return ", ".join(f"{job} ({count})" if count > 1 else job for job, count in counts.items())


def _steps(plan: Plan, clock: WallClock) -> Iterator[RenderableType]:
    steps = [step for step in plan.steps if step.job is None]
    if not steps:
        return
    names = {step.id: step.vm or step.host or step.id for step in plan.steps}
    made = table(
        "start",
        "takes",
        "step",
        "from",
        "to",
        "GPUs",
        "after",
        "why",
        title=f"{len(steps)} step{'s' if len(steps) > 1 else ''}",
    )
    for step in steps[:MOST_ROWS]:
        takes = lasting(step.end - step.start)
        after = ", ".join(dict.fromkeys(names.get(name, name) for name in step.waits_for[:3]))
        after += " ..." if len(step.waits_for) > 3 else ""
        source, target = step.leaves or "", step.reaches or ("" if step.vm else step.host or "")
        what = f"{step.kind} {step.vm or step.host}"
        row(made, clock.time(step.start), takes, what, source, target, gpus_text(step.gpus), after, step.why)
    yield made
    if more := cut(len(steps), MOST_ROWS, "steps"):
        yield more


def _unmoved(plan: Plan) -> Iterator[RenderableType]:
    for hosts, reasons in together((one.host, one.reasons) for one in plan.left_out):
        yield plain(f"left out: {and_more(hosts, MOST_NAMES)}: {once_each(reasons)}")
    if not plan.unmoved:
        return
    made = table("VM", "keeps", "why", title=f"{len(plan.unmoved)} stay{'s' if len(plan.unmoved) == 1 else ''}")
    groups = together(((one.vm, one.host), one.reasons) for one in plan.unmoved)
    for pairs, reasons in groups[:MOST_ROWS]:
        vms, hosts = ([*dict.fromkeys(part)] for part in zip(*pairs, strict=True))
        row(made, and_more(vms, MOST_NAMES), and_more(hosts, MOST_NAMES), "; ".join(reasons))
    yield made
    if more := cut(len(groups), MOST_ROWS, "reasons"):
        yield more


def figure_rows(plan: Plan) -> list[tuple[str, ...]]:
    """Each figure of the cluster: its name, and what it is before, meanwhile and after."""
    parts = (plan.before, plan.meanwhile, plan.after)
    return [
        (_figure_name(name), *("" if (figure := part.get(name)) is None else f"{figure:,}" for part in parts))
        for name in dict.fromkeys(name for part in parts for name in part)
    ]


def _figure_name(name: str) -> str:
    """`gpu_free_mib` -> `GPU free MiB`, `could_start: M60-1Q` -> `could start: M60-1Q`: an ask keeps its name."""
    what, colon, ask = name.partition(": ")
    return " ".join(SPELT.get(word, word) for word in what.split("_")) + colon + ask


def together(said: Iterable[tuple[T, tuple[str, ...]]]) -> list[tuple[list[T], tuple[str, ...]]]:
    """Those of whom the same is said, together."""
    groups: dict[tuple[str, ...], list[T]] = {}
    for one, reasons in said:
        groups.setdefault(reasons, []).append(one)
    return [(members, reasons) for reasons, members in groups.items()]


def counted(steps: Sequence[Step]) -> str:
    """`24 migrations, 6 suspensions`, or `nothing to do`."""
    counts = Counter(step.kind for step in steps)
    said = [
        f"{counts[kind]} {what if counts[kind] > 1 else _one(what)}" for kind, what in DOING.items() if counts[kind]
    ]
    return ", ".join(said) or "nothing to do"


def _one(plural: str) -> str:
    """`migrations` -> `migration`, `restarts of hosts` -> `restart of hosts`."""
    first, blank, rest = plural.partition(" ")
    return first.removesuffix("s") + blank + rest if first != "GPU" else plural.removesuffix("s")
