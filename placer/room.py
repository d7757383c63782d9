"""How many more VMs of an ask a cluster takes: so many copies are asked for that not all of them fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from placer.called import check_call
from placer.power_on import place
from placer.progress import Progress
from placer_models.cluster import Vm
from placer_models.decision import Decision, shipped_decision
from placer_models.document import Faults, parse, read_json
from placer_models.room import MoreOf, Room, VmAsk
from placer_models.snapshot import PowerOn, Snapshot, unknown

FIRST, MOST = 64, 100_000
"""How many copies are asked for at first, and at most: an ask of nothing would fit for ever."""

Wanted = tuple[str, VmAsk]
"""An ask and the name by which the answer calls it."""


def ask_of(text: str, number: int = 0) -> Wanted:
    """The ask that JSON text holds. Raises Faults."""
    source = f"--ask {number + 1}" if number else "--ask"
    ask = parse(VmAsk, read_json(text.encode(), source), source)
    return text, ask


def ask_like(snapshot: Snapshot, vm: str) -> Wanted:
    """As much as a VM of the snapshot asks for, with its labels. Raises Faults for an unknown VM."""
    found = snapshot.content.vms.get(vm)
    if found is None:
        raise Faults("VM", [unknown("VM", vm, snapshot.content.vms)])
    ask = VmAsk(cpus=found.cpus, memory_mib=found.memory_mib, gpus=found.wants, needs=found.needs, labels=found.labels)
    return f"like {vm}", ask


def capacity(
    snapshot: Snapshot,
    asks: Sequence[Wanted | VmAsk],
    decision: Decision | None = None,
    *,
    progress: Progress | None = None,
) -> Room:
    """How many more VMs of each ask could be started, each by itself; whoever runs stays, and nobody else starts.

    Exact where `proven`; else between `more`, which the judge has seen placed, and `bound`. The decision (default: the
    shipped `power_on`) names rules, time limit in seconds (for each search) and seed; its goals are not looked at.
    Rules see the copies by their labels, not by any name. Raises Faults for an ask that no snapshot could hold.
    """
    check_call(snapshot, decision)
    decision = decision or shipped_decision("power_on")
    counting = decision.model_copy(update={"goals": ("placed",)})
    wanted = [(f"ask {i + 1}", ask) if isinstance(ask, VmAsk) else ask for i, ask in enumerate(asks)]
    return Room(
        cluster=snapshot.cluster,
        asks=tuple(_more_of(snapshot, name, ask, counting, progress) for name, ask in wanted),
        snapshot_sha256=snapshot.sha256,
        decision=decision.name,
        seed=decision.search.seed,
    )


def _more_of(snapshot: Snapshot, name: str, ask: VmAsk, decision: Decision, progress: Progress | None) -> MoreOf:
    _checked(snapshot, name, ask)
    copies = FIRST
    while True:
        answer = place(_with_copies(snapshot, ask, copies), decision, progress=progress)
        if len(answer.placed) < copies or copies == MOST:
            break
        copies = min(copies * 8, MOST)
    more, bound = len(answer.placed), answer.bound.get("placed")
    if more == copies:
        bound = None
    return MoreOf(
        name=name,
        ask=ask,
        more=more,
        bound=bound,
        proven=bound == more,
        status=answer.status,
        hosts=dict(Counter(placed.host for placed in answer.placed)),
        full=answer.unplaced[0].reasons if answer.unplaced else (),
    )


def _checked(snapshot: Snapshot, name: str, ask: VmAsk) -> None:
    """Refuse what would be refused in a snapshot."""
    one = {"name": "copy", "power": "off", **ask.model_dump(mode="json", exclude_none=True)}
    values = {"format": snapshot.format, "cluster": snapshot.cluster, "taken_at": snapshot.taken_at.isoformat()}
    try:
        Snapshot.of({**values, "hosts": [], "vms": [one]}, name, snapshot.catalogue)
    except Faults as faults:
        raise Faults(name, [fault.replace("vms[0].", "", 1) for fault in faults.sentences], faults.more) from None


def _with_copies(snapshot: Snapshot, ask: VmAsk, copies: int) -> Snapshot:
    """The snapshot with so many VMs of an ask, and nothing else asked for."""
    taken = snapshot.content.vms.keys()
    stem = next(stem for stem in ("copy", *(f"copy{i}" for i in range(len(taken) + 1))) if f"{stem}-1" not in taken)
    vms = [
        Vm(
            name=f"{stem}-{i}",
            power="off",
            cpus=ask.cpus,
            memory_mib=ask.memory_mib,
            gpus=ask.gpus,
            needs=ask.needs,
            labels=ask.labels,
        )
        for i in range(1, copies + 1)
    ]
    requests = tuple(PowerOn(vm=vm.name) for vm in vms)
    return snapshot.model_copy(update={"vms": (*snapshot.vms, *vms), "requests": requests})
