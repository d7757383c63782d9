"""What comes back: placements with their score and bound, breaches of rules, and the reasons for every "no"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from placer_models.document import Count, Document, Name
from placer_models.gpus import Sharing


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule broken in a scene: by how much (`amount` >= 1, in the rule's own unit), where, by whom, in a sentence.

    `subject` is what the rule counts there (a host, a label's value, a GPU): two scenes are compared subject by
    subject.
    """

    rule: str
    subject: tuple[str, ...]
    amount: int
    said: str
    vms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a VM cannot stand on one host: which rule, a `code` that groups hosts with the same trouble, its numbers, a
    sentence.
    """

    rule: str
    host: str
    code: tuple[str, ...]
    said: str
    numbers: Mapping[str, int] = field(default_factory=dict)


class PlacedGpu(Document):
    """One GPU that a placed VM gets: `sharing` is said where the GPU must first be put in it (it is empty)."""

    gpu: Name
    profile: Name | None = None
    slot: Count | None = None
    milli: Count | None = None
    sharing: Sharing | None = None


class Placed(Document):
    """One VM's placement. The list `placed` is in the order in which the VMs are to be started."""

    vm: Name
    host: Name
    gpus: tuple[PlacedGpu, ...] = ()


class Move(Document):
    """A running VM's live migration that makes room. The list `moves` is in an order that can be carried out."""

    id: Name
    kind: Literal["migrate"] = "migrate"
    vm: Name
    from_: Name = Field(alias="from")
    to: Name
    gpus: tuple[PlacedGpu, ...] = ()
    waits_for: tuple[Name, ...] = ()
    why: str = ""


class Unplaced(Document):
    """A VM that stays off, and why: a sentence for each group of hosts, then the nearest miss, then what would let it
    in.
    """

    vm: Name
    reasons: tuple[str, ...]
    nearest: str | None = None
    change: str | None = None


class Score(Document):
    """A goal's figure, and the bound that no answer can beat (given the figures of the goals before it)."""

    goal: str
    unit: str
    sense: Literal["most", "least"]
    score: int
    bound: int | None
    gap: float | None = Field(description="|bound - score| / max(|bound|, 1); null where there is no bound")


class Placements(Document):
    """The answer to power-on requests (`placer.placements/1`)."""

    format: Literal["placer.placements/1"] = "placer.placements/1"
    status: Literal["optimal", "feasible", "unknown"]
    placed: tuple[Placed, ...] = ()
    moves: tuple[Move, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    score: Mapping[str, int] = Field(default_factory=dict)
    bound: Mapping[str, int | None] = Field(default_factory=dict)
    gap: Mapping[str, float | None] = Field(default_factory=dict)
    broken_now: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    stopped: str = ""
    seconds: float = 0.0
    snapshot_sha256: str = ""
    decision: str = ""
    seed: int = 0
    versions: Mapping[str, str] = Field(default_factory=dict)
