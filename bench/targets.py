"""What placer is to show, row by row: what must be reached, what would be beyond it, and which calls measure it.

Nothing passes or fails by a clock: a row says what was measured beside what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from bench.figures import (
    Figure,
    Of,
    allocated,
    gap,
    later,
    median,
    memory,
    of_best_other,
    open_points,
    power,
    short_of,
    time,
    total,
    worst,
)
from bench.target import Call, Files, Target


def _synthetic(row: str, work: str, *figures: Figure, repeat: int = 3) -> Target:
    kind, hosts, vms, _ = row.rsplit("-", 3)
    calls: Sequence[Call] = [("bench", "synthetic", "--row", row)]
    return Target(f"{kind}-{hosts}-{vms}", work, lambda files: calls, figures, repeat)


def _online(name: str, work: str, policy: str, *figures: Figure) -> Target:
    options = ("--policy", policy)
    return Target(name, work, lambda files: [("bench", "online", *files.trace(), *files.orders(), *options)], figures)


def _openb(files: Files, seconds: int, *more: str, pods: str = "default") -> Sequence[Call]:
    return [("bench", "openb", *files.trace(pods), "--time-limit", str(seconds), *more)]


def _peers(files: Files, snapshot: str, name: str) -> Call:
    return ("bench", "peers", snapshot, "--time-limit", "60", *files.peer(), *files.plot(name))


def _peers_shared(files: Files) -> Sequence[Call]:
    snapshot = str(files.scratch / "shared-100-1500.json")
    return [
        ("bench", "clusters", "shared", "--hosts", "100", "--vms", "1500", "-o", snapshot),
        _peers(files, snapshot, "peers-shared"),
    ]


def _peers_tenth(files: Files) -> Sequence[Call]:
    snapshot = str(files.scratch / "openb-tenth.json")
    return [
        ("placer", "import", "openb", *files.trace("default", "tenth"), "-o", snapshot),
        _peers(files, snapshot, "peers-openb-tenth"),
    ]


def _night(row: str, work: str, must: float | None, *figures: Figure) -> Target:
    calls: Sequence[Call] = [("bench", "night", row)]
    value = Figure("job value short of its bound", short_of("job-value"), must, unit=" %")
    freed = Figure("hosts freed short of their bound", short_of("hosts-freed"), unit=" %")
    return Target(row, work, lambda files: calls, (*(() if must is None else (value,)), freed, *figures))


def _moved(most: int, must: float | None) -> Figure:
    return Figure(f"GPU, {most} moves", median("gpu_percent", most_moves=most), must, unit=" %", more=True, places=3)


def _dense(at_once: int, files: Files) -> Sequence[Call]:
    return [("bench", "dense", "--at-once", str(at_once))]


def _drain(files: Files) -> Sequence[Call]:
    return [("bench", "drain", *files.peer())]


def _no_swap(of: Of, peer: str = "placer") -> Of:
    """What a peer's lines say together, but for that of the swap, which not all of them do."""
    return lambda lines: of([line for line in lines if line["row"] != "swap" and line["peer"] == peer])


def _drained(whose: str, peer: str) -> tuple[Figure, Figure]:
    """What it took to empty the hosts."""
    moves = Figure(f"{whose} moves", _no_swap(total("moves"), peer), places=0)
    cpu = Figure(f"{whose} CPU, median", _no_swap(median("cpu_seconds"), peer), unit=" s", places=1)
    return moves, cpu


PEERS = (
    Figure("of the best peer", of_best_other, more=True, places=4),
    Figure("CPU", median("cpu_seconds", peer="placer"), unit=" s"),
)
SESSION = ("bench", "session", "--hosts", "1000", "--vms", "10000")

