"""One `placer place` as a user runs it: in a process of its own, judged anew afterwards, said as a JSON line."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from bench.machine import about
from bench.process import answered
from placer import verify
from placer_models.decision import shipped_decision
from placer_models.document import parse, read_json
from placer_models.gpus import Catalogue
from placer_models.plan import Placements, Plan
from placer_models.snapshot import Snapshot

LATE = 60.0
"""Seconds after its limit when a run that has not ended is ended."""


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
        ended = answered("place", str(snapshot), *limits, *options, "-o", str(out), most_seconds=seconds + LATE)
        answer = parse(Placements, read_json(out.read_bytes(), "the answer"), "the answer")
    faults = verify(asked, answer, shipped_decision(decision))
    if faults:
        raise click.ClickException(f"{snapshot.name}: the judge says: {faults[0]}")
    return answer, {
        "status": answer.status,
        "judged": True,
        "decision": decision,
        "search_seed": answer.seed,
        "snapshot_sha256": asked.sha256,
        "score": dict(answer.score),
        "bound": dict(answer.bound),
        "gap": dict(answer.gap),
        "unplaced": len(answer.unplaced),
        "moves": len(answer.moves),
        "stopped": answer.stopped,
        "time_limit": seconds,
        **ended.figures,
        **about(),
    }


def judged_plan(snapshot: Path, plan: Path) -> Plan:
    """The plan that placer has written for a snapshot, judged again here. Raises ClickException where the judge finds
    fault with it.
    """
    found = parse(Plan, read_json(plan.read_bytes(), "the plan"), "the plan")
    faults = verify(Snapshot.load(snapshot.read_bytes(), snapshot.name), found)
    if faults:
        raise click.ClickException(f"{snapshot.name}: the judge says: {faults[0]}")
    return found


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
