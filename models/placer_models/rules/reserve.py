"""Rule `reserve`: whatever single host is lost, the VMs that stood on it start again on the others."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import ExitStack
from typing import Literal, Self

from pydantic import PrivateAttr

from placer_models.cluster import Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Hosts, Rule, Strength, Vms
from placer_models.scene import Scene, Stand, items
from placer_models.seating import seatings

MOST_TRIES = 2000
"""How many stands the judge tries for one lost host before it says that a restart is not shown."""

MOST_UNKNOWNS = 20_000
"""Beyond so many (lost host, kind of VM, host) a board lets each lost host's VMs start again on some hosts only."""

ROOMIEST = 8
"""To how many hosts beside those that the judge found, where a board is that large."""

Amounts = list[dict[tuple[str, ...], int]]
Found = tuple[list[Stand], list[str]]


class Reserve(Vms, Hosts, Rule):
    """N+1: after the loss of any one of these hosts (default: any host), every one of these VMs (default: all) that
    stood on it and has `may.restart` would find a place on the remaining hosts, GPUs included, while all others stay
    as they are. A breach for each host whose loss would leave VMs off, by the least number of them.

    What must hold after the loss: host-state, affinity, gpu, capacity, apart and limit, where they must hold (not
    together, not stay), none of them broken more than in the snapshot. A GPU that is empty then may be put in another
    of its sharings; slots are taken as they suit, in the order that suits. Two hosts are never lost at once.

    How it is judged: for each host, depth first over its VMs (the biggest first), each on every host in every seating,
    allowing no VM to be left off, then one, then two; at most 2000 stands are tried, and what is not shown by then is a
    breach. How it is encoded: for each host one more board in the same model, in which what stood there is gone and
    arrives again, with the same rules posted on it; what is left of each GPU is counted by layouts. That is exact; on
    boards of more than 20000 such counts a lost host's VMs may start again only on the hosts that the judge found for
    them in the present scene and on the 8 with most memory, which is never too little care.

    Passes: two hosts with 4 GPUs each, 2 of each in use. Fails: 3 of each in use, all to be restarted.

    Sources: vSphere's admission control reserves CPU and memory, no GPUs (VM-HA); AHV powers GPU VMs on again where
    all their GPUs are free (AHV-PT).
    """

    kind: Literal["reserve"] = "reserve"
    strength: Strength = "must"

    _beside: tuple[Rule, ...] = PrivateAttr(default=())
    _known: tuple[frozenset[Stand], dict[str, Found]] | None = PrivateAttr(default=None)

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
        cluster = board.scene.cluster
        kinds = {vms.vm.name for vms, _, _ in board.where() if self._restarts(vms.vm)}
        up = [host.name for host in cluster.hosts.values() if host.state == "up"]
        large = len(kinds) * len(cluster.hosts) * len(up) > MOST_UNKNOWNS
        roomiest = sorted(up, key=lambda name: -_free_memory(board.scene, cluster.hosts[name]))[:ROOMIEST]
        now = self._amounts_now(board.scene)
        if large and kinds:
            board.narrowed()
        for host in cluster.hosts.values():
            if not self.names_host(host) or not kinds:
                continue
            found, missed, _ = self._search(board.scene, host.name, now)
            to = {*roomiest, *(stand.host for stand in found)} if large else set(up)
            loss = board.after_loss(host, self._restarts, to - {host.name})
            for rule in self._beside:
                rule.encode(loss.board)
            board.at_most(loss.missing, 0 if self.soft else len(missed), eased=self.soft)

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        now = self._amounts_now(Scene.now(scene.cluster))
        for name, host in scene.cluster.hosts.items():
            if self.names_host(host):
                _, missed, shown = self._search(scene, name, now)
                if missed:
                    said = f"{name}: if it were lost, {', '.join(missed)} would not start again"
                    said += "" if shown else " (not shown within the budget)"
                    yield Breach(self.kind, (name,), len(missed), said, tuple(missed))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        vms = f"{breach.amount} VM{'' if breach.amount == 1 else 's'}"
        said = f"no failover: if {breach.subject[0]} were lost, {vms} would not start again"
        return Reason(self.kind, stand.host, ("failover",), said)

    def why(self, scene: Scene, stand: Stand) -> Reason | None:
        """Why this VM takes a restart its place; None also where another rule bars the VM anyhow.

        What was found for the scene as it is is kept, and looked at again only where the VM stands in its way.
        """
        vm = scene.cluster.vms[stand.vm]
        if len(stand.holds) != len(items(vm)) or any(rule.why(scene, stand) for rule in self._beside):
            return None
        now = self._amounts_now(Scene.now(scene.cluster))
        for lost, (found, missed) in self._known_of(scene, now).items():
            with scene.trial(stand):
                if not self._still(scene, lost, now, found, stand):
                    _, more, _ = self._search(scene, lost, now)
                    if len(more) > len(missed):
                        return self.reason(scene, stand, Breach(self.kind, (lost,), len(more), "", tuple(more)))
        return None

    def _known_of(self, scene: Scene, now: Amounts) -> dict[str, Found]:
        """Where the VMs of each host that may be lost start again in a scene, and which do not."""
        key = frozenset(scene.stands())
        if self._known is None or self._known[0] != key:
            lost = [name for name, host in scene.cluster.hosts.items() if self.names_host(host)]
            self._known = key, {name: self._search(scene, name, now)[:2] for name in lost}
        return self._known[1]

    def _still(self, scene: Scene, lost: str, now: Amounts, found: Sequence[Stand], new: Stand) -> bool:
        """Whether the restarts that were found without a VM can also be had with it."""
        vm = scene.cluster.vms[new.vm]
        further = [vm] if new.host == lost and self._restarts(vm) else []
        with scene.lifted(*scene.on(lost)):
            return _Restart(scene, self._beside, now, lost, further).still(found, new.host)

    def _amounts_now(self, scene: Scene) -> Amounts:
        return [{breach.subject: breach.amount for breach in rule.check(scene)} for rule in self._beside]

    def _search(self, scene: Scene, lost: str, now: Amounts) -> tuple[list[Stand], list[str], bool]:
        """Where the VMs of a lost host start again, those that do not, and whether fewer are surely not possible."""
        stands = list(scene.on(lost))
        again = [scene.cluster.vms[stand.vm] for stand in stands if self._restarts(scene.cluster.vms[stand.vm])]
        if not again:
            return [], [], True
        with scene.lifted(*stands):
            return _Restart(scene, self._beside, now, lost, again).best()


