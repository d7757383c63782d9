"""Plays an answer instant by instant, and says everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from placer.judge.check import broken, worse
from placer_models.cluster import Cluster, Gpu, Vm
from placer_models.document import quote
from placer_models.gpus import Use, free_slots
from placer_models.moving import immovable, unreachable
from placer_models.plan import Move, Placed, PlacedGpu, Placements
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import POSITIONAL, Held, held, match, model_of, use_of
from placer_models.snapshot import unknown


class Replay:
    """One run through an answer to power-on requests: first the moves, one after the other, then the starts.

    `faults` are sentences; `scene` is where it ends.
    """

    def __init__(self, cluster: Cluster, rules: Sequence[Rule], answer: Placements) -> None:
        self.cluster, self.rules = cluster, rules
        self.always = [rule for rule in rules if rule.always]
        self.scene = Scene.now(cluster)
        self.faults: list[str] = []
        self._first = broken(self.scene, rules)
        self._first_always = broken(self.scene, self.always)
        for i, move in enumerate(answer.moves):
            self._move(f"moves[{i}]", move)
        for i, placed in enumerate(answer.placed):
            self._start(f"placed[{i}]", placed)
        self._end(answer)

    def _move(self, path: str, move: Move) -> None:
        vm = self.cluster.vms.get(move.vm)
        if vm is None:
            self.faults.append(f"{path}.vm: {unknown('VM', move.vm, self.cluster.vms)}")
            return
        was = self.scene.of(vm.name)
        if not was or was[0].host != move.from_:
            there = was[0].host if was else "no host"
            self.faults.append(f"{path}: {vm.name} is to leave {move.from_}, and stands on {there}")
            return
        cannot = immovable(self.cluster, vm, was[0])
        if cannot:
            self.faults.append(f"{path}: {vm.name} {cannot}")
        if any(rule.pins(vm) for rule in self.rules):
            self.faults.append(f"{path}: {vm.name} must stay where it is")
        if move.to == move.from_:
            self.faults.append(f"{path}: {vm.name} would move to the host on which it stands")
            return
        stand = self._stand(path, vm, move.to, move.gpus)
        if stand is None:
            return
        refused = unreachable(self.cluster, was[0], self.cluster.hosts[move.to])
        if refused:
            self.faults.append(f"{path}: {vm.name} cannot go to {move.to}: {refused}")
        self._slots(path, stand)
        self.scene.put(stand)
        self._instant(path, (stand.host,))
        self.scene.remove(was[0])

    def _start(self, path: str, placed: Placed) -> None:
        vm = self.cluster.vms.get(placed.vm)
        if vm is None:
            self.faults.append(f"{path}.vm: {unknown('VM', placed.vm, self.cluster.vms)}")
        elif self.scene.of(vm.name):
            self.faults.append(f"{path}.vm: {vm.name} is on already")
        elif vm.name not in self.cluster.asked:
            self.faults.append(f"{path}.vm: nobody asked for {vm.name} to be powered on")
        elif (stand := self._stand(path, vm, placed.host, placed.gpus)) is not None:
            self._slots(path, stand)
            self.scene.put(stand)

    def _stand(self, path: str, vm: Vm, host_name: str, gpus: Sequence[PlacedGpu]) -> Stand | None:
        host = self.cluster.hosts.get(host_name)
        if host is None:
            self.faults.append(f"{path}.host: {unknown('host', host_name, self.cluster.hosts)}")
            return None
        missing = [gpu.gpu for gpu in gpus if gpu.gpu not in host.gpu]
        if missing:
            self.faults.append(f"{path}: {vm.name} gets GPU {quote(missing[0])}, which {host.name} does not have")
            return None
        holds = tuple(self._hold(host.name, host.gpu[gpu.gpu], gpu) for gpu in gpus)
        return Stand(vm.name, host.name, match(self.cluster, vm, host, holds) or holds)

    def _hold(self, host: str, gpu: Gpu, placed: PlacedGpu) -> Hold:
        sharing = placed.sharing or self.scene.sharing(host, gpu)
        return Hold(gpu.id, sharing, placed.profile, placed.slot, placed.milli)

    def _slots(self, path: str, stand: Stand) -> None:
        """Where the manager picks slots, the answer must say the slot that it will pick, or stand whatever it picks."""
        if self.cluster.platform.slot_choice != "first-legal":
            return
        host = self.cluster.hosts[stand.host]
        for i, hold in enumerate(stand.holds):
            gpu = host.gpu[hold.gpu]
            use = use_of(self.cluster, gpu, hold)
            if use is None or hold.sharing not in POSITIONAL:
                continue
            beside = tuple(
                (other, before.slot)
                for before in stand.holds[:i]
                if before.gpu == hold.gpu and (other := use_of(self.cluster, gpu, before)) is not None
            )
            row = model_of(self.cluster, gpu).row_units(hold.sharing)
            legal = free_slots(use, row, (*held(self.scene, host, gpu), *beside))
            if legal and legal[0] != hold.slot:
                self.faults.append(
                    f"{path}: the manager puts {stand.vm} at slot {legal[0]} of GPU {gpu.id}, not at {hold.slot}"
                )

    def _instant(self, path: str, hosts: tuple[str, ...]) -> None:
        now = broken(self.scene, self.always, hosts)
        self.faults.extend(f"{path}: {breach.said}" for breach in worse(self.always, self._first_always, now))

    def _end(self, answer: Placements) -> None:
        self.faults.extend(breach.said for breach in worse(self.rules, self._first, broken(self.scene, self.rules)))
        if self.cluster.platform.slot_choice == "worst-case":
            self.faults.extend(self._adversary(answer))

    def _adversary(self, answer: Placements) -> Iterator[str]:
        """GPUs on which some choice of slots by the manager would leave a later VM without one."""
        arriving: dict[tuple[str, str], list[Hold]] = {}
        for placed in answer.placed:
            for stand in self.scene.of(placed.vm):
                for hold in stand.holds:
                    if hold.sharing in POSITIONAL:
                        arriving.setdefault((stand.host, hold.gpu), []).append(hold)
        now = Scene.now(self.cluster)
        for (name, gpu_id), holds in arriving.items():
            host = self.cluster.hosts[name]
            gpu = host.gpu[gpu_id]
            uses = tuple(use for hold in holds if (use := use_of(self.cluster, gpu, hold)) is not None)
            row = model_of(self.cluster, gpu).row_units(holds[0].sharing)
            if not _always_room(held(now, host, gpu), uses, row):
                yield f"{name}: GPU {gpu_id}: not every choice of slots by the manager leaves room for all"


def _always_room(taken: Held, left: tuple[Use, ...], row: int) -> bool:
    """Whether items find room one after the other, whatever legal slots the manager picks."""
    if not left:
        return True
    slots = free_slots(left[0], row, taken)
    return bool(slots) and all(_always_room((*taken, (left[0], slot)), left[1:], row) for slot in slots)
