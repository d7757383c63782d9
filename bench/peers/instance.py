"""A snapshot as the peers see it: free room on nodes, pods that ask for CPU, memory, whole GPUs or shares of GPUs.

The peers know no rules, profiles, boards or NVLink: a snapshot that has them is refused with `NotFor`, so that nobody
is compared on work that it does not do. Running VMs stay where they are; what they hold is taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.world import WHOLE, Choice, Pod, World
from placer_models.cluster import Ask, Gpu, Host, Vm
from placer_models.gpus import Sharing
from placer_models.gpus_use import use_for
from placer_models.plan import Placed, PlacedGpu, Placements
from placer_models.scene import Scene
from placer_models.snapshot import Snapshot

USED: tuple[Sharing, ...] = ("fraction", "passthrough")
NO_GPU = ""


class NotFor(ValueError):
    """A peer cannot do this snapshot; the message says why."""


@dataclass(frozen=True)
class Instance:
    """The world now, and the pods that ask to be started, in the order of the requests."""

    snapshot: Snapshot
    world: World
    pods: tuple[Pod, ...]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Instance:
        """Raises NotFor."""
        if snapshot.rules:
            raise NotFor("the snapshot states rules, which the peers do not know")
        cluster, scene = snapshot.content, Scene.now(snapshot.content)
        kinds = {_kind(host): host.gpus[0] for host in snapshot.hosts if host.gpus}
        world = World(
            [_cpu(scene, host) for host in snapshot.hosts],
            [_memory(scene, host) for host in snapshot.hosts],
            [[_left(scene, host, gpu) for gpu in host.gpus] for host in snapshot.hosts],
            [_kind(host) for host in snapshot.hosts],
        )
        vms = (cluster.vms[name] for name in cluster.asked)
        return cls(snapshot, world, tuple(_pod(snapshot, vm, kinds) for vm in vms))

    @property
    def by_gpu(self) -> bool:
        """Whether anybody asks for GPU: then GPU is compared, else the number of VMs."""
        return any(pod.demand for pod in self.pods)

    def count(self, choices: Mapping[str, Choice]) -> tuple[int, int]:
        """The thousandths of a GPU, and the VMs, that these choices place."""
        return sum(pod.demand for pod in self.pods if pod.name in choices), len(choices)

    def answer(self, choices: Mapping[str, Choice]) -> Placements:
        """The choices as the document that placer's judge reads."""
        placed = (self._placed(pod, *choices[pod.name]) for pod in self.pods if pod.name in choices)
        return Placements(status="feasible", placed=tuple(placed), snapshot_sha256=self.snapshot.sha256)

    def _placed(self, pod: Pod, node: int, devices: tuple[int, ...]) -> Placed:
        host = self.snapshot.hosts[node]
        gpus = []
        for device in devices:
            gpu = host.gpus[device]
            able = USED if pod.milli == WHOLE else USED[:1]
            sharing = gpu.sharing if gpu.sharing in able else next(one for one in gpu.sharings if one in able)
            gpus.append(
                PlacedGpu(
                    gpu=gpu.id,
                    milli=_milli(self.snapshot.content.vms[pod.name]),
                    sharing=None if sharing == gpu.sharing else sharing,
                )
            )
        return Placed(vm=pod.name, host=host.name, gpus=tuple(gpus))


def _milli(vm: Vm) -> int | None:
    return vm.wants[0].milli if vm.wants else None


def _kind(host: Host) -> str:
    """What pods tell the GPUs of one host from another's by."""
    kinds = {f"{gpu.model}/{gpu.mode}/{'+'.join(gpu.sharings)}" for gpu in host.gpus}
    if len(kinds) > 1:
        raise NotFor(f"{host.name} has GPUs of several kinds: {', '.join(sorted(kinds))}")
    return kinds.pop() if kinds else NO_GPU


def _cpu(scene: Scene, host: Host) -> int:
    """CPU left on a host; less than nothing where no VM may start."""
    return host.cpu_room_milli - scene.use(host.name).cpu_milli if host.state == "up" else -1


def _memory(scene: Scene, host: Host) -> int:
    if host.memory_ratio_milli != 1000:
        raise NotFor(f"{host.name} over-commits memory, which the peers do not")
    use = scene.use(host.name)
    return host.memory_room_mib - use.gpu_vms_memory_mib - use.other_memory_mib


def _left(scene: Scene, host: Host, gpu: Gpu) -> int:
    """Thousandths left of a GPU; of one that is passed through all or nothing."""
    holds = [hold for _, hold in scene.holders(host.name, gpu.id)]
    if any(hold.profile is not None for hold in holds):
        raise NotFor(f"{host.name}: GPU {gpu.id} holds profiles, which the peers do not know")
    if not any(sharing in USED for sharing in gpu.sharings):
        raise NotFor(f"{host.name}: GPU {gpu.id} can be neither passed through nor shared by fractions")
    return max(0, WHOLE - sum(hold.milli or WHOLE for hold in holds))


def _pod(snapshot: Snapshot, vm: Vm, kinds: Mapping[str, Gpu]) -> Pod:
    if len(vm.wants) > 1:
        raise NotFor(f"{vm.name} has several GPU asks")
    if not vm.wants:
        return Pod(vm.name, vm.cpu_milli, vm.memory_mib)
    (ask,) = vm.wants
    if ask.profile is not None:
        raise NotFor(f"{vm.name} asks for a profile, which the peers do not know")
    if vm.needs.same_board or vm.needs.same_numa_node or vm.needs.nvlink:
        raise NotFor(f"{vm.name} needs its GPUs together, which the peers do not know")
    taken = frozenset(kind for kind, gpu in kinds.items() if _serves(snapshot, vm, ask, gpu))
    return Pod(vm.name, vm.cpu_milli, vm.memory_mib, ask.count, ask.milli or WHOLE, taken)


def _serves(snapshot: Snapshot, vm: Vm, ask: Ask, gpu: Gpu) -> bool:
    able = [sharing for sharing in gpu.sharings if sharing in USED]
    return any(use_for(snapshot.content, ask, vm.needs, gpu, sharing) is not None for sharing in able)
