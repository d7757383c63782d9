"""Plays an answer instant by instant, and says everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from placer.judge.check import broken, worse
from placer.judge.slots import Worlds, not_first
from placer_models.cluster import Cluster, Gpu, Vm
from placer_models.document import quote
from placer_models.gpus import Use, free_slots
from placer_models.gpus_use import held, model_of, use_of
from placer_models.moving import immovable, unreachable
from placer_models.plan import Move, Placed, PlacedGpu, Placements
from placer_models.rules.rule import Rule
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import match
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
        self._worlds = Worlds(self.scene.copy()) if cluster.platform.slot_choice == "worst-case" else None
        self._order(answer.moves)
        for i, move in enumerate(answer.moves):
            self._move(f"moves[{i}]", move)
        for i, placed in enumerate(answer.placed):
            self._start(f"placed[{i}]", placed)
        self._end(answer)

    def _order(self, moves: Sequence[Move]) -> None:
        """Every move has a name of its own, and waits for moves before it only."""
        done: set[str] = set()
        for i, move in enumerate(moves):
            if move.id in done:
                self.faults.append(f"moves[{i}].id: found {quote(move.id)} again, expected each once")
            for other in move.waits_for:
                if other not in done:
                    self.faults.append(f"moves[{i}].waits_for: found {quote(other)}, expected moves before it")
            done.add(move.id)

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
        stand = self._slots(path, stand)
        self.scene.put(stand)
        self._instant(path, (stand.host,))
        self.scene.remove(was[0])
        if self._worlds is not None:
            self._worlds.leave(was[0])

    def _start(self, path: str, placed: Placed) -> None:
        vm = self.cluster.vms.get(placed.vm)
        if vm is None:
            self.faults.append(f"{path}.vm: {unknown('VM', placed.vm, self.cluster.vms)}")
        elif self.scene.of(vm.name):
            self.faults.append(f"{path}.vm: {vm.name} is on already")
        elif vm.name not in self.cluster.asked:
            self.faults.append(f"{path}.vm: nobody asked for {vm.name} to be powered on")
        elif (stand := self._stand(path, vm, placed.host, placed.gpus)) is not None:
            self.scene.put(self._slots(path, stand))

    def _stand(self, path: str, vm: Vm, host_name: str, gpus: Sequence[PlacedGpu]) -> Stand | None:
        host = self.cluster.hosts.get(host_name)
        if host is None:
            self.faults.append(f"{path}.host: {unknown('host', host_name, self.cluster.hosts)}")
            return None
        missing = [gpu.gpu for gpu in gpus if gpu.gpu not in host.gpu]
        if missing:
            self.faults.append(f"{path}: {vm.name} gets GPU {quote(missing[0])}, which {host.name} does not have")
            return None
        for i, gpu in enumerate(gpus):
            if gpu.profile is not None and gpu.milli is not None:
                self.faults.append(f"{path}.gpus[{i}]: found both 'profile' and 'milli', expected one of them")
                return None
            if gpu.milli is not None and not 1 <= gpu.milli <= 1000:
                self.faults.append(f"{path}.gpus[{i}].milli: found {gpu.milli}, expected 1 to 1000")
                return None
        holds = tuple(self._hold(host.name, host.gpu[gpu.gpu], gpu) for gpu in gpus)
        return Stand(vm.name, host.name, match(self.cluster, vm, host, holds) or holds)

    def _hold(self, host: str, gpu: Gpu, placed: PlacedGpu) -> Hold:
        sharing = placed.sharing or self.scene.sharing(host, gpu)
        return Hold(gpu.id, sharing, placed.profile, placed.slot, placed.milli)

    def _slots(self, path: str, stand: Stand) -> Stand:
        """The stand with a slot for every vGPU; same-size slots may be left open, and are then the lowest free ones.

        Where the manager picks slots, the answer must say the slot that it will pick, or stand whatever it picks.
        """
        host, holds = self.cluster.hosts[stand.host], list[Hold]()
        for hold in stand.holds:
            gpu = host.gpu[hold.gpu]
            use = use_of(self.cluster, gpu, hold)
            if use is not None and hold.sharing == "same-size" and hold.slot is None:
                taken = (*held(self.scene, host, gpu), *self._beside(holds, gpu))
                legal = free_slots(use, model_of(self.cluster, gpu).row_units(hold.sharing), taken)
                hold = replace(hold, slot=legal[0]) if legal else hold
            holds.append(hold)
        seated = replace(stand, holds=tuple(holds))
        if self.cluster.platform.slot_choice == "first-legal":
            self.faults.extend(f"{path}: {said}" for said in not_first(self.scene, seated))
        if self._worlds is not None:
            for gpu_id in self._worlds.arrive(seated):
                said = "not every choice of slots by the manager leaves room for all"
                self.faults.append(f"{path}: {stand.host}: GPU {gpu_id}: {said}")
        return seated

    def _beside(self, holds: Sequence[Hold], gpu: Gpu) -> list[tuple[Use, int | None]]:
        """What the same VM has got of a GPU already."""
        return [
            (use, hold.slot)
            for hold in holds
            if hold.gpu == gpu.id and (use := use_of(self.cluster, gpu, hold)) is not None
        ]

    def _instant(self, path: str, hosts: tuple[str, ...]) -> None:
        now = broken(self.scene, self.always, hosts)
        self.faults.extend(f"{path}: {breach.said}" for breach in worse(self.always, self._first_always, now))

    def _end(self, answer: Placements) -> None:
        self.faults.extend(breach.said for breach in worse(self.rules, self._first, broken(self.scene, self.rules)))
        started = {placed.vm for placed in answer.placed}
        for i, unplaced in enumerate(answer.unplaced):
            if unplaced.vm not in self.cluster.vms:
                self.faults.append(f"unplaced[{i}].vm: {unknown('VM', unplaced.vm, self.cluster.vms)}")
            elif unplaced.vm in started:
                self.faults.append(f"unplaced[{i}].vm: {unplaced.vm} stands among those that are placed, too")
