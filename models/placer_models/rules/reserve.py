"""Rule `reserve`: whatever single host is lost, the VMs that stood on it start again on the others."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import PrivateAttr

from placer_models.cluster import Cluster, Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.failover import Failover
from placer_models.rules.losses import LossKeeper
from placer_models.rules.restarts import MOST_TRIES, MOST_TRIES_WATCHING, restarts
from placer_models.rules.rule import Board, Hosts, Rule, Strength, Vms
from placer_models.scene import Scene, Stand, items

MOST_UNKNOWNS = 20_000
"""Beyond so many (lost host, kind of VM, host) a board lets each lost host's VMs start again on some hosts only."""

ROOMIEST = 8
"""To how many hosts beside those that the judge found, where a board is that large."""

MOST_NAMED = 4
"""How many hosts whose loss speaks against a VM are looked for; one fewer is named where there are so many."""

LOST = "lost "
"""Begins the numbers of a reason: how many VMs the loss of which host would leave off."""


class Reserve(Vms, Hosts, Rule):
    """N+1: after the loss of any one of these hosts (default: any host), every one of these VMs (default: all) that
    stood on it and has `may.restart` would find a place on the remaining hosts, GPUs included, while all others stay
    as they are. A breach for each host whose loss would leave VMs off, by the least number of them.

    What must hold after the loss: host-state, affinity, resume, gpu, capacity, apart and limit, where they must hold
    (not together, not stay), none of them broken more than in the snapshot. A GPU that is empty then may be put in
    another of its sharings; slots are taken as they suit, in the order that suits. Two hosts are never lost at once.

    How it is judged: for each host, the kinds of its VMs, the biggest first, are started on the first hosts that take
    them (the rules are asked). Where that leaves VMs off, every other way is tried, depth first, allowing no VM to be
    left off, then one, then two; at most 2000 starts are tried, and what is not shown by then is a breach. How it is
    encoded: for each host one more board in the same model, in which what stood there is gone and arrives again, with
    the same rules posted on it. On a few hosts that is exact: what is left of each GPU is counted by layouts. In larger
    clusters VMs are seated afresh after each loss, which allows more than the rule: so it proves bounds, first answers
    keep the rule VM by VM, and nothing is taken that has not been judged as above.

    Passes: two hosts with 4 GPUs each, 2 of each in use. Fails: 3 of each in use, all to be restarted.

    Sources: vSphere's admission control reserves CPU and memory, no GPUs (VM-HA); AHV powers GPU VMs on again where
    all their GPUs are free (AHV-PT).
    """

    kind: Literal["reserve"] = "reserve"
    keeps_up: ClassVar[bool] = True
    strength: Strength = "must"

    _beside: tuple[Rule, ...] = PrivateAttr(default=())
    _search: Failover | None = PrivateAttr(default=None)
    _kept: LossKeeper | None = PrivateAttr(default=None)

    def among(self, rules: Sequence[Rule]) -> Self:
        one = self.model_copy()
        one._beside = tuple(rule for rule in rules if rule.holds_after_loss and not rule.soft)
        return one

    @property
    def exact(self) -> bool:
        return True

    def vm_key(self, vm: Vm) -> Hashable:
        return self._restarts(vm)

    def host_key(self, host: Host) -> Hashable:
        return self.names_host(host)

    def _restarts(self, vm: Vm) -> bool:
        return vm.may.restart and self.names_vm(vm)

    def encode(self, board: Board) -> None:
        if any(place.m > 1 for place in board.places):
            return  # hosts that stand for others are a relaxation, and so is leaving the rule away
        cluster, scene = board.scene.cluster, board.scene
        kinds = {vms.vm.name for vms, _, _ in board.where() if self._restarts(vms.vm)}
        up = [host.name for host in cluster.hosts.values() if host.state == "up"]
        some = bool(board.elsewhere())
        large = board.exact_for_rules and len(kinds) * len(cluster.hosts) * len(up) > MOST_UNKNOWNS
        live = {place.host.name for place in board.places}
        roomiest = sorted(up, key=lambda name: -_free_memory(scene, cluster.hosts[name]))[:ROOMIEST]
        failover = self._failover(cluster)
        if kinds and (large or some):
            board.narrowed()
        for host in self._lost(cluster) if kinds else ():
            now = restarts(failover, scene, host.name)
            to = {*now.on, *roomiest} if large else {*now.on, *live} if some else set(up)
            if some and host.name not in live and live.isdisjoint(now.on):
                continue  # its VMs start again where nothing changes
            loss = board.after_loss(host, self._restarts, to - {host.name})
            for rule in self._beside:
                rule.encode(loss.board)
            board.at_most(loss.missing, 0 if self.soft else len(now.missed), eased=self.soft)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        failover = self._failover(scene.cluster)
        for host in self._lost(scene.cluster):
            found = restarts(failover, scene, host.name)
            if found.missed:
                said = f"{host.name}: if it were lost, {', '.join(found.missed)} would not start again"
                said += "" if found.shown else " (not shown within the budget)"
                yield Breach(self.kind, (host.name,), len(found.missed), said, found.missed)

    def keeper(self, scene: Scene) -> LossKeeper | None:
        return None if self.soft else self._keeper(scene, MOST_TRIES_WATCHING)

    def _keeper(self, scene: Scene, most_tries: int) -> LossKeeper:
        lost = [host.name for host in self._lost(scene.cluster)]
        return LossKeeper(self._failover(scene.cluster), scene, lost, most_tries)

    def watch(self, scene: Scene) -> None:
        self._kept = self._keeper(scene, MOST_TRIES)

    def why(self, scene: Scene, stand: Stand) -> Reason | None:
        """Why this VM takes a restart its place; None also where another rule bars the VM anyhow.

        In a scene that differs a little from the one asked about before, where VMs have come or gone, what was found
        there is changed only where they stand in the way.
        """
        vm = scene.cluster.vms[stand.vm]
        if len(stand.holds) != len(items(vm)) or any(rule.why(scene, stand) for rule in self._beside):
            return None
        failover = self._failover(scene.cluster)
        kept = None if self._kept is None else self._kept.following(scene, failover)
        kept = kept or self._keeper(scene, MOST_TRIES)
        if failover is self._search:  # what is found where a host or VM is thought of as another is not remembered
            self._kept = kept
        lost = kept.against(stand, most=MOST_NAMED)
        if not lost:
            return None
        return Reason(self.kind, stand.host, ("failover",), _said([lost]), {LOST + name: lost[name] for name in lost})

    def say(self, reasons: Sequence[Reason]) -> str:
        return _said([{name.removeprefix(LOST): count for name, count in one.numbers.items()} for one in reasons])

    def _lost(self, cluster: Cluster) -> Iterator[Host]:
        """The hosts that may be lost."""
        return (host for host in cluster.hosts.values() if self.names_host(host))

    def _failover(self, cluster: Cluster) -> Failover:
        found = None if self._search is None else self._search.of(cluster)
        if found is None:
            found = self._search = Failover(cluster, self._beside, self._restarts)
        return found


def _said(losses: Sequence[Mapping[str, int]]) -> str:
    """What losses would leave off, for one host or several on which a VM could have stood."""
    hosts = list(dict.fromkeys(name for lost in losses for name in lost))
    if len(hosts) >= MOST_NAMED:
        return f"no failover: if {', '.join(hosts[: MOST_NAMED - 1])} or others were lost, VMs would not start again"
    counts = [count for lost in losses for count in lost.values()]
    named = hosts[0] if len(hosts) == 1 else f"{', '.join(hosts[:-1])} or {hosts[-1]}"
    vms = f"{'up to ' if min(counts) < max(counts) else ''}{max(counts)} VM{'' if max(counts) == 1 else 's'}"
    return f"no failover: if {named} were lost, {vms} would not start again"


def _free_memory(scene: Scene, host: Host) -> int:
    use = scene.use(host.name)
    return host.memory_room_mib - use.gpu_vms_memory_mib - use.other_memory_mib
