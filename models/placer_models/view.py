"""A cluster as it stands: every host, every GPU, who holds it, what is left (`placer.view/1`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from placer_models.cluster import State
from placer_models.document import Count, Cpus, Document, MemoryMib, Name
from placer_models.gpus import Mode, Sharing


class Holder(Document):
    """A VM's hold of a GPU: a profile and its slot, or `milli` thousandths; neither: the whole GPU."""

    vm: Name
    profile: Name | None = None
    slot: Count | None = None
    milli: Count | None = None


class GpuView(Document):
    """One GPU. `free_milli` is the share of it that nothing holds; `more` how many further items of each ask that the
    snapshot's VMs make this GPU could still take, each ask by itself (in its sharing, or in any that it may be put in
    while it is empty); `stranded_milli` the part of what is free that none of those asks can use (`stranded_mib`: in
    memory, where the catalogue knows the model's).
    """

    id: Name
    model: Name
    mode: Mode
    sharing: Sharing
    holders: tuple[Holder, ...] = ()
    free_milli: Count
    more: Mapping[str, Count] = Field(default_factory=dict)
    stranded_milli: Count = 0
    stranded_mib: Count | None = None


class HostView(Document):
    """One host: what its VMs take of what they may (after the hypervisor's share, CPUs by the host's ratio)."""

    name: Name
    state: State
    vms: Count
    cpus_used: Cpus
    cpus: Cpus
    memory_used_mib: MemoryMib
    memory_mib: MemoryMib
    gpus: tuple[GpuView, ...] = ()


class Total(Document):
    """All GPUs of one model (as the hosts name it, mode included): how many there are, are empty, and what is free of
    them, in thousandths; `stranded_milli` of that no ask can use. Hosts that are not up count in `gpus` and
    `not_up` only.
    """

    model: str
    gpus: Count
    not_up: Count
    empty: Count
    free_milli: Count
    stranded_milli: Count
    stranded_mib: Count | None = None


class View(Document):
    """What `placer show` shows. `more` sums each ask's `more` over the GPUs of hosts that are up: by GPUs alone, since
    CPUs, memory and the other rules may allow fewer (`placer capacity` counts them all).
    """

    format: Literal["placer.view/1"] = "placer.view/1"
    cluster: Name
    taken_at: str
    hosts: tuple[HostView, ...]
    totals: tuple[Total, ...] = ()
    more: Mapping[str, Count] = Field(default_factory=dict)
    running: Count = 0
    asked: Count = 0
    broken_now: tuple[str, ...] = ()
    snapshot_sha256: str = ""
