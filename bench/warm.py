"""The online protocol played through a real `Session`, as a scheduler would use it.

Its decision is the shipped `gpu_allocation`: most GPU, then most VMs, of the request at hand; what those goals leave
open is the session's look ahead. It knows what has arrived, or is given a sample of the trace's pods, drawn anew for
each order. What it answers is carried out in the bench's own world too, which refuses what does not fit, and at the end
the judge looks at the whole snapshot.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.session import faults
from bench.world import WHOLE, Choice, Pod, World
from placer import Proposal, Session
from placer_models.cluster import Vm
from placer_models.decision import shipped_decision
from placer_models.plan import Placed
from placer_models.snapshot import Snapshot

SAMPLE = 2000
"""Pods that are drawn where the mix is given."""


@dataclass(frozen=True)
class Way:
    """How a session is asked: for so many arrivals at once, with the mix given or learnt."""

    batch: int = 1
    given: bool = False


WAYS = {
    "session": Way(),
    "session-given": Way(given=True),
    "session-batch-10": Way(batch=10),
    "session-batch-100": Way(batch=100),
}
"""By the name of the policy."""


class Warm:
    """A session with the nodes of a world, the first by rank first, and nothing on them. `pods` are the trace's."""

    def __init__(self, world: World, pods: Sequence[Pod], way: Way, seed: int) -> None:
        self.batch = way.batch
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
            self._proposal = self.session.propose(vms[0], reasons=False)
        else:
            self._proposal = self.session.propose_many(vms, reasons=False)
        placed = {one.vm: one for one in self._proposal.placed}
        return [self._choice(placed[vm.name]) if vm.name in placed else None for vm in vms]

    def carry_out(self) -> None:
        """Commit what was chosen last."""
        self.session.commit(self._proposal)

    def _choice(self, placed: Placed) -> Choice:
        return self._nodes[placed.host], tuple(int(gpu.gpu) for gpu in placed.gpus)

    def faults(self) -> list[str]:
        """What the judge finds wrong with what stands at the end."""
        return faults(self._first, self.session.snapshot())

    def _vm(self, pod: Pod, name: str) -> Vm:
        if pod not in self._known:
            self._known[pod] = Vm.model_validate(_document(pod))
        return self._known[pod].model_copy(update={"name": name})


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
