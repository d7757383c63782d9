"""What happens to a cluster: said to a session, so that what it knows stays true (`placer.Session.apply`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from placer_models.cluster import Host, State, Vm
from placer_models.document import Cpus, Document, MemoryMib, Name
from placer_models.gpus import Mode, Sharing
from placer_models.plan import PlacedGpu


class VmStarted(Document):
    """A VM runs: `vm` says where, and what it holds (`power` is "on")."""

    kind: Literal["vm-started"] = "vm-started"
    vm: Vm


class VmStopped(Document):
    """A VM that ran is off, and holds nothing."""

    kind: Literal["vm-stopped"] = "vm-stopped"
    vm: Name


class VmMoved(Document):
    """A running VM stands on another host, or holds other GPUs (`sharing`: what a GPU was first put in for it)."""

    kind: Literal["vm-moved"] = "vm-moved"
    vm: Name
    host: Name
    gpus: tuple[PlacedGpu, ...] = ()


class VmResized(Document):
    """A VM has other CPUs or memory; the memory of one with a GPU changes only while it is off."""

    kind: Literal["vm-resized"] = "vm-resized"
    vm: Name
    cpus: Cpus | None = None
    memory_mib: MemoryMib | None = None


class VmRemoved(Document):
    """A VM that does not run is gone for good."""

    kind: Literal["vm-removed"] = "vm-removed"
    vm: Name


class HostAdded(Document):
    """A new host, on which nothing stands yet."""

    kind: Literal["host-added"] = "host-added"
    host: Host


class HostState(Document):
    """A host goes down ("disconnected"), into maintenance, or comes back ("up"). Who stands there still stands there,
    until it is said to have stopped.
    """

    kind: Literal["host-state"] = "host-state"
    host: Name
    state: State


class GpuChanged(Document):
    """A GPU that nothing holds has another firmware mode or another sharing."""

    kind: Literal["gpu-changed"] = "gpu-changed"
    host: Name
    gpu: Name
    mode: Mode | None = None
    sharing: Sharing | None = None


Event = Annotated[
    VmStarted | VmStopped | VmMoved | VmResized | VmRemoved | HostAdded | HostState | GpuChanged,
    Field(discriminator="kind"),
]
