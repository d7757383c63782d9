"""What a cluster is made of: hosts, their GPUs, and the VMs that stand on them or want to.

These are parts of the snapshot document (`placer.snapshot/1`): frozen, checked when read, and used as they are by every
rule. Decimal quantities (CPUs, CPU ratio) have whole thousandths beside them (`cpu_milli`), which is what is counted
with.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated, Literal

from pydantic import Field

from placer_models.clock import Instant
from placer_models.document import Count, Cpus, Document, MemoryMib, Name, Positive, milli
from placer_models.gpus import Catalogue, Mode, Sharing
from placer_models.gpus_model import profile_key
from placer_models.platform import Platform

Power = Literal["on", "off", "suspended"]
State = Literal["up", "maintenance", "disconnected"]
Labels = Mapping[Name, str]
Instances = frozenset[tuple[str, int]]
Thousandths = Annotated[int, Field(ge=1, le=1000)]


class Seat(Document):
    """Where one item of a running VM's ask is: the GPU, and its slot (its first unit) where the sharing has slots."""

    gpu: Name
    slot: Count | None = None


class Ask(Document):
    """What a VM wants of GPUs: `count` whole GPUs, or `count` vGPU/MIG profiles, or `count` shares of `milli`
    thousandths.

    `models` narrows it to GPU models (absent: any); `mode` is the firmware mode that a whole GPU must be in ("Tesla
    M60" is never "Tesla M60.compute"). Several shares of one ask are on different GPUs. `at` says where a running VM
    has it.
    """

    profile: Name | None = None
    models: tuple[Name, ...] | None = Field(default=None, min_length=1)
    mode: Mode | None = None
    count: Positive = 1
    milli: Thousandths | None = None
    at: tuple[Seat, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it asks for whole GPUs."""
        return self.profile is None and self.milli is None

    @property
    def want(self) -> Ask:
        """The ask without where it is held: what is compared between VMs (equal asks give the same object)."""
        return _one_of(self.model_copy(update={"at": ()}) if self.at else self)


@lru_cache(maxsize=65536)
def _one_of(ask: Ask) -> Ask:
    """The first ask that was equal to this one: comparing an object with itself costs nothing."""
    return ask


class Needs(Document):
    """What a VM needs of its GPUs together: CUDA, all on one board, on one NUMA node, or one whole NVLink group."""

    cuda: bool = False
    same_board: bool = False
    same_numa_node: bool = False
    nvlink: bool = False


class May(Document):
    """What may be done to a running VM; nothing unless it is said.

    `restart`: it is to be started again elsewhere when its host is lost (rule `reserve`).
    """

    live_migrate: bool = False
    suspend: bool = False
    power_cycle: bool = False
    restart: bool = False


Seconds = Annotated[float, Field(ge=0, le=10**6)]


class Measured(Document):
    """What a site measured of a VM, in place of what is estimated: the vGPU state to copy (vSphere:
    vgpuMigrateDataSizeMB), how fast it writes memory, how long it stands still when migrated, and how long its steps
    take.
    """

    migrate_data_mib: MemoryMib | None = None
    dirty_mib_per_second: Annotated[float, Field(ge=0, le=10**6)] | None = None
    stun_seconds: Seconds | None = None
    migrate_seconds: Seconds | None = None
    suspend_seconds: Seconds | None = None
    power_off_seconds: Seconds | None = None
    power_on_seconds: Seconds | None = None


class Vm(Document):
    """A virtual machine; all its GPUs are on one host, and one with a GPU reserves all its memory."""

    name: Name
    power: Power
    host: Name | None = None
    cpus: Cpus
    memory_mib: MemoryMib
    gpus: tuple[Ask, ...] = ()
    needs: Needs = Needs()
    may: May = May()
    measured: Measured = Measured()
    stun_limit_seconds: Seconds | None = None
    ready_by: Instant | None = None
    labels: Labels = Field(default_factory=dict)
    notes: str | None = None

    @cached_property
    def cpu_milli(self) -> int:
        """CPUs in thousandths."""
        return milli(self.cpus)

    @cached_property
    def wants(self) -> tuple[Ask, ...]:
        """Its asks without where they are held."""
        return tuple(ask.want for ask in self.gpus)


class MigInstance(Document):
    """One instance of a GPU's MIG layout: its profile, and its first memory slice."""

    profile: Name
    slot: Count


class Gpu(Document):
    """One physical GPU. `sharing` is what it stands in; `may_share` what it may be put in while nothing holds it.
    `mig_layout` are the instances that it keeps in sharing `mig`; absent: they are made as VMs come and go.
    """

    id: Name
    model: Name
    mode: Mode = "graphics"
    board: Name | None = None
    numa_node: Count | None = None
    ecc: bool | None = None
    sharing: Sharing = "passthrough"
    may_share: tuple[Sharing, ...] | None = Field(default=None, min_length=1)
    mig_layout: tuple[MigInstance, ...] | None = None
    notes: str | None = None

    @cached_property
    def instances(self) -> Instances | None:
        """The key of each instance's profile, and its slot; None: no MIG layout is kept."""
        kept = self.mig_layout
        return None if kept is None else frozenset((profile_key(one.profile), one.slot) for one in kept)

    @cached_property
    def make(self) -> tuple[str, str, Instances | None]:
        """What it is, whatever it stands in: of GPUs of one make the same can be had."""
        return self.model, self.mode, self.instances

    @cached_property
    def sharings(self) -> tuple[Sharing, ...]:
        """The sharings open to it while empty: its own first."""
        return (self.sharing, *(other for other in self.may_share or () if other != self.sharing))


def firmware_mode(catalogue: Catalogue, gpu: Gpu) -> Mode:
    """The firmware mode that a GPU is in, whether its `mode` or its model's name says so (AHV-PT)."""
    return "compute" if gpu.mode == "compute" else catalogue.canonical(gpu.model)[1]


def with_mode(model: str, mode: Mode) -> str:
    """A GPU's model with its mode, as AHV writes it: "Tesla M60.compute"."""
    return f"{model}.compute" if mode == "compute" and not model.endswith(".compute") else model


class Host(Document):
    """A machine that runs VMs. `cpu_ratio` and `memory_ratio` say how far VMs may over-commit what is not reserved."""

    name: Name
    state: State = "up"
    cpus: Cpus
    cpu_ratio: Cpus = Field(default=1, gt=0)
    memory_mib: MemoryMib
    memory_ratio: Cpus = Field(default=1, gt=0)
    reserved_cpus: Cpus = 0
    reserved_memory_mib: MemoryMib = 0
    labels: Labels = Field(default_factory=dict)
    vgpu_manager: str | None = None
    gpus: tuple[Gpu, ...] = ()
    nvlink_groups: tuple[tuple[Name, ...], ...] = ()
    notes: str | None = None

    @cached_property
    def cpu_room_milli(self) -> int:
        """Thousandths of a CPU that VMs may have here: (cpus - reserved) x ratio, rounded down."""
        return max(0, milli(self.cpus) - milli(self.reserved_cpus)) * milli(self.cpu_ratio) // 1000

    @cached_property
    def memory_room_mib(self) -> int:
        """MiB that VMs may have here before over-commitment."""
        return max(0, self.memory_mib - self.reserved_memory_mib)

    @cached_property
    def memory_ratio_milli(self) -> int:
        """Thousandths of memory that VMs without a GPU may be given for one that is there."""
        return milli(self.memory_ratio)

    @property
    def state_said(self) -> str:
        """Its state in a sentence: it is up, disconnected, or "in maintenance"."""
        return "in maintenance" if self.state == "maintenance" else self.state

    @cached_property
    def gpu(self) -> Mapping[str, Gpu]:
        """Its GPUs by id."""
        return {gpu.id: gpu for gpu in self.gpus}


Typical = tuple[tuple[Ask, Needs, int], ...]
"""One item of each ask that is to be reckoned with, whether it needs CUDA, and its weight (how many VMs make it)."""


@dataclass(frozen=True)
class Cluster:
    """A snapshot's content by name: what rules and goals look at. `asked` is the priority of each VM that is to be
    powered on; `expected` the asks that are to be reckoned with (None: those of the VMs that are there).
    """

    name: str
    platform: Platform
    hosts: Mapping[str, Host]
    vms: Mapping[str, Vm]
    asked: Mapping[str, int] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue.shipped)
    expected: Typical | None = None
    members: dict[Hashable, tuple[Vm, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Which VMs are meant where documents say some by name and label: found once, by whoever asks first."""
