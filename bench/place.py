"""One `placer place` as a user runs it: in a process of its own, judged anew afterwards, said as a JSON line."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bench.machine import about
from bench.peers.watch import Ended, watch
from placer import verify
from placer_models.decision import shipped_decision
from placer_models.document import parse, read_json
from placer_models.gpus import Catalogue
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot

MOST_MIB = 4096
"""Memory that a run may take."""

LATE = 60.0
"""Seconds after its limit when a run that has not ended is ended."""


def run(arguments: Sequence[str], seconds: float) -> Ended:
    """One command of placer's. Raises ClickException where it fails; 1 (some stay off) is no failure."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "placer", *arguments]
        ended = watch(command, Path(folder) / "said", most_seconds=seconds + LATE, most_mib=MOST_MIB)
    if ended.killed or ended.code not in (0, 1):
        raise click.ClickException(f"placer {arguments[0]} ended with {ended.code}: {ended.killed or ended.said}")
    return ended


def placed(
    snapshot: Path, decision: str, seconds: float, *options: str, models: Path | None = None
) -> tuple[Placements, dict[str, Any]]:
    """An answer to a snapshot (with GPU `models` of its own), judged again here, and what it took: its line. Raises
    ClickException where it fails, or where the judge finds fault with it.
    """
    catalogue = None if models is None else Catalogue.shipped().with_file(models)
    asked = Snapshot.load(snapshot.read_bytes(), snapshot.name, catalogue)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        limits = ["--decision", decision, "--time-limit", str(seconds)]
        limits += [] if models is None else ["--gpu-models", str(models)]
        ended = run(["place", str(snapshot), *limits, *options, "-o", str(out)], seconds)
        answer = parse(Placements, read_json(out.read_bytes(), "the answer"), "the answer")
    faults = verify(asked, answer, shipped_decision(decision))
    if faults:
        raise click.ClickException(f"{snapshot.name}: the judge says: {faults[0]}")
    return answer, {
        "status": answer.status,
        "score": dict(answer.score),
        "bound": dict(answer.bound),
        "gap": dict(answer.gap),
        "unplaced": len(answer.unplaced),
        "moves": len(answer.moves),
        "stopped": answer.stopped,
        "time_limit": seconds,
        "seconds": round(ended.seconds, 2),
        "cpu_seconds": round(ended.cpu_seconds, 2),
        "peak_rss_mib": ended.peak_rss_mib,
        **about("gpu-placer", "ortools", "pydantic"),
    }


def gpus_of(snapshot: Path) -> tuple[int, int]:
    """All GPUs of a snapshot's hosts, and the thousandths of them that its running VMs hold."""
    document = json.loads(snapshot.read_bytes())
    running = (ask for vm in document["vms"] if vm["power"] == "on" for ask in vm.get("gpus", ()))
    held = sum(ask.get("count", 1) * ask.get("milli", 1000) for ask in running)
    return sum(len(host.get("gpus", ())) for host in document["hosts"]), held


def shares(line: dict[str, Any], gpus: int, held: int = 0) -> dict[str, Any]:
    """The same in percent of all GPUs: those that are given, and those that can be at most."""
    bound = line["bound"].get("gpu-milli")
    return {
        "gpus": gpus,
        "gpu_percent": round((held + line["score"]["gpu-milli"]) / (10 * gpus), 4),
        "most_percent": None if bound is None else round((held + bound) / (10 * gpus), 4),
    }
