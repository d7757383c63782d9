"""A scheduler in a few lines: a queue of requests, some workers, one warm cluster.

    python examples/scheduler_loop.py fixtures/cluster/vsphere-vdi/snapshot.json

Each worker proposes a place for the next VM and commits it. Where another was quicker, the proposal is stale, and the
worker proposes again. What finds no room is asked about once more at the end, with one move allowed.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from placer import Faults, Proposal, Session, Snapshot, StaleProposal
from placer_models.document import dump
from placer_models.snapshot import PowerOn

WORKERS = 2


def start(session: Session, request: PowerOn, *, moves: int = 0) -> Proposal:
    """Start a VM, or say why not."""
    while True:
        proposal = session.propose(request, moves=moves)
        try:
            session.commit(proposal)
        except StaleProposal:
            continue
        return proposal


def serve(session: Session, requests: list[PowerOn]) -> list[PowerOn]:
    """Start what is asked for, the highest priority first; what finds no room is given back."""
    queue: SimpleQueue[PowerOn] = SimpleQueue()
    for request in sorted(requests, key=lambda request: -request.priority):
        queue.put(request)
    left: list[PowerOn] = []

    def work() -> None:
        while True:
            try:
                request = queue.get_nowait()
            except Empty:
                return
            proposal = start(session, request)
            if proposal.host is None:
                left.append(request)
                said = f"{request.vm} waits: {'; '.join(proposal.unplaced[0].reasons)}"
            else:
                said = f"{request.vm} -> {proposal.why[request.vm]}"
            print(f"{said}\n", end="")  # in one piece: others write, too

    workers = [Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return left


def main(path: str) -> Snapshot:
    """Serve a snapshot's requests; the cluster as it is then."""
    snapshot = Snapshot.load(Path(path).read_bytes(), path)
    session = Session(snapshot)
    for request in serve(session, [one for one in snapshot.requests if isinstance(one, PowerOn)]):
        proposal = start(session, request, moves=1)
        for move in proposal.moves:
            print(f"{move.vm}: {move.from_} -> {move.to}, {move.why}")
        if proposal.host is not None:
            print(f"{request.vm} -> {proposal.why[request.vm]}")
    return session.snapshot()


if __name__ == "__main__":
    options = ArgumentParser(description="Starts what a snapshot asks for.")
    options.add_argument("snapshot")
    options.add_argument("after", nargs="?", type=Path, help="Where the cluster is written to as it is then.")
    asked = options.parse_args()
    try:
        after = main(asked.snapshot)
        if asked.after:
            asked.after.write_text(dump(after), encoding="utf-8")
    except (OSError, Faults) as wrong:
        options.error(str(wrong))
