"""The warm cluster that a scheduler holds on to: one VM is placed in about a millisecond, by the same rules, goals and
judge as `place`.

    session = Session(snapshot)
    proposal = session.propose("render-7")     # or a Vm that the cluster does not know yet
    if proposal.host is not None:
        session.commit(proposal)               # StaleProposal where the cluster has changed meanwhile

A proposal changes nothing; it is made for one version of the cluster, and whoever commits another first makes it
stale. All methods may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import RLock

from pydantic import RootModel

from placer.called import check_call, check_moves
from placer.judge.obstacles import Explainer
from placer.steps import placed_gpus
from placer.warm.asking import Unsure
from placer.warm.expected import asks_and_vms
from placer.warm.field import Pick
from placer.warm.happened import take
from placer.warm.hop import Hop, Hops
from placer.warm.moving import room_comes_first, stands_best
from placer.warm.proposal import Made, Proposal, Ranking, StaleProposal
from placer.warm.reasons import Reasons
from placer.warm.searched import searched
from placer.warm.several import COUNTED, InTurn, guests, in_turn, known
from placer.warm.standing import Standing
from placer.warm.wanted import Request, Wanted
from placer.warm.words import why
from placer_models.cluster import Typical, Vm
from placer_models.decision import Decision, shipped_decision
from placer_models.document import Document, Faults, digest, dump, parse, quote
from placer_models.events import Event
from placer_models.plan import Placed, Unplaced
from placer_models.scene import Stand
from placer_models.snapshot import Snapshot

__all__ = ["Proposal", "Ranking", "Request", "Session", "StaleProposal"]


class _AnyEvent(RootModel[Event]):
    """One event, as plain values say it."""


class Session:
    """A cluster that changes, kept so that placing one VM is quick.

    `snapshot` is where it begins (its requests are not begun with), `decision` (default: the shipped `power_on`) says
    which rules hold and what is wished for. Goal `stranded`, and the choice among hosts that the goals find equal, look
    at what is `expected`: VMs like those that will come (yesterday's, say: each counts once), or only their asks, each
    with its weight (`placer_models.goals.stranded.typical_asks` counts those of another snapshot); where nothing is
    given, at the VMs that the cluster knows.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        decision: Decision | None = None,
        expected: Typical | Sequence[Vm] | None = None,
    ) -> None:
        check_call(snapshot, decision)
        self._decision = decision or shipped_decision("power_on")
        asks, sample = asks_and_vms(expected) if expected is not None else (None, [])
        if asks is not None:
            snapshot = snapshot.expecting(asks)
        self._standing = Standing(snapshot, self._decision, sample or None)
        self._reasons: Reasons | None = None
        self._hops: Hops | None = None
        self._version = 0
        self._lock = RLock()
        self._wanted = Wanted(self._standing)

    @property
    def version(self) -> int:
        """Grows by one with every change."""
        return self._version

    def snapshot(self) -> Snapshot:
        """The cluster as it is now: a snapshot like any other, whose digest is that of its own text."""
        with self._lock:
            now = self._standing.snapshot()
        return now.with_parts(sha256=digest(dump(now).encode()))

    # proposals

    def propose(self, request: Request, *, moves: int = 0, reasons: bool = True) -> Proposal:
        """Where one VM would best be started now: as `place` would say of this request alone, with equal scores.

        At most `moves` running VMs may be live-migrated for it; a place that needs none is found at once, others are
        searched for as `place` does. `reasons` False leaves out why a VM that stays off does so, which takes longer
        than placing it. Raises Faults for what cannot be asked for.
        """
        check_moves(moves)
        with self._lock:
            vm, priority = self._wanted.of(request)
            version = self._version
            try:
                with known(self._standing, [vm]):
                    field_ = self._standing.field
                    pick = field_.pick(vm)
                    if not moves or stands_best(field_.goals, pick):
                        return self._proposal(vm, pick, reasons)
                    if pick.stand is None and room_comes_first(field_.goals, vm):
                        hop, all_seen = self._hopper().best(vm)
                        if hop is not None:
                            return self._hopped(vm, hop)
                        if all_seen and moves == 1:
                            return self._proposal(vm, pick, reasons)
            except Unsure:
                pass
            snapshot = self._standing.snapshot({vm.name: priority}, [vm])
        return self._searched(snapshot, version, [vm], moves)

    def propose_many(self, requests: Sequence[Request], *, moves: int = 0, reasons: bool = True) -> Proposal:
        """Where several VMs would best be started. Where all that can be placed find room one after the other, the
        largest first, and the goals ask for no more, that is the answer; else they are solved together as `place` does,
        until its time limit at most. The cluster may change meanwhile, and then the proposal is stale.
        """
        check_moves(moves)
        if not isinstance(requests, Iterable) or isinstance(requests, str):
            raise Faults("the requests", [f"found {quote(requests)}, expected a list of them"])
        with self._lock:
            wanted = [self._wanted.of(request) for request in requests]
        asked = {vm.name: priority for vm, priority in wanted}
        if len(asked) < len(wanted):
            raise Faults("the requests", ["found a VM twice, expected each once"])
        vms = [vm for vm, _ in wanted]
        with self._lock:
            try:
                first = in_turn(self._standing, asked, vms)
            except Unsure:
                first = None
            if first is not None and first.best and (not moves or len(first.stands) == len(vms)):
                return self._all_of(first, vms, reasons)
            version, snapshot = self._version, self._standing.snapshot(asked, vms)
        return self._searched(snapshot, version, vms, moves)

    def rank(self, request: Request) -> Ranking:
        """Every host for one VM: the best first, and what speaks against each of the others. Where its best place must
        be searched for, the hosts on which the judge sees room are told as one group. Raises Faults.
        """
        with self._lock:
            vm, _ = self._wanted.of(request)
        with self._lock, known(self._standing, [vm]):
            explainer = self._explainer()
            look = explainer.look(vm)
            try:
                groups = self._standing.field.rank(vm)
            except Unsure:
                groups = (look.open_to,) if look.open_to else ()
            open_to = {name for group in groups for name in group}
            against = [one for one in look.against if one.reason.host not in open_to]
            refused = {one.reason.host: explainer.rules[one.rule].say([one.reason]) for one in against}
            return Ranking(self._version, groups, refused)

    def _hopper(self) -> Hops:
        if self._hops is None or self._hops.field is not self._standing.field:
            self._hops = Hops(self._standing.field)
        return self._hops

    def _hopped(self, vm: Vm, hop: Hop) -> Proposal:
        """One VM moves, and this one starts in its room."""
        proven = {goal.kind for goal in self._standing.field.goals} <= COUNTED
        return Proposal(
            self._version,
            (self._placed(hop.start),),
            (hop.move(self._standing.field.cluster),),
            score=hop.score,
            why={vm.name: f"{hop.start.host}: no host has room; the best move that makes some is of {hop.goes.vm}"},
            status="optimal" if proven else "feasible",
            _made=Made(self, (hop.goes,), ((vm, hop.start),)),
        )

    def _placed(self, stand: Stand) -> Placed:
        gpus = placed_gpus(self._standing.field.cluster, stand.host, stand.holds)
        return Placed(vm=stand.vm, host=stand.host, gpus=gpus)

    def _proposal(self, vm: Vm, pick: Pick, reasons: bool) -> Proposal:
        field_, version = self._standing.field, self._version
        stand = pick.stand
        if stand is None:
            return Proposal(version, unplaced=self._why_off([vm], reasons), score=pick.score)
        said = why(pick, stand, len(field_.columns.hosts))
        made = Made(self, (), ((vm, stand),))
        return Proposal(version, (self._placed(stand),), score=pick.score, why={vm.name: said}, _made=made)

    def _all_of(self, first: InTurn, vms: Sequence[Vm], reasons: bool) -> Proposal:
        field_ = self._standing.field
        placed = [self._placed(stand) for stand in first.stands.values()]
        off = [vm for vm in vms if vm.name not in first.stands]
        by_name = {vm.name: vm for vm in vms}
        with known(self._standing, vms), guests(field_) as put:
            for stand in first.stands.values() if off and reasons else ():
                put(stand)
            unplaced = self._why_off(off, reasons)
        return Proposal(
            self._version,
            tuple(placed),
            unplaced=unplaced,
            score=first.score,
            why={one.vm: f"{one.host}: in turn with {len(vms) - 1} other VMs, the largest first" for one in placed},
            _made=Made(self, (), tuple((by_name[name], stand) for name, stand in first.stands.items())),
        )

    def _why_off(self, vms: Iterable[Vm], reasons: bool) -> tuple[Unplaced, ...]:
        """Why VMs that are known stay off where nothing better can be done."""
        names = [vm.name for vm in vms]
        if reasons:
            return tuple(self._explainer().unplaced(names, proven=True))
        return tuple(Unplaced(vm=name, reasons=()) for name in names)

    def _explainer(self) -> Explainer:
        if self._reasons is None or self._reasons.field is not self._standing.field:
            self._reasons = Reasons(self._standing.field)
        return self._reasons.now()

    def _searched(self, snapshot: Snapshot, version: int, vms: Sequence[Vm], moves: int) -> Proposal:
        return searched(self, snapshot, self._decision, version, vms, moves)

    # changes

    def commit(self, proposal: Proposal) -> None:
        """Carry a proposal out: its VMs run from now on. Raises StaleProposal, and then has done nothing."""
        if not isinstance(proposal, Proposal):
            raise Faults("the proposal", [f"found {quote(proposal)}, expected what this session proposed"])
        made = proposal._made
        with self._lock:
            if proposal.version != self._version:
                said = f"the proposal was made for version {proposal.version}, the cluster is at {self._version}"
                raise StaleProposal(said)
            if made is None:
                return
            if made.by is not self:
                raise Faults("the proposal", ["found one of another session, expected one of this"])
            self._standing.move(made.moves)
            for vm, stand in made.starts:
                self._standing.start(vm, stand)
            self._version += 1

    def release(self, vm: str) -> None:
        """A VM that ran is off, its room is free. It stays known (an event `vm-removed` ends that). Raises Faults."""
        self.apply({"kind": "vm-stopped", "vm": vm})

    def apply(self, event: Event | Mapping[str, object]) -> None:
        """Let something happen that was not proposed here: a `placer_models.events.Event`, or the plain values of one.

        Raises Faults where the event is wrong or does not fit the cluster, and then has changed nothing.
        """
        values = dict(event) if isinstance(event, Mapping) else event
        known = values if isinstance(values, Document) else parse(_AnyEvent, values, "the event").root
        with self._lock:
            take(self._standing, known)
            self._version += 1
