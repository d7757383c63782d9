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
from bench.peers.stated import Stated
from bench.world import Choice
from placer_models.decision import shipped_decision
from placer_models.document import dump
from placer_models.snapshot import Snapshot

DECISION = "gpu_allocation"
"""What all peers are judged by: most GPU, then most VMs."""
GREEDY = {"best-fit": greedy.best_fit, "first-fit-decreasing": greedy.first_fit_decreasing, "fgd": greedy.fgd}
BY_VM = "-by-vm"
SOLVERS = (f"cp-sat{BY_VM}", "cp-sat", "highs", "scip")
"""The first one solves what a newcomer writes; the others count equal VMs and begin with the best greedy answer."""


@dataclass
class Answers:
    """What a peer has found so far, kept in a file."""

    out: Path
    started: float
    instance: Instance
    told: dict[str, Any] = field(default_factory=lambda: {"choices": {}, "bound": None, "optimal": False, "trace": []})

    def tell(self, choices: Mapping[str, Choice], bound: int | None) -> None:
        """An answer; one that is no better than what is known counts for nothing."""
        counted = self.instance.count(choices)
        if self.told["trace"] and counted <= self.instance.count(self.told["choices"]):
            return
        at = round(time.monotonic() - self.started, 3)
        self.told["trace"].append([at, *counted, bound])
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
    from bench.peers.solvers import Asked, solve  # here, because ortools takes most of a second to load

    def left() -> float:
        return limit - (time.monotonic() - started)

    newcomer, hint = peer.endswith(BY_VM), None
    if not newcomer:
        hint = max((do(Instance.of(snapshot)) for do in GREEDY.values()), key=answers.instance.count)
        answers.tell(hint, None)
    stated = Stated(answers.instance, by_vm=newcomer)
    outcome = solve(peer.removesuffix(BY_VM), Asked(stated, left, seed, answers.tell, hint))
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
        if label == next(iter(scores), None) and score < scores[label]:
            return  # another part of the search begins anew; what is known is kept
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
