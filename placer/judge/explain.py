"""Why a VM stays off, or stands where it does: the VM is put on each host in turn, and the rules are asked.

Hosts that no rule tells apart, and that hold the same, share their answer, and so do VMs that no rule tells apart: a
cluster of a thousand hosts is explained in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from placer.judge.changes import Changes
from placer.judge.check import broken
from placer.judge.replay import Replay
from placer.judge.slots import surely_seated
from placer_models.cluster import Host, Vm
from placer_models.decision import Decision, shipped_decision
from placer_models.document import Faults
from placer_models.explanation import Elsewhere, Explanation
from placer_models.moving import immovable, unreachable
from placer_models.plan import PlacedGpu, Placements, Reason, Unplaced
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import held, seat
from placer_models.snapshot import Snapshot, unknown

Against = tuple[int, Reason]
"""What speaks against a VM on a host: which rule (its number), and the reason that it gives."""

BARRED = 100.0
"""What an obstacle weighs that no departure of other VMs removes."""


@dataclass(frozen=True)
class Look:
    """One VM seen on every host: the first obstacle on each host that has one, the hosts that have none, the nearest
    miss, and the hosts by how near they are.
    """

    against: tuple[Against, ...]
    open_to: tuple[str, ...]
    nearest: str | None
    by_nearness: tuple[str, ...]


class Explainer:
    """Reasons in one scene; `before` is the scene that the snapshot shows, where this is another."""

    def __init__(self, scene: Scene, rules: Sequence[Rule], before: Scene | None = None) -> None:
        self.scene, self.before = scene, before or scene
        self.rules = [rule for rule in rules if not rule.soft]
        self._stated = [rule for rule in self.rules if not rule.standing]
        self._changes = Changes(scene, self.rules, self.before)
        self._groups: list[list[Host]] | None = None
        self._looks: dict[Hashable, tuple[Look, str | None]] = {}

    # what others ask

    def unplaced(self, vms: Iterable[str], *, proven: bool = False) -> Iterator[Unplaced]:
        """Why each of these VMs stays off; `proven`: the answer is known to be the best by its goals."""
        for name in vms:
            vm = self.scene.cluster.vms[name]
            look, change = self.look_and_change(vm)
            reasons = tuple(reason for _, _, reason in self.grouped(look.against))
            if look.open_to:
                why = "the goals are met best with it off" if proven else "the search ended before it was used"
                reasons = (f"{_names(look.open_to)}: there is room; {why}", *reasons)
            yield Unplaced(vm=name, reasons=reasons or ("there are no hosts",), nearest=look.nearest, change=change)

    def look_and_change(self, vm: Vm) -> tuple[Look, str | None]:
        """What there is on every host for a VM that stands nowhere, and the smallest change that would let it in."""
        key = self._vm_key(vm)
        if key not in self._looks:
            look = self.look(vm)
            self._looks[key] = look, None if look.open_to else self._changes.smallest(vm, look.by_nearness)
        return self._looks[key]

    def look(self, vm: Vm) -> Look:
        """What there is on every host for a VM that stands nowhere."""
        against: dict[str, Against] = {}
        open_to: list[str] = []
        weights: list[tuple[float, str]] = []
        best: tuple[float, list[Against]] | None = None
        for group in self._host_groups():
            weight, found = self._obstacles(vm, group[0], best[0] if best else float("inf"))
            if not found:
                open_to += [host.name for host in group]
                continue
            weights += [(weight, host.name) for host in group]
            if best is None or weight < best[0]:
                best = weight, found
            number, reason = found[0]
            for host in group:
                again = host is not group[0] and not self.rules[number].standing
                against[host.name] = self.obstacles(vm, host)[0] if again else (number, _on(reason, host))
        order = {name: i for i, name in enumerate(self.scene.cluster.hosts)}
        weights.sort(key=lambda pair: (pair[0], order[pair[1]]))
        return Look(
            tuple(against[name] for name in order if name in against),
            tuple(sorted(open_to, key=lambda name: order[name])),
            self._miss(best[1]) if best and not open_to else None,
            tuple(name for _, name in weights),
        )

    def obstacles(self, vm: Vm, host: Host) -> list[Against]:
        """What every rule says against a VM on a host, in the order of the rules."""
        return self._obstacles(vm, host, float("inf"))[1]

    def _obstacles(self, vm: Vm, host: Host, enough: float) -> tuple[float, list[Against]]:
        """The obstacles and what they weigh together; after the first, only while they weigh less than `enough`."""
        scene, weight, found = self.scene, 0.0, list[Against]()
        holds = seat(scene, vm, host)
        stand = Stand(vm.name, host.name, holds or ())
        for number, rule in enumerate(self.rules):
            if found and weight >= enough:
                break
            reason = rule.why(scene, stand)
            if reason is not None:
                found.append((number, reason))
                weight += _weight(reason) if rule.admits(scene.cluster, vm, host) else BARRED
        unsure = not found and scene.cluster.platform.slot_choice == "worst-case"
        if unsure and not surely_seated(self.before, scene, stand):
            said = "there is room, but the manager may pick slots that leave none"
            number = next(i for i, rule in enumerate(self.rules) if rule.kind == "gpu")
            return 1.0, [(number, Reason("gpu", host.name, ("unsure",), said))]
        return weight, found

    def grouped(self, against: Iterable[Against]) -> Iterator[tuple[list[str], str, str]]:
        """Hosts, rule, sentence: one for each group of hosts on which the same rule says the same."""
        groups: dict[tuple[object, ...], list[Against]] = {}
        for number, reason in against:
            groups.setdefault((number, reason.code), []).append((number, reason))
        for group in groups.values():
            rule, reasons = self.rules[group[0][0]], [reason for _, reason in group]
            hosts = [reason.host for reason in reasons]
            who = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
            yield hosts, rule.kind, f"{who}: {rule.say(reasons)}"

    def _miss(self, found: Sequence[Against]) -> str:
        said = "; ".join(self.rules[number].missing(reason) for number, reason in found)
        return f"{found[0][1].host}: {said}"

    # who is alike

    def _vm_key(self, vm: Vm) -> Hashable:
        return tuple(rule.vm_key(vm) for rule in self.rules)

    def _host_groups(self) -> list[list[Host]]:
        """The hosts in groups in which no rule tells one from another: equal to every rule, and holding the same."""
        if self._groups is None:
            groups: dict[Hashable, list[Host]] = {}
            for host in self.scene.cluster.hosts.values():
                groups.setdefault(self._content(host), []).append(host)
            self._groups = list(groups.values())
        return self._groups

    def _content(self, host: Host) -> Hashable:
        scene, use = self.scene, self.scene.use(host.name)
        gpus = tuple(
            (scene.sharing(host.name, gpu), tuple(sorted(held(scene, host, gpu), key=repr))) for gpu in host.gpus
        )
        members = tuple(
            frozenset(Counter(rule.vm_key(scene.cluster.vms[stand.vm]) for stand in scene.on(host.name)).items())
            for rule in self._stated
        )
        sums = use.cpu_milli, use.gpu_vms_memory_mib, use.other_memory_mib
        return tuple(rule.host_key(host) for rule in self.rules), gpus, members, sums


def explain(
    snapshot: Snapshot, vm: str, decision: Decision | None = None, answer: Placements | None = None
) -> Explanation:
    """Why a VM of a snapshot stands where it does or stays off, and why not elsewhere: for any VM, asked for or not.

    The decision (default: the shipped `power_on`) says which rules hold; with `answer` the cluster is looked at as it
    is after those placements. Raises Faults for an unknown VM, and for an answer that the judge refuses.
    """
    decision = decision or shipped_decision("power_on")
    cluster, rules = snapshot.content, decision.rules_of(snapshot.rules)
    if vm not in cluster.vms:
        raise Faults("VM", [unknown("VM", vm, cluster.vms)])
    before = scene = Scene.now(cluster)
    if answer is not None:
        replay = Replay(cluster, rules, answer)
        if replay.faults:
            raise Faults("the placements", replay.faults)
        scene = replay.scene
    asked, stands = cluster.vms[vm], scene.of(vm)
    found = Explanation(
        vm=vm,
        power=asked.power,
        asked=vm in cluster.asked,
        snapshot_sha256=snapshot.sha256,
        decision=decision.name,
    )
    if not stands:
        explainer = Explainer(scene, rules, before)
        look, change = explainer.look_and_change(asked)
        more = {"could": look.open_to, "elsewhere": _elsewhere(explainer, look), "nearest": look.nearest}
        return found.model_copy(update={**more, "change": change})
    (stand,) = stands
    breaks = [breach.said for group in broken(scene, rules, (stand.host,)) for breach in group if vm in breach.vms]
    pinned = any(rule.pins(asked) for rule in rules)
    stays = immovable(cluster, asked, stand) or ("is to stay where it is" if pinned else None)
    with scene.lifted(stand):
        explainer = Explainer(scene, rules, before)
        look = explainer.look(asked)
        could = tuple(name for name in look.open_to if name != stand.host)
        elsewhere = _elsewhere(explainer, look, stand.host)
    reached = tuple(name for name in could if not unreachable(cluster, stand, cluster.hosts[name]))
    return found.model_copy(
        update={
            "host": stand.host,
            "gpus": tuple(_gpu(hold) for hold in stand.holds),
            "could": could,
            "could_migrate": () if stays else reached,
            "stays": stays,
            "breaks": tuple(breaks),
            "elsewhere": elsewhere,
        }
    )


def _gpu(hold: Hold) -> PlacedGpu:
    return PlacedGpu(gpu=hold.gpu, profile=hold.profile, slot=hold.slot, milli=hold.milli)


def _elsewhere(explainer: Explainer, look: Look, home: str | None = None) -> tuple[Elsewhere, ...]:
    against = [one for one in look.against if one[1].host != home]
    return tuple(
        Elsewhere(hosts=tuple(hosts), rule=rule, reason=said.partition(": ")[2])
        for hosts, rule, said in explainer.grouped(against)
    )


def _on(reason: Reason, host: Host) -> Reason:
    return (
        reason if reason.host == host.name else Reason(reason.rule, host.name, reason.code, reason.said, reason.numbers)
    )


def _weight(reason: Reason) -> float:
    """One for each obstacle, and the part of what is asked for that is not there."""
    asked = reason.numbers.get("asked", 0)
    return 1 + (1 - min(1, reason.numbers.get("free", 0) / asked) if asked else 1)


def _names(hosts: Sequence[str], most: int = 3) -> str:
    return ", ".join(hosts[:most]) + (f" and {len(hosts) - most} more" if len(hosts) > most else "")
