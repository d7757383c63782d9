"""A proposal that must be searched for, as `place` does."""

from __future__ import annotations

from collections.abc import Sequence

from placer.judge.replay import Replay
from placer.warm.proposal import Made, Proposal
from placer_models.cluster import Vm
from placer_models.decision import Decision
from placer_models.plan import Placements
from placer_models.snapshot import Snapshot


def searched(
    by: object, snapshot: Snapshot, decision: Decision, version: int, vms: Sequence[Vm], moves: int
) -> Proposal:
    """What `place` says of a snapshot in which these VMs are asked for, as a proposal made `by` a session."""
    from placer.power_on import place  # here, because it brings the search

    answer = place(snapshot, decision, moves=moves)
    rules = decision.rules_of(snapshot.rules)  # the session's own remember what is, which others change now
    scene = Replay(snapshot.content, rules, answer).scene
    moved = tuple(scene.of(vm)[0] for vm in dict.fromkeys(move.vm for move in answer.moves))
    by_name = {vm.name: vm for vm in vms}
    starts = tuple((by_name[one.vm], scene.of(one.vm)[0]) for one in answer.placed)
    said = {one.vm: f"{one.host}: {_found(answer, len(vms))}" for one in answer.placed}
    return Proposal(
        version,
        answer.placed,
        answer.moves,
        answer.unplaced,
        answer.score,
        said,
        answer.status,
        Made(by, moved, starts),
    )


def _found(answer: Placements, asked: int) -> str:
    """Why there, where a search said so."""
    among = "searched for by itself" if asked == 1 else f"searched for with {asked - 1} other VMs"
    moved = f", {len(answer.moves)} moved to make room" if answer.moves else ""
    best = "nothing is better by the goals" if answer.status == "optimal" else answer.stopped
    return f"{among}{moved}; {best}"
