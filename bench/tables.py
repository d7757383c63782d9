"""Tables of what was measured. Lines of the same thing, run again, are one row: its medians."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

Line = Mapping[str, Any]
Cell = Callable[[Sequence[Line]], str]
"""What a row shows of its lines."""

PUBLISHED = {
    "random": 86.30,
    "dot-product": 90.62,
    "clustering": 91.65,
    "packing": 91.78,
    "best-fit": 92.86,
    "fgd": 95.23,
}
"""Means over seeds 42 to 51 of the default trace in percent (Weng et al., USENIX ATC 2023, as replayed to 0.01)."""


def console(*, stderr: bool = False) -> Console:
    """Where tables go: a terminal as wide as it is, anything else wide enough for every column."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=180)


def middle(lines: Iterable[Line], key: str) -> float | None:
    """The median of a figure over lines (`score.moves`: within a figure); None: no line has it."""
    values = [value for line in lines if (value := of(line, key)) is not None]
    return statistics.median(values) if values else None


def of(line: Line, key: str) -> Any:
    """A figure of a line, or None; `score.moves` is one within another."""
    found: Any = line
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


@dataclass(frozen=True)
class Kind:
    """How lines of one kind of work are shown: a row for all that have these keys in common."""

    title: str
    by: Sequence[str]
    cells: Mapping[str, Cell]

    def table(self, lines: Iterable[Line]) -> Table:
        """The lines as a table."""
        found = Table(title=self.title, title_justify="left")
        for head in self.by:
            found.add_column(head.replace("_", " "), justify="left")
        found.add_column("runs", justify="right")
        for head in self.cells:
            found.add_column(head, justify="left" if head in WORDS else "right")
        for key, some in grouped(lines, *self.by).items():
            names = ("" if part is None else str(part) for part in key)
            found.add_row(*names, str(len(some)), *(cell(some) for cell in self.cells.values()))
        return found


WORDS = ("status", "said", "stopped")


def grouped(lines: Iterable[Line], *keys: str) -> dict[tuple[Any, ...], list[Line]]:
    """The lines by what these keys say of them, in the order in which they come."""
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(line.get(key) for key in keys), []).append(line)
    return groups


def _median(key: str, places: int = 0) -> Cell:
    def cell(lines: Sequence[Line]) -> str:
        value = middle(lines, key)
        return "" if value is None else f"{value:.{places}f}"

    return cell


def _words(key: str) -> Cell:
    return lambda lines: ", ".join(sorted({str(line[key]) for line in lines if line.get(key) is not None}))


def _tiers(key: str) -> Cell:
    """All goals' figures, of the first run."""
    return lambda lines: ", ".join("?" if value is None else str(value) for value in (of(lines[0], key) or {}).values())


def _count(key: str) -> Cell:
    return lambda lines: str(max(len(line.get(key) or ()) for line in lines))


def _busiest(lines: Sequence[Line]) -> str:
    loads = [line["load_before"][0] for line in lines if "load_before" in line]
    return f"{max(loads):.1f}" if loads else ""


PROCESS: dict[str, Cell] = {
    "s": _median("seconds", 1),
    "CPU s": _median("cpu_seconds", 1),
    "MiB": _median("peak_rss_mib"),
    "load before": _busiest,
}
"""What a whole process took. The load is the greatest of the runs'."""

TABLES: Mapping[str, Kind] = {
    "fixtures": Kind(
        "What is shipped: whole process, medians",
        ("instance",),
        {"placed": _median("placed"), "off": _median("unplaced"), "moves": _median("moves")}
        | {"status": _words("status"), **PROCESS},
    ),
    "synthetic": Kind(
        "Synthetic clusters: whole process, medians",
        ("row", "seed", "decision"),
        {"asked": _median("asked"), "off": _median("unplaced"), "gap %": _median("gap_percent", 3)}
        | {"status": _words("status"), **PROCESS},
    ),
    "growth": Kind(
        "Growth: whole process, medians",
        ("row", "seed", "decision"),
        {"asked": _median("asked"), "gap %": _median("gap_percent", 3), "status": _words("status"), **PROCESS},
    ),
    "openb": Kind(
        "The openb trace, all known at once: whole process, medians",
        ("trace", "gpus", "seed", "time_limit"),
        {"GPU %": _median("gpu_percent", 3), "at most %": _median("most_percent", 3), "off": _median("unplaced")}
        | PROCESS,
    ),
    "defrag": Kind(
        "Few moves in the openb trace: whole process, medians",
        ("trace", "most_moves"),
        {"before %": _median("before_percent", 3), "GPU %": _median("gpu_percent", 3)}
        | {"at most %": _median("most_percent", 3), "moves": _median("moves"), "placed": _median("placed"), **PROCESS},
    ),
    "session": Kind(
        "Single decisions of a session, medians over runs",
        ("kind", "hosts", "vms", "seed"),
        {"proposals": _median("proposals"), "refused": _median("refused"), "median ms": _median("median_ms", 3)}
        | {"p99 ms": _median("p99_ms", 3), "most ms": _median("most_ms", 3)}
        | {"commit ms": _median("commit_median_ms", 3), "faults": _count("faults"), "load before": _busiest},
    ),
    "session-equality": Kind(
        "Single requests of a session and of a cold place",
        ("kind", "hosts", "seed"),
        {"requests": _median("requests"), "other than proven": _median("other_than_proven")}
        | {"other than found": _median("other_than_found")},
    ),
    "night": Kind(
        "Nights: whole process, medians",
        ("row", "seed"),
        {"job value": _median("score.job-value"), "at most": _median("bound.job-value")}
        | {"hosts freed": _median("score.hosts-freed"), "at most ": _median("bound.hosts-freed")}
        | {"moves": _median("score.moves"), "steps": _median("steps"), "job runs": _median("runs"), **PROCESS},
    ),
    "drain": Kind(
        "One host emptied: whole process, medians",
        ("row", "seed", "peer"),
        {"moves": _median("moves"), "others": _median("others"), "status": _words("status"), **PROCESS},
    ),
    "failed": Kind("Rows that failed", ("target",), {"said": _words("said"), "load before": _busiest}),
    "dense": Kind(
        "Dense rearrangements: seconds of the night, medians",
        ("moves", "full", "at_once", "seed"),
        {"list": _median("list_seconds"), "found": _median("found_seconds"), "at least": _median("bound_seconds")}
        | {"CPU s": _median("found_cpu_seconds", 1), "load before": _busiest},
    ),
}
"""By the lines' `work`; `online` and `peers`, which are compared with one another, have tables of their own."""


