"""The online protocol played through a real `Session`, as a scheduler would use it.

Its decision is the shipped `gpu_allocation`: most GPU, then most VMs, of the request at hand; what those goals leave
open is the session's look ahead. It knows what has arrived, or is given a sample of the trace's pods, drawn anew for
each order. What it answers is carried out in the bench's own world too, which refuses what does not fit, and at the end
the judge looks at the whole snapshot.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.session import faults
from bench.world import WHOLE, Choice, Pod, World
from placer import Proposal, Session
from placer_models.cluster import Vm
from placer_models.decision import shipped_decision
from placer_models.plan import PlacedGpu
from placer_models.snapshot import Snapshot

SAMPLE = 2000
"""Pods that are drawn where the mix is given."""


@dataclass(frozen=True)
class Way:
    """How a session is asked: for so many arrivals at once, with the mix given or learnt, with one move for so many
    arrivals at most (0: none).
    """

    batch: int = 1
    given: bool = False
    arrivals_a_move: int = 0


WAYS = {
    "session": Way(),
    "session-given": Way(given=True),
    "session-batch-10": Way(batch=10),
    "session-batch-100": Way(batch=100),
    "session-moves": Way(arrivals_a_move=10),
}
"""By the name of the policy."""


class Warm:
    """A session with the nodes of a world, the first by rank first, and nothing on them. `pods` are the trace's."""

    def __init__(self, world: World, pods: Sequence[Pod], way: Way, seed: int) -> None:
        self.batch, self._way = way.batch, way
        self._moved = 0
        self._where: dict[str, tuple[Pod, Choice]] = {}
        self._known: dict[Pod, Vm] = {}
        self._arrived = 0
        self._proposal = Proposal(0)
        self._order = sorted(range(len(world.models)), key=lambda node: int(world.rank[node]))
        self._nodes = {str(node): node for node in self._order}
        sample = None
        if way.given and pods:
            drawn = random.Random(seed).choices(pods, k=SAMPLE)
            sample = [self._vm(pod, f"drawn-{number}") for number, pod in enumerate(drawn)]
        hosts = [_host(world, node) for node in self._order]
        document = {**_FRAME, "hosts": hosts}
        self._first = Snapshot.of(document, "the trace")
        self.session = Session(self._first, shipped_decision("gpu_allocation"), sample)

    def choose(self, world: World, pod: Pod) -> Choice | None:
        """Where the session would put the next arrival."""
        return self.choose_all([pod])[0]

    def choose_all(self, pods: Sequence[Pod]) -> list[Choice | None]:
        """Where it would put the next few arrivals, which are asked for at once."""
        vms = [self._vm(pod, f"{self._arrived + number}") for number, pod in enumerate(pods)]
        self._arrived += len(pods)
        if len(vms) == 1:
            self._proposal = self.session.propose(vms[0], moves=min(1, self._moves_left()), reasons=False)
        else:
            self._proposal = self.session.propose_many(vms, moves=self._moves_left(), reasons=False)
        placed = {one.vm: self._choice(one.host, one.gpus) for one in self._proposal.placed}
        by_name = {vm.name: pod for vm, pod in zip(vms, pods, strict=True)}
        self._where |= {name: (by_name[name], choice) for name, choice in placed.items()}
        return [placed.get(vm.name) for vm in vms]

    def _moves_left(self) -> int:
        return self._arrived // self._way.arrivals_a_move - self._moved if self._way.arrivals_a_move else 0

    def carry_out(self) -> list[tuple[Pod, Choice, Choice]]:
        """Commit what was chosen last: the pods that are moved to make room for it, from where and whereto."""
        self.session.commit(self._proposal)
        moved: list[tuple[Pod, Choice, Choice]] = []
        for move in self._proposal.moves:
            pod, was = self._where[move.vm]
            now = self._choice(move.to, move.gpus)
            self._where[move.vm] = pod, now
            moved.append((pod, was, now))
        self._moved += len(moved)
        return moved

    @property
    def moves(self) -> int:
        """How many pods were moved so far."""
        return self._moved

    def _choice(self, host: str, gpus: Sequence[PlacedGpu]) -> Choice:
        return self._nodes[host], tuple(int(gpu.gpu) for gpu in gpus)

    def faults(self) -> list[str]:
        """What the judge finds wrong with what stands at the end."""
        return faults(self._first, self.session.snapshot())

    def _vm(self, pod: Pod, name: str) -> Vm:
        alike = replace(pod, name="")
        if alike not in self._known:
            self._known[alike] = Vm.model_validate(_document(pod))
        return self._known[alike].model_copy(update={"name": name})


_FRAME = {
    "format": "placer.snapshot/1",
    "cluster": "trace",
    "taken_at": "1970-01-01T00:00:00Z",
    "platform": {"kind": "kubevirt"},
}


def _host(world: World, node: int) -> dict[str, object]:
    gpus = [{"id": str(i), "model": world.models[node], "sharing": "fraction"} for i in range(int(world.devices[node]))]
    cpus, memory = int(world.cpu[node]) / 1000, int(world.memory[node])
    return {"name": str(node), "cpus": cpus, "memory_mib": memory, "gpus": gpus}


def _document(pod: Pod) -> dict[str, object]:
    ask: dict[str, object] = {"models": tuple(sorted(pod.models))} if pod.models else {}
    if pod.milli < WHOLE:
        ask["milli"] = pod.milli
    gpus = ({**ask, "count": pod.gpus},) if pod.gpus else ()
    size = {"cpus": pod.cpu_milli / 1000, "memory_mib": pod.memory_mib}
    return {"name": "vm", "power": "off", **size, "gpus": gpus, "may": {"live_migrate": True}}
