"""One peer in its own process: `python -m bench.peers.child PEER SNAPSHOT OUT STARTED LIMIT SEED`.

STARTED is the monotonic clock when the process was asked for, so that import and reading count. OUT is replaced
whenever the peer has a better answer: whoever ends the process still has the best one so far.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peers import greedy
from bench.peers.instance import Instance, NotFor
from bench.world import Choice
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.snapshot import Snapshot

DECISION = "gpu_allocation"
"""What all peers are judged by: most GPU, then most VMs."""
GREEDY = {"best-fit": greedy.best_fit, "first-fit-decreasing": greedy.first_fit_decreasing, "fgd": greedy.fgd}
SOLVERS = ("cp-sat", "highs", "scip")


@dataclass
class Answers:
    """What a peer has found so far, kept in a file."""

    out: Path
    started: float
    instance: Instance
    told: dict[str, Any] = field(default_factory=lambda: {"choices": {}, "bound": None, "optimal": False, "trace": []})

    def tell(self, choices: Mapping[str, Choice], bound: int | None) -> None:
        """A better answer."""
        at = round(time.monotonic() - self.started, 3)
        self.told["trace"].append([at, *self.instance.count(choices), bound])
        self.told |= {"choices": {vm: [node, list(devices)] for vm, (node, devices) in choices.items()}, "bound": bound}
        self.write()

    def write(self) -> None:
        """Keep it: whole or not at all."""
        write(self.out, self.told)


def write(out: Path, told: Mapping[str, Any]) -> None:
    """A file's new content, whole or not at all."""
    beside = out.with_suffix(".new")
    beside.write_text(json.dumps(told), encoding="utf-8")
    beside.replace(out)


def run(peer: str, snapshot: Snapshot, out: Path, started: float, limit: float, seed: int) -> None:
    """Let a peer answer; what it says is in the file `out`."""
    if peer == "placer":
        _place(snapshot, out, started, limit, seed)
        return
    try:
        answers = Answers(out, started, Instance.of(snapshot))
    except NotFor as reason:
        write(out, {"not_for": str(reason)})
        return
    if peer in GREEDY:
        answers.tell(GREEDY[peer](answers.instance), None)
        return
    from bench.peers import by_vm  # here, because ortools takes most of a second to load

    def left() -> float:
        return limit - (time.monotonic() - started)

    if peer == "cp-sat":
        outcome = by_vm.cp_sat(answers.instance, left, seed, answers.tell)
    else:
        outcome = by_vm.math_opt("highs" if peer == "highs" else "scip", answers.instance, left, seed, answers.tell)
    answers.told |= {"bound": outcome.bound, "optimal": outcome.optimal}
    answers.write()


def _place(snapshot: Snapshot, out: Path, started: float, limit: float, seed: int) -> None:
    """placer, asked as `placer place` asks it; what it says of its progress is kept too."""
    from placer import place

    decision = shipped_decision(DECISION)
    search = decision.search.model_copy(update={"time_limit_seconds": limit, "seed": seed})
    scores: dict[str, int] = {}
    trace: list[list[float | int | None]] = []

    def tell(label: str, score: int, bound: int | None) -> None:
        scores[label] = score
        vms = [count for goal, count in scores.items() if goal.startswith("placed")]
        at = round(time.monotonic() - started, 3)
        trace.append([at, scores.get("gpu-milli"), sum(vms) if vms else None, bound])

    answer = place(snapshot, decision.model_copy(update={"search": search}), progress=tell, since=started)
    write(out, {"answer": json.loads(dump(answer)), "trace": trace})


def main(arguments: list[str]) -> None:
    """The command line."""
    peer, path, out, started, limit, seed = arguments
    run(peer, Snapshot.load(Path(path).read_bytes()), Path(out), float(started), float(limit), int(seed))


if __name__ == "__main__":
    main(sys.argv[1:])
