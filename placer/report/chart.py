"""A plan's steps and jobs as a chart: one row for each host, laid out in the units of an SVG that is `WIDTH` wide.

Moving takes minutes of a night that lasts for hours. So the stretches in which steps are under way are drawn wide, and
the quiet ones between them narrow: within one stretch time is to scale.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from placer.report.clock import WallClock
from placer_models.plan import Plan, Step

WIDTH, GUTTER, RIGHT = 1200.0, 132.0, 12.0
"""The whole chart, the names of hosts at its left, and what is left free at its right."""
QUIET_SHARE = 0.35
"""The part of the width that quiet stretches share."""
LANE, JOB_LANE, PAD, AXIS = 44.0, 20.0, 5.0, 30.0
"""Heights: of a row of steps, of a row of jobs, of the space around them, and of the times above."""
LETTER = 5.8
"""Width of one letter of the names in bars."""
NICE = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True)
class Bar:
    """A step at one of its hosts, or a run of a job. `number` is the step's place in the plan, from 1; `upright`: its
    label stands on end.
    """

    kind: str
    x: float
    y: float
    width: float
    height: float
    label: str
    upright: bool
    said: str
    number: int | None = None


@dataclass(frozen=True)
class Row:
    """What is seen of one host: `freed` are the left edges and widths of the stretches in which it is free."""

    host: str
    label: str
    y: float
    height: float
    freed: Sequence[tuple[float, float]]
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Chart:
    """`quiet` are the left edges and widths of the stretches that are drawn narrow, `ticks` times with their places,
    `waits` the lines from the end of a step to the start of one that waits for it: x, y, x, y.
    """

    height: float
    rows: Sequence[Row]
    quiet: Sequence[tuple[float, float]]
    ticks: Sequence[tuple[float, str]]
    waits: Sequence[tuple[float, float, float, float]]
    width: float = WIDTH
    gutter: float = GUTTER
    axis: float = AXIS


class Scale:
    """From instants (seconds since 1970) to places on the chart."""

    def __init__(self, busy: Iterable[tuple[float, float]], first: float, last: float) -> None:
        stretches = _merged(busy)
        edges = sorted({first, last, *(edge for stretch in stretches for edge in stretch)})
        moving = {start for start, _ in stretches}
        self.edges, wide = edges, WIDTH - GUTTER - RIGHT
        lengths = [(end - start, start in moving) for start, end in pairwise(edges)]
        total = {kind: sum(length for length, is_busy in lengths if is_busy is kind) for kind in (True, False)}
        self.bent = 0 < total[True] < total[False] * (1 - QUIET_SHARE) / QUIET_SHARE
        share = {True: wide * (1 - QUIET_SHARE), False: wide * QUIET_SHARE}
        if not self.bent:
            share = {kind: wide * total[kind] / max(sum(total.values()), 1) for kind in total}
        self.places, self.quiet = [GUTTER], list[tuple[float, float]]()
        for length, is_busy in lengths:
            width = share[is_busy] * length / max(total[is_busy], 1)
            if self.bent and not is_busy:
                self.quiet.append((self.places[-1], width))
            self.places.append(self.places[-1] + width)

    def __call__(self, instant: float) -> float:
        """The place of an instant; one outside the chart is at its edge."""
        i = min(max(bisect_right(self.edges, instant) - 1, 0), len(self.edges) - 2)
        start, end = self.edges[i : i + 2]
        part = min(max((instant - start) / (end - start), 0), 1)
        return self.places[i] + part * (self.places[i + 1] - self.places[i])

    def ticks(self, clock: WallClock) -> Iterator[tuple[float, str]]:
        """Times to write above: where stretches begin and end, and round ones between, none too near to another."""
        apart, taken = 58.0 if len(clock.days) < 2 else 84.0, list[float]()
        wanted = list(self.edges)
        for start, end, left, right in zip(self.edges, self.edges[1:], self.places, self.places[1:], strict=False):
            step = next((n for n in NICE if n * (right - left) >= apart * (end - start)), end - start)
            wanted += [n * step for n in range(int(start // step) + 1, int(end // step) + 1)]
        for instant in wanted:
            x = self(instant)
            if all(abs(x - other) >= apart for other in taken):
                taken.append(x)
                yield x, clock.tick(instant)


def _merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches of time in which steps are under way; a pause no longer than a minute does not end one."""
    made: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1] + 60:
            made[-1] = made[-1][0], max(made[-1][1], end)
        elif start < end:
            made.append((start, end))
    return made


