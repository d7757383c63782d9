"""Figures: how what was measured follows from JSON lines, and what it is to be."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.growth import Fit, points
from bench.tables import Line, grouped, middle, worth


@dataclass(frozen=True)
class Figure:
    """Something that is measured: how it follows from the lines, and what it is to be: at most `must`, better `beyond`;
    at least, where `more` is better. Without either it is only told.
    """

    name: str
    of: Callable[[Sequence[Line]], float | None]
    must: float | None = None
    beyond: float | None = None
    unit: str = ""
    more: bool = False
    places: int = 2

    def said(self, value: float | None) -> str:
        """`GPU 96.58 %`."""
        return f"{self.name} {'?' if value is None else f'{value:.{self.places}f}'}{self.unit}"

    def wish(self, limit: float | None) -> str:
        """`GPU >= 96.55 %`; nothing without a limit."""
        return "" if limit is None else f"{self.name} {'≥' if self.more else '≤'} {limit:g}{self.unit}"

    def keeps(self, value: float | None, limit: float | None) -> bool:
        """Whether a value is within a limit."""
        return limit is None or (value is not None and (value >= limit if self.more else value <= limit))


Of = Callable[[Sequence[Line]], float | None]
"""What lines say together; None: nothing."""


def median(key: str, **only: object) -> Of:
    """The median over the lines (of those that say this)."""
    return lambda lines: middle([line for line in lines if only.items() <= line.items()], key)


def total(key: str) -> Of:
    """The sum over the lines; None: one does not say it."""

    def found(lines: Sequence[Line]) -> float | None:
        values = [line[key] for line in lines if line.get(key) is not None]
        return sum(values) if len(values) == len(lines) else None

    return found


def worst(key: str, *by: str) -> Of:
    """The largest of the medians of each group; None: one has none."""

    def found(lines: Sequence[Line]) -> float | None:
        values = [middle(some, key) for some in grouped(lines, *by).values()]
        known = [value for value in values if value is not None]
        return max(known) if known and len(known) == len(values) else None

    return found


def mean(key: str) -> Of:
    """The mean over the lines, each of another order."""
    return lambda lines: statistics.mean(line[key] for line in lines)


def open_points(lines: Sequence[Line]) -> float | None:
    """Points of the GPUs' share between the score and its bound, of the worst run."""
    gaps = [line["most_percent"] - line["gpu_percent"] for line in lines if line["most_percent"] is not None]
    return max(gaps) if gaps and len(gaps) == len(lines) else None


def power(key: str) -> Of:
    """The power of the number of hosts with which a figure grows."""
    return lambda lines: Fit.of(points(lines, "hosts"), points(lines, key)).power


def of_best_other(lines: Sequence[Line]) -> float | None:
    """placer's GPU as a ratio to the best peer's (VMs, where nobody asks for GPU)."""
    ours = max((worth(line) for line in lines if line["peer"] == "placer"), default=(-1, -1))
    others = max((worth(line) for line in lines if line["peer"] != "placer"), default=(-1, -1))
    at = 0 if max(ours[0], others[0]) > 0 else 1
    return ours[at] / others[at] if others[at] > 0 else None


def short_of(goal: str) -> Of:
    """How far the median score of a goal is from its bound, in percent of the bound."""

    def found(lines: Sequence[Line]) -> float | None:
        score, bound = middle(lines, f"score.{goal}"), middle(lines, f"bound.{goal}")
        return None if score is None or not bound else 100 * (bound - score) / bound

    return found


def later(key: str, bound: str) -> Of:
    """How much later something is done than its bound, in percent, in the worst of the lines that say it; None: one
    has no bound.
    """

    def found(lines: Sequence[Line]) -> float | None:
        pairs = [(line[key], line[bound]) for line in lines if line.get(key) is not None]
        return max((100 * (at / least - 1) for at, least in pairs), default=None) if all(b for _, b in pairs) else None

    return found


def gap(must: float, beyond: float | None = None) -> Figure:
    """The largest gap to what nobody can beat."""
    return Figure("gap", median("gap_percent"), must, beyond, " %", places=3)


def time(must: float | None = None, beyond: float | None = None) -> Figure:
    """Seconds of the whole process."""
    return Figure("whole process", median("seconds"), must, beyond, " s", places=1)


def memory(must: float | None = None) -> Figure:
    """The whole process' peak memory."""
    return Figure("memory", median("peak_rss_mib"), must, unit=" MiB", places=0)


def allocated(must: float, beyond: float | None = None) -> Figure:
    """The share of all GPUs that is given, over several orders."""
    return Figure("GPU, mean", mean("gpu_percent"), must, beyond, " %", more=True, places=3)
