"""Who stands where at one instant. A VM on the move stands on two hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from placer_models.cluster import Ask, Cluster, Gpu, Vm
from placer_models.gpus import Sharing


@dataclass(frozen=True, slots=True)
class Hold:
    """What a VM has of one GPU: all of it, a profile at a slot, or thousandths. `sharing` is what the GPU then stands
    in.
    """

    gpu: str
    sharing: Sharing
    profile: str | None = None
    slot: int | None = None
    milli: int | None = None


@dataclass(frozen=True, slots=True)
class Stand:
    """A VM on a host with its holds, in the order of its asks (each ask's `count` holds together)."""

    vm: str
    host: str
    holds: tuple[Hold, ...] = ()


@dataclass(slots=True)
class Taken:
    """What the VMs of one host take of its CPUs (thousandths) and memory (MiB; VMs with a GPU apart: theirs is
    reserved).
    """

    cpu_milli: int = 0
    gpu_vms_memory_mib: int = 0
    other_memory_mib: int = 0


class Scene:
    """The stands of a cluster at one instant, with each host's and each GPU's sums kept up to date."""

    def __init__(self, cluster: Cluster, stands: Iterable[Stand] = ()) -> None:
        self.cluster = cluster
        self._vms: dict[str, list[Stand]] = {}
        self._hosts: dict[str, dict[str, Stand]] = {name: {} for name in cluster.hosts}
        self._use: dict[str, Taken] = {name: Taken() for name in cluster.hosts}
        self._gpus: dict[str, dict[str, list[tuple[Stand, Hold]]]] = {name: defaultdict(list) for name in cluster.hosts}
        for stand in stands:
            self.put(stand)

    @classmethod
    def now(cls, cluster: Cluster) -> Scene:
        """The scene that the snapshot shows: every running VM where it is."""
        return cls(cluster, (stand_of(cluster, vm) for vm in cluster.vms.values() if vm.power == "on"))

    def copy(self) -> Scene:
        """Another scene with the same stands."""
        other = Scene.__new__(Scene)
        other.cluster = self.cluster
        other._vms = {name: list(stands) for name, stands in self._vms.items()}
        other._hosts = {name: dict(stands) for name, stands in self._hosts.items()}
        other._use = {name: replace(use) for name, use in self._use.items()}
        other._gpus = {
            name: defaultdict(list, {gpu: list(holders) for gpu, holders in gpus.items() if holders})
            for name, gpus in self._gpus.items()
        }
        return other

    def put(self, stand: Stand) -> None:
        """Let a VM stand on a host (a second stand: it is on the move)."""
        self._count(stand, 1)
        self._vms.setdefault(stand.vm, []).append(stand)
        self._hosts[stand.host][stand.vm] = stand
        for hold in stand.holds:
            self._gpus[stand.host][hold.gpu].append((stand, hold))

    def remove(self, stand: Stand) -> None:
        """Take a VM off a host."""
        self._count(stand, -1)
        self._vms[stand.vm].remove(stand)
        if not self._vms[stand.vm]:
            del self._vms[stand.vm]
        del self._hosts[stand.host][stand.vm]
        for hold in stand.holds:
            self._gpus[stand.host][hold.gpu].remove((stand, hold))

    def trial(self, *stands: Stand) -> AbstractContextManager[None]:
        """These stands added for the length of a `with` block."""
        return _Trial(self, stands)

    @contextmanager
    def lifted(self, *stands: Stand) -> Iterator[None]:
        """These stands taken away for the length of a `with` block."""
        for stand in stands:
            self.remove(stand)
        try:
            yield
        finally:
            for stand in stands:
                self.put(stand)

    def _count(self, stand: Stand, sign: int) -> None:
        vm, use = self.cluster.vms[stand.vm], self._use[stand.host]
        use.cpu_milli += sign * vm.cpu_milli
        if vm.gpus:
            use.gpu_vms_memory_mib += sign * vm.memory_mib
        else:
            use.other_memory_mib += sign * vm.memory_mib

    def stands(self) -> Iterator[Stand]:
        """Every stand, VM by VM."""
        for stands in self._vms.values():
            yield from stands

    def of(self, vm: str) -> tuple[Stand, ...]:
        """Where a VM stands: nowhere, on one host, or on two while it moves."""
        return tuple(self._vms.get(vm, ()))

    def on(self, host: str) -> Iterable[Stand]:
        """Who stands on a host."""
        return self._hosts[host].values()

    def use(self, host: str) -> Taken:
        """What they take of its CPUs and memory."""
        return self._use[host]

    def holders(self, host: str, gpu: str) -> list[tuple[Stand, Hold]]:
        """Who holds a GPU, and what of it."""
        return self._gpus[host].get(gpu, [])

    def sharing(self, host: str, gpu: Gpu) -> Sharing:
        """What a GPU stands in: what its holders made of it, or what the snapshot says while it is empty."""
        holders = self.holders(host, gpu.id)
        return holders[0][1].sharing if holders else gpu.sharing


class _Trial:
    """Stands added to a scene for the length of a `with` block (a class, because rules ask this thousands of times)."""

    __slots__ = ("scene", "stands")

    def __init__(self, scene: Scene, stands: tuple[Stand, ...]) -> None:
        self.scene, self.stands = scene, stands

    def __enter__(self) -> None:
        for stand in self.stands:
            self.scene.put(stand)

    def __exit__(self, *_: object) -> None:
        for stand in self.stands:
            self.scene.remove(stand)


def stand_of(cluster: Cluster, vm: Vm) -> Stand:
    """Where a running VM of the snapshot stands (its document was checked: its host and GPUs are there)."""
    assert vm.host is not None, f"{vm.name} runs nowhere"
    gpus = cluster.hosts[vm.host].gpu
    holds = (
        Hold(seat.gpu, gpus[seat.gpu].sharing, ask.profile, seat.slot, ask.milli) for ask in vm.gpus for seat in ask.at
    )
    return Stand(vm.name, vm.host, tuple(holds))


def items(vm: Vm) -> tuple[Ask, ...]:
    """A VM's asks, each repeated `count` times: what each of its holds serves."""
    return tuple(ask for ask in vm.wants for _ in range(ask.count))