def chart(plan: Plan, hosts: Sequence[str], clock: WallClock, said: Mapping[str, str]) -> Chart | None:
    """Lay out a plan for those of `hosts` on which something happens; `said` are its steps in words, by id.

    None: nothing happens.
    """
    steps = [(number, step) for number, step in enumerate(plan.steps, 1) if step.job is None]
    if not steps and not plan.jobs and not plan.freed:
        return None
    spans = [_span(step.start, step.end) for _, step in steps]
    runs = [_span(run.start, run.end) for run in plan.jobs]
    freed = [_span(one.from_, one.until) for one in plan.freed]
    windows = [_span(one.from_, one.until) for one in plan.window]
    marks = [edge for span in (*spans, *runs, *freed, *windows) for edge in span]
    scale = Scale(spans, min(marks), max(*marks, min(marks) + 1))
    rows, y = list[Row](), AXIS
    for host in hosts:
        row = _row(plan, host, y, scale, steps, clock, said)
        if row is not None:
            rows.append(row)
            y += row.height
    return Chart(y + PAD, rows, scale.quiet, sorted(scale.ticks(clock)), _waits(plan, rows))


def _row(
    plan: Plan,
    host: str,
    y: float,
    scale: Scale,
    steps: Sequence[tuple[int, Step]],
    clock: WallClock,
    said: Mapping[str, str],
) -> Row | None:
    here = [(n, step) for n, step in steps if host in (step.host, step.leaves, step.reaches)]
    runs = [run for run in plan.jobs if run.host == host]
    freed = [_span(one.from_, one.until) for one in plan.freed if one.host == host]
    if not here and not runs and not freed:
        return None
    bars: list[Bar] = []
    lanes, count = _lanes([_span(step.start, step.end) for _, step in here])
    for (number, step), lane in zip(here, lanes, strict=True):
        kind = "arrive" if step.kind == "migrate" and step.leaves != host else step.kind
        place = y + PAD + lane * (LANE + 2)
        told = said[step.id]
        bars.append(_bar(kind, scale, step.start, step.end, place, LANE, step.vm or step.kind, told, number))
    top = y + PAD + count * (LANE + 2)
    lanes, job_count = _lanes([_span(run.start, run.end) for run in runs])
    for run, lane in zip(runs, lanes, strict=True):
        told = f"job {run.job}, instance {run.instance}, on {host} {clock.day(run.start)} to {clock.day(run.end)}"
        bars.append(_bar("job", scale, run.start, run.end, top + lane * (JOB_LANE + 2), JOB_LANE, run.job, told))
    height = max(count * (LANE + 2) + job_count * (JOB_LANE + 2), JOB_LANE) + 2 * PAD
    bands = [(scale(start), scale(end) - scale(start)) for start, end in freed]
    return Row(host, _fitting(host, GUTTER - 14, 6.6), y, height, bands, bars)


def _bar(
    kind: str,
    scale: Scale,
    start: datetime,
    end: datetime,
    y: float,
    height: float,
    name: str,
    said: str,
    number: int | None = None,
) -> Bar:
    left, right = (scale(edge) for edge in _span(start, end))
    width = max(right - left - 1, 2)
    flat = _fitting(name, width - 4, LETTER)
    upright = flat != name and height >= LANE and width >= 11
    label = _fitting(name, height - 3, LETTER) if upright else flat
    return Bar(kind, left, y, width, height, label, upright, said, number)


def _fitting(name: str, width: float, letter: float) -> str:
    """As much of a name's end, which tells names apart, as there is room for; nothing where that is too little."""
    most = int(width / letter)
    return name if len(name) <= most else f"…{name[1 - most :]}" if most >= 4 else ""


def _lanes(spans: Sequence[tuple[float, float]]) -> tuple[list[int], int]:
    """For each span the lowest lane in which nothing else is then, and how many lanes that takes."""
    ends: list[float] = []
    lanes = [0] * len(spans)
    for i in sorted(range(len(spans)), key=lambda i: spans[i]):
        start, end = spans[i]
        lane = next((lane for lane, until in enumerate(ends) if until <= start), len(ends))
        ends[lane : lane + 1] = [end]
        lanes[i] = lane
    return lanes, len(ends)


def _waits(plan: Plan, rows: Sequence[Row]) -> list[tuple[float, float, float, float]]:
    """Lines of waiting; those from the step just before on the same host would tell nothing."""
    numbers = {step.id: number for number, step in enumerate(plan.steps, 1)}
    bars: dict[int, Bar] = {}
    for bar in (bar for row in rows for bar in row.bars):
        if bar.number is not None and (bar.number not in bars or bar.kind != "arrive"):
            bars[bar.number] = bar
    lines = []
    for step in plan.steps:
        to = bars.get(numbers[step.id])
        for name in step.waits_for:
            by = bars.get(numbers.get(name, 0))
            if to and by and by.y != to.y:
                lines.append((by.x + by.width, by.y + by.height / 2, to.x, to.y + to.height / 2))
    return lines


def _span(start: datetime, end: datetime) -> tuple[float, float]:
    return start.timestamp(), end.timestamp()