TARGETS: Sequence[Target] = (
    Target(
        "openb",
        "openb, 8,152 pods, all known",
        lambda files: _openb(files, 17),
        (
            Figure("GPU", median("gpu_percent"), 96.55, 96.58, " %", more=True, places=4),
            Figure("bound less score", open_points, 0.03, unit=" points", places=4),
            time(20, 8),
            memory(),
        ),
        repeat=3,
    ),
    Target(
        "openb-gpuspec33",
        "openb gpuspec33, seed 42's order at 100 %, all known",
        lambda files: _openb(files, 115, *files.orders(), "--seeds", "42", pods="gpuspec33"),
        (
            Figure("GPU", median("gpu_percent"), 95.6, 96.2, " %", more=True, places=3),
            Figure("bound", median("most_percent"), 96.4, unit=" %", places=3),
            time(120),
            memory(),
        ),
    ),
    Target(
        "openb-orders",
        "openb default, ten orders at 100 %, all known",
        lambda files: _openb(files, 45, *files.orders()),
        (allocated(96.85, 96.90), time()),
    ),
    _online("online-fgd", "FGD on the ten orders, one by one, no moves (published: 95.23)", "fgd", allocated(95.12)),
    _online(
        "online",
        "ten orders, one by one, no moves, asks learnt from what has arrived",
        "session",
        allocated(95.3, 95.8),
        Figure("median decision", median("median_ms"), 1, unit=" ms", places=3),
    ),
    _online("online-given", "the same, shape frequencies given (drawn anew)", "session-given", allocated(96.0, 96.4)),
    _online("online-batches", "the same in batches of 100, learnt", "session-batch-100", allocated(95.6, 96.2)),
    _online(
        "online-moves",
        "the same one by one, at most one move for ten arrivals",
        "session-moves",
        allocated(96.0, 96.6),
    ),
    _synthetic("loaded-100-1000-10", "loaded, 100 hosts with 1,000 VMs", gap(0), time(2, 1.5), memory(), repeat=5),
    _synthetic("loaded-1000-10000-12", "loaded, 1,000 hosts with 10,000 VMs", gap(0.05), time(15, 8), memory()),
    _synthetic("storm-1000-10000-17", "storm, 1,000 identical hosts with 10,000 VMs", gap(0.3, 0), time(20), memory()),
    _synthetic("over-subscribed-1000-15000-28", "over-subscribed, 1,000/15,000", gap(0.5, 0.1), time(30), memory()),
    _synthetic(
        "loaded-5000-50000-40",
        "loaded, 5,000 hosts with 50,000 VMs",
        gap(0.1),
        time(45, 20),
        memory(1536),
    ),
    _synthetic("over-subscribed-5000-75000-112", "over-subscribed, 5,000/75,000", gap(1, 0.3), time(120), memory()),
    Target(
        "session",
        "Session, one VM, 1,000 hosts, rules on (the slowest kind of cluster)",
        lambda files: [(*SESSION, "--compare", "0")],
        (
            Figure("median", worst("median_ms", "kind"), 1, 0.2, " ms", places=3),
            Figure("p99", worst("p99_ms", "kind"), 10, unit=" ms", places=3),
        ),
        repeat=3,
    ),
    Target(
        "session-equal",
        "Session against cold place, 1,000 random single requests",
        lambda files: [(*SESSION, "--proposals", "0", "--compare", "1000")],
        (
            Figure("requests", total("requests"), 1000, more=True, places=0),
            Figure("other than proven", total("other_than_proven"), 0, places=0),
            Figure("other than found", total("other_than_found"), 0, places=0),
        ),
    ),
    Target(
        "growth",
        "loaded, 100/1,000 to 5,000/50,000",
        lambda files: [("bench", "growth", "--repeat", "3", *files.plot("growth"))],
        (
            Figure("beyond its start, time grows as hosts to the power", power("seconds")),
            Figure("CPU time", power("cpu_seconds")),
            Figure("memory", power("peak_rss_mib")),
        ),
    ),
    Target("peers-shared", "peers on a seeded cluster that all of them know, 100/1,500", _peers_shared, PEERS),
    Target("peers-openb-tenth", "peers on a tenth of openb, 841 pods", _peers_tenth, PEERS),
    Target(
        "fixtures",
        "all that is shipped",
        lambda files: [("bench", "fixtures", "--time-limit", "20")],
        (
            Figure("snapshots", len, places=0),
            Figure("proven", lambda lines: sum(line["status"] == "optimal" for line in lines), places=0),
        ),
    ),
    Target(
        "defrag",
        "openb as FGD leaves it, pods that wait started by few moves",
        lambda files: [("bench", "defrag", *files.defrag(), "--time-limit", "126", *files.plot("defrag"))],
        (
            *(_moved(most, must) for most, must in ((25, None), (50, None), (100, None), (200, 96.0), (400, 96.3))),
            Figure("slowest", worst("seconds", "most_moves"), unit=" s", places=1),
        ),
    ),
    _night("vdi-100", "VDI night, 100 hosts with 1,600 desktops, 20 jobs", 2, time(60), memory()),
    _night("vdi-1000", "VDI night, 1,000 hosts with 12,000 desktops", 5, time(300), memory(3072)),
    _night("consolidation-1000", "consolidation, 1,000 hosts with 10,000 VMs, 300 to be freed", None, time(), memory()),
    *(
        Target(
            f"dense-{at_once}",
            f"500 moves on 100 hosts 90 % full, {at_once} at once for each host",
            partial(_dense, at_once),
            (
                Figure("list", median("list_seconds"), unit=" s", places=0),
                Figure("found", median("found_seconds"), unit=" s", places=0),
                Figure("bound", median("bound_seconds"), unit=" s", places=0),
                Figure("later than the list", later("found_seconds", "list_seconds"), must, unit=" %", places=1),
                Figure("later than the bound", later("found_seconds", "bound_seconds"), unit=" %", places=1),
            ),
        )
        for at_once, must in ((2, None), (4, -20), (8, -20))  # two at once: the bound is within 20 % of the list
    ),
    Target(
        "drain",
        "one host emptied, beside proxlb-solver",
        _drain,
        (
            Figure(
                "empty later than the bound, but for the swap",
                _no_swap(later("empty_after", "bound_empty_after")),
                4,
                unit=" %",
                places=1,
            ),
            *_drained("placer's", "placer"),
            *_drained("proxlb-solver's", "proxlb, balanciness 3"),
            *_drained("proxlb-solver's fewest", "proxlb, balanciness 1"),
        ),
    ),
)
BY_NAME: Mapping[str, Target] = {target.name: target for target in TARGETS}
