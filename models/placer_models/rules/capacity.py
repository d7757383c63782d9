"""Rule `capacity`: a host's CPUs and memory are not given away twice."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Literal

from placer_models.cluster import Cluster, Host, Vm
from placer_models.plan import Breach, Reason
from placer_models.rules.rule import Board, Rule
from placer_models.rules.standing import Standing
from placer_models.scene import Scene, Stand


class Capacity(Standing, Rule):
    """The VMs on a host have together at most

    - (cpus - reserved_cpus) x cpu_ratio CPUs, and
    - memory_mib - reserved_memory_mib of memory; where the host's `memory_ratio` is above 1, VMs without a GPU count
      for memory / memory_ratio. A VM with a GPU reserves all its memory, so it always counts in full.

    A host that is over-full already gets no fuller, and no VM that alone is too big for it.

    Passes: 64 CPUs with ratio 4 and 4 reserved take 240 one-CPU VMs. Fails: a 16 GiB VM beside others on a host that
    has 12 GiB left, however idle they are.

    Sources: vGPU VMs need their memory fully reserved (UG17, cloudfoundry/bosh-vsphere-cpi-release#369); KubeVirt and
    Harvester switch overcommit off for GPU VMs (harvester/harvester#5131).
    """

    kind: Literal["capacity"] = "capacity"

    def vm_key(self, vm: Vm) -> Hashable:
        return vm.cpu_milli, vm.memory_mib, bool(vm.gpus)

    def host_key(self, host: Host) -> Hashable:
        return host.cpu_room_milli, host.memory_room_mib, host.memory_ratio_milli

    def scene_key(self, scene: Scene, host: Host) -> Hashable:
        use = scene.use(host.name)
        return use.cpu_milli, use.gpu_vms_memory_mib, use.other_memory_mib

    def admits(self, cluster: Cluster, vm: Vm, host: Host) -> bool:
        return vm.cpu_milli <= host.cpu_room_milli and _weight(vm, host) <= _room(host)

    def room(self, scene: Scene, host: Host) -> tuple[int, int, int]:
        """CPUs in thousandths, MiB for VMs without a GPU, MiB for those with one."""
        use = scene.use(host.name)
        left = _room(host) - use.gpu_vms_memory_mib * host.memory_ratio_milli - use.other_memory_mib * 1000
        return host.cpu_room_milli - use.cpu_milli, left // 1000, left // host.memory_ratio_milli

    def takes(self, vm: Vm) -> tuple[int, int, int]:
        return vm.cpu_milli, 0 if vm.gpus else vm.memory_mib, vm.memory_mib if vm.gpus else 0

    def encode(self, board: Board) -> None:
        for place in board.places:
            here, host = board.here(place), place.host
            board.at_most(((vms.vm.cpu_milli, count) for vms, count in here), place.m * host.cpu_room_milli)
            board.at_most(((_weight(vms.vm, host), count) for vms, count in here), place.m * _room(host))

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        for name in hosts if hosts is not None else scene.cluster.hosts:
            host, use = scene.cluster.hosts[name], scene.use(name)
            over = use.cpu_milli - host.cpu_room_milli
            if over > 0:
                said = f"{use.cpu_milli / 1000:g} CPUs are given, {host.cpu_room_milli / 1000:g} can be"
                yield Breach(self.kind, (name, "cpus"), over, f"{name}: {said}")
            used = use.gpu_vms_memory_mib * host.memory_ratio_milli + use.other_memory_mib * 1000
            if used > _room(host):
                said = f"{used // host.memory_ratio_milli} MiB of memory are given, {host.memory_room_mib} can be"
                yield Breach(self.kind, (name, "memory"), used - _room(host), f"{name}: {said}")
            if over > 0 or used > _room(host):
                yield from self._too_big(scene, host)

    def _too_big(self, scene: Scene, host: Host) -> Iterator[Breach]:
        """VMs bigger than their whole host: none may come in exchange for another."""
        for stand in scene.on(host.name):
            vm = scene.cluster.vms[stand.vm]
            for what, over in (
                ("cpus", vm.cpu_milli - host.cpu_room_milli),
                ("memory", _weight(vm, host) - _room(host)),
            ):
                if over > 0:
                    said = f"{host.name}: {vm.name} alone has more {_LONG[what]} than can be given"
                    yield Breach(self.kind, (host.name, what, vm.name), over, said, (vm.name,))

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        host, vm, use = scene.cluster.hosts[stand.host], scene.cluster.vms[stand.vm], scene.use(stand.host)
        what = breach.subject[1]
        if what == "cpus":
            free = max(0, host.cpu_room_milli - (use.cpu_milli - vm.cpu_milli))
            numbers = {"free": free, "asked": vm.cpu_milli}
        else:
            used = use.gpu_vms_memory_mib * host.memory_ratio_milli + use.other_memory_mib * 1000 - _weight(vm, host)
            of_one_mib = host.memory_ratio_milli if vm.gpus else 1000
            numbers = {"free": max(0, (_room(host) - used) // of_one_mib), "asked": vm.memory_mib}
        return Reason(self.kind, stand.host, (what,), _short([numbers], what), numbers)

    def say(self, reasons: Sequence[Reason]) -> str:
        return _short([reason.numbers for reason in reasons], reasons[0].code[0])

    def missing(self, reason: Reason) -> str:
        short = reason.numbers["asked"] - reason.numbers["free"]
        if reason.code[0] == "memory":
            return f"{short} MiB of memory short"
        return f"{short / 1000:g} CPU{'' if short == 1000 else 's'} short"


_LONG = {"cpus": "CPUs", "memory": "memory"}


def _weight(vm: Vm, host: Host) -> int:
    """A VM's memory on a host in MiB x thousandths of its memory ratio, so that both kinds of VMs add up."""
    return vm.memory_mib * (host.memory_ratio_milli if vm.gpus else 1000)


def _room(host: Host) -> int:
    return host.memory_room_mib * host.memory_ratio_milli


def _short(all_numbers: Sequence[Mapping[str, int]], what: str) -> str:
    free, asked = max(numbers["free"] for numbers in all_numbers), all_numbers[0]["asked"]
    most = "at most " if len(all_numbers) > 1 else ""
    if what == "cpus":
        return f"{most}{free / 1000:g} CPUs free, {asked / 1000:g} asked"
    return f"{most}{free} MiB of memory free, {asked} asked"
