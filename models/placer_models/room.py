"""How many more VMs of each ask a cluster takes (`placer.capacity/1`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from placer_models.cluster import Ask, Needs
from placer_models.document import Count, Cpus, Document, MemoryMib, Name
from placer_models.plan import Status


class VmAsk(Document):
    """What one VM asks for: the keys are those of a snapshot's VM."""

    cpus: Cpus = 0
    memory_mib: MemoryMib = 0
    gpus: tuple[Ask, ...] = ()
    needs: Needs = Needs()
    labels: Mapping[Name, str] = Field(default_factory=dict)


class MoreOf(Document):
    """How many more of one ask fit, counted by itself: `more` were placed at once and judged, `bound` is what nobody
    can beat (absent: not known); `proven` where both are equal. `hosts` says how many of them each host took, `full`
    why one more does not fit.
    """

    name: str
    ask: VmAsk
    more: Count
    bound: Count | None
    proven: bool
    status: Status
    hosts: Mapping[Name, Count] = Field(default_factory=dict)
    full: tuple[str, ...] = ()


class Room(Document):
    """The answer to `placer capacity`."""

    format: Literal["placer.capacity/1"] = "placer.capacity/1"
    cluster: Name
    asks: tuple[MoreOf, ...]
    snapshot_sha256: str = ""
    decision: str = ""
    seed: int = 0