def tables(lines: Sequence[Line]) -> list[Table]:
    """A table for each kind of work among the lines."""
    found = []
    for (work,), some in grouped(lines, "work").items():
        if work == "online":
            found.append(online_table(some))
        elif work == "peers":
            found += [peers_table(ones) for ones in grouped(some, "instance").values()]
        else:
            found.append(TABLES[work].table(some))
    return found


def online_table(lines: Sequence[Line]) -> Table:
    """Allocation by policy: mean and standard deviation over the orders, beside what was published, best last."""
    table = Table(title="GPU allocation when 100 % has been asked for", title_justify="left")
    for head in ("policy", "trace", "orders", "mean %", "sd", "published %", "of FGD", "s an order", "median ms"):
        table.add_column(head, justify="left" if head in ("policy", "trace") else "right")
    groups = grouped(lines, "policy", "trace")
    means = {key: statistics.mean(line["gpu_percent"] for line in some) for key, some in groups.items()}
    for (policy, trace), mean in sorted(means.items(), key=lambda item: item[1]):
        some = groups[policy, trace]
        percents = [line["gpu_percent"] for line in some]
        fgd = means.get(("fgd", trace))
        same = "default" in trace and sorted(line["seed"] for line in some) == list(range(42, 52))
        published = PUBLISHED.get(policy) if same else None
        table.add_row(
            policy,
            trace,
            str(len(some)),
            f"{mean:.2f}",
            f"{statistics.stdev(percents):.2f}" if len(some) > 1 else "",
            "" if published is None else f"{published:.2f}",
            "" if fgd is None else f"{mean / fgd:.4f}",
            f"{statistics.mean(line['seconds'] for line in some):.2f}",
            f"{statistics.median(line['median_ms'] for line in some):.3f}",
        )
    return table


def peers_table(lines: Sequence[Line]) -> Table:
    """Peers on one instance: the score and its ratio to the best one, what is proven, and what it cost, also as a ratio
    to placer's CPU seconds; best first. Of runs that were repeated the one with the middle score is shown, with the
    medians of what they cost.
    """
    table = Table(title=f"{lines[0]['instance']}: {lines[0]['asked']} VMs asked for", title_justify="left")
    heads = ("peer", "runs", "GPU milli", "VMs", "of best", "bound", *PROCESS, "CPU, of placer's", "said")
    for head in heads:
        table.add_column(head, justify="left" if head in ("peer", "said") else "right")
    groups = grouped(lines, "peer")
    shown = {peer: sorted(some, key=worth)[len(some) // 2] for (peer,), some in groups.items()}
    most = max(map(worth, shown.values()), default=(0, 0))
    ours = middle(groups.get(("placer",), ()), "cpu_seconds")
    for peer, line in sorted(shown.items(), key=lambda item: worth(item[1]), reverse=True):
        some = groups[peer,]
        judged = line["status"] in ("optimal", "feasible")
        mine, best = next(((a, b) for a, b in zip(worth(line), most, strict=True) if b), (0, 0))
        theirs = middle(some, "cpu_seconds")
        table.add_row(
            peer,
            str(len(some)),
            str(line["gpu_milli"]) if judged else "",
            str(line["vms"]) if judged else "",
            f"{mine / best:.4f}" if judged and best else "",
            "" if line["bound"] is None else str(line["bound"]),
            *(cell(some) for cell in PROCESS.values()),
            f"{theirs / ours:.2f}" if theirs is not None and ours else "",
            "; ".join(filter(None, (line["status"], line["said"]))),
        )
    return table


def worth(line: Line) -> tuple[int, int]:
    """What is compared: first GPU, then VMs. Nothing that the judge refused counts."""
    return (line["gpu_milli"], line["vms"]) if line["status"] in ("optimal", "feasible") else (-1, -1)