class _Restart:
    """The search for places for VMs that start again, in a scene without the lost host's VMs."""

    def __init__(self, scene: Scene, rules: Sequence[Rule], now: Amounts, lost: str, vms: Sequence[Vm]) -> None:
        self.scene = scene
        self.limits = list(zip(rules, now, strict=True))[::-1]  # capacity before gpu, which costs most to ask
        hosts = [host for host in scene.cluster.hosts.values() if host.state == "up" and host.name != lost]
        self.keys = {vm.name: tuple(rule.vm_key(vm) for rule in rules) for vm in vms}
        self.vms = sorted(vms, key=lambda vm: (-len(vm.gpus), -vm.memory_mib, -vm.cpu_milli, repr(self.keys[vm.name])))
        self.hosts = {
            vm.name: [host for host in hosts if all(rule.admits(scene.cluster, vm, host) for rule in rules)]
            for vm in self.vms
        }
        self.rank = {host.name: i for i, host in enumerate(hosts)}
        self.tries = 0

    def best(self) -> tuple[list[Stand], list[str], bool]:
        """With as few left off as can be; the last is false where the budget ended before that was sure."""
        greedy = self._greedy()
        for most in range(len(self.vms) - len(greedy)):
            found: list[Stand] = []
            if self._place(0, most, found):
                return found, self._missed(found), True
            if self.tries >= MOST_TRIES:
                return greedy, self._missed(greedy), False
        return greedy, self._missed(greedy), True

    def still(self, found: Sequence[Stand], changed: str) -> bool:
        """Whether these stands still hold after a change on one host, and the VMs find places beside them."""
        elsewhere = [stand for stand in found if stand.host != changed]
        with self.scene.trial(*elsewhere), ExitStack() as put:
            for stand in found:
                if stand.host == changed:
                    if not self._fits(stand):
                        return False
                    put.enter_context(self.scene.trial(stand))
            if len(self._greedy()) < len(self.vms):
                return False
            return self._hold(None, across=True)

    def _missed(self, found: Sequence[Stand]) -> list[str]:
        started = {stand.vm for stand in found}
        return [vm.name for vm in self.vms if vm.name not in started]

    def _greedy(self) -> list[Stand]:
        """Each VM on the first host that takes it."""
        found: list[Stand] = []
        stuck: set[tuple[Hashable, ...]] = set()
        for vm in self.vms:
            if self.keys[vm.name] in stuck:
                continue
            seats = ((host, next(seatings(self.scene, vm, host), None)) for host in self.hosts[vm.name])
            stands = (Stand(vm.name, host.name, holds) for host, holds in seats if holds is not None)
            stand = next((stand for stand in stands if self._fits(stand)), None)
            if stand is None:
                stuck.add(self.keys[vm.name])
            else:
                self.scene.put(stand)
                found.append(stand)
        for stand in found:
            self.scene.remove(stand)
        return found

    def _place(self, at: int, most: int, found: list[Stand]) -> bool:
        """Start the VMs from number `at` on, with at most `most` of them left off; those alike in ascending order of
        hosts.
        """
        if at == len(self.vms):
            return True
        vm, before = self.vms[at], self.vms[at - 1] if at else None
        alike = before is not None and self.keys[vm.name] == self.keys[before.name]
        started = alike and bool(found) and before is not None and found[-1].vm == before.name
        first = self.rank[found[-1].host] if started else 0
        if not alike or started:
            for host in self.hosts[vm.name]:
                if self.rank[host.name] < first:
                    continue
                for holds in seatings(self.scene, vm, host):
                    self.tries += 1
                    if self.tries > MOST_TRIES:
                        return False
                    stand = Stand(vm.name, host.name, holds)
                    if self._fits(stand):
                        with self.scene.trial(stand):
                            found.append(stand)
                            if self._place(at + 1, most, found):
                                return True
                            found.pop()
        return most > 0 and self._place(at + 1, most - 1, found)

    def _fits(self, stand: Stand) -> bool:
        with self.scene.trial(stand):
            return self._hold((stand.host,), self.scene.cluster.vms[stand.vm])

    def _hold(self, hosts: Collection[str] | None, vm: Vm | None = None, *, across: bool = False) -> bool:
        """Whether no rule (of those that concern the VM, or that look across hosts) is broken more than it is now."""
        return all(
            breach.amount <= amounts.get(breach.subject, 0)
            for rule, amounts in self.limits
            if not (across and rule.by_host) and (vm is None or rule.concerns(vm))
            for breach in rule.check(self.scene, hosts)
        )


def _free_memory(scene: Scene, host: Host) -> int:
    use = scene.use(host.name)
    return host.memory_room_mib - use.gpu_vms_memory_mib - use.other_memory_mib
