"""A night's plan as one HTML page that needs nothing else: no script, no picture, no font, nothing from a network.

The template `page.html.j2` says how it looks; here is what it says. Every text is escaped by the template's engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from placer.report.cards import pictures, touched
from placer.report.chart import chart
from placer.report.clock import WallClock, lasting
from placer.report.placements import ended, goal_rows, gpus_text
from placer.report.plan import FIGURES, continued_sentences, counted, dropped_rows, figure_rows, jobs_text, together
from placer.undone import undone
from placer_models.faults import clean
from placer_models.plan import Plan, Step
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from jinja2 import Template

Rows = Sequence[Sequence[str]]


def page(plan: Plan, snapshot: Snapshot | None = None, faults: Sequence[str] = (), drifted: Sequence[str] = ()) -> str:
    """The page about a plan; with its snapshot it also shows who stands where before, in the night and after.

    `faults` are what the judge says against the plan, `drifted` what has changed since it was made.
    """
    clock = WallClock.of(plan)
    said = {step.id: _said(step, clock) for step in plan.steps}
    shown = tuple(_pictures(plan, snapshot, clock)) if snapshot else ()
    hosts = [host.name for host in snapshot.hosts] if snapshot else []
    hosts += sorted(touched(plan) - set(hosts))
    return _template().render(
        title=f"{snapshot.cluster}: {plan.request}" if snapshot else f"Plan: {plan.request}",
        windows=[f"{clock.day(one.from_)} to {clock.day(one.until)} ({clock.name})" for one in plan.window],
        ended=ended(plan),
        sums=_sums(plan),
        judged=snapshot is not None,
        faults=faults,
        drifted=drifted,
        undone=undone(plan),
        continued=list(continued_sentences(plan, clock)),
        pictures=shown,
        chart=chart(plan, hosts, clock, said),
        said=said,
        tables=list(_tables(plan, clock)),
        steps=list(_steps(plan, clock)),
        broken_now=plan.broken_now,
        assumed=plan.assumed,
        already=plan.already,
        origin=[
            ("decision", plan.decision),
            ("seed", str(plan.seed)),
            ("snapshot", plan.snapshot_sha256),
            *((name, version) for name, version in plan.versions.items()),
        ],
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("placer.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    return environment.get_template("page.html.j2")


def _pictures(plan: Plan, snapshot: Snapshot, clock: WallClock) -> Iterator[Any]:
    from placer.judge.timed import TimedReplay
    from placer.judge.verify import asked_of, decision_of

    asked = asked_of(snapshot, plan)
    rules = decision_of(plan).rules_of(snapshot.rules)
    return pictures(plan, TimedReplay(snapshot.content, rules, asked.request, asked.jobs, plan), clock)


def _said(step: Step, clock: WallClock) -> str:
    """`migrate desk-1 from esx01 to esx02, 22:00:00 to 22:00:21, 6 s of stun: frees esx01`."""
    what = f"{step.kind} {step.vm or step.job or step.host or ''}"
    if step.leaves:
        what += f" from {step.leaves}"
    if step.reaches:
        what += f" to {step.reaches}"
    what += f", {clock.time(step.start)} to {clock.time(step.end)}"
    if step.stun_seconds:
        what += f", {step.stun_seconds:g} s of stun"
    return f"{what}: {step.why}" if step.why else what


def _sums(plan: Plan) -> list[tuple[str, str]]:
    """The figures at the top: what is counted, and how many."""
    freed = {one.host for one in plan.freed}
    hours = sum((one.until - one.from_).total_seconds() for one in plan.freed) / 3600
    made = [
        ("steps", counted(plan.steps)),
        ("hosts freed", f"{len(freed)}, for {hours:.1f} host hours" if freed else "none"),
    ]
    if plan.jobs:
        made.append(("runs of jobs", jobs_text(plan.jobs)))
    if plan.unmoved:
        made.append(("VMs that stay on hosts to be freed", str(len(plan.unmoved))))
    return made


def _tables(plan: Plan, clock: WallClock) -> Iterator[tuple[str, Sequence[str], Rows, frozenset[int]]]:
    """Tables but for the steps': caption, heads of the columns, rows, which columns hold figures."""
    yield ("Steps of the earlier plan that are dropped, and why", ("steps", "why"), dropped_rows(plan), frozenset())
    yield (
        "Freed hosts",
        ("host", "from", "until", "for", "jobs"),
        [
            (
                one.host,
                clock.day(one.from_),
                clock.day(one.until),
                lasting(one.until - one.from_),
                jobs_text([r for r in plan.jobs if r.host == one.host and one.from_ <= r.start and r.end <= one.until]),
            )
            for one in plan.freed
        ],
        frozenset(),
    )
    yield (
        "Runs of jobs",
        ("job", "instance", "host", "GPUs", "from", "until"),
        [
            (r.job, str(r.instance), r.host, gpus_text(r.gpus), clock.day(r.start), clock.day(r.end))
            for r in sorted(plan.jobs, key=lambda r: (r.job, r.instance, r.start))
        ],
        frozenset({1}),
    )
    yield (
        "Hosts left out, and why",
        ("host", "why"),
        [
            (", ".join(hosts), "; ".join(reasons))
            for hosts, reasons in together((o.host, o.reasons) for o in plan.left_out)
        ],
        frozenset(),
    )
    groups = together(((one.vm, one.host), one.reasons) for one in plan.unmoved)
    yield (
        "VMs that stay on hosts to be freed, and why",
        ("VM", "keeps", "why"),
        [
            (*(", ".join(dict.fromkeys(names)) for names in zip(*pairs, strict=True)), "; ".join(reasons))
            for pairs, reasons in groups
        ],
        frozenset(),
    )
    yield (
        "Before, meanwhile (when most hosts are free) and after",
        ("figure", *FIGURES),
        figure_rows(plan),
        frozenset({1, 2, 3}),
    )
    yield (
        "Goals, the most important first",
        ("goal", "score", "bound: nobody can beat it", "gap", "counted in"),
        goal_rows(plan.score, plan.bound, plan.gap),
        frozenset({1, 2, 3}),
    )


def _steps(plan: Plan, clock: WallClock) -> Iterator[Sequence[str]]:
    names = {step.id: f"{step.kind} {step.vm or step.job or step.host or ''}" for step in plan.steps}
    for step in plan.steps:
        yield (
            clock.time(step.start),
            lasting(step.end - step.start),
            names[step.id],
            step.leaves or "",
            step.reaches or ("" if step.vm else step.host or ""),
            gpus_text(step.gpus),
            ", ".join(names.get(name, name) for name in step.waits_for),
            step.why,
        )
