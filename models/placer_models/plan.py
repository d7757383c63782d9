"""What comes back: placements with their score and bound, breaches of rules, and the reasons for every "no"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from placer_models.clock import Instant
from placer_models.document import Count, Document, Name
from placer_models.gpus import Mode, Sharing
from placer_models.night import Asked


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


def gap_of(score: int, bound: int | None) -> float | None:
    """How far a score is from its bound: |bound - score| / max(|bound|, 1), to six places, and 0 only where they are
    equal; None: there is no bound.
    """
    if bound is None or bound == score:
        return None if bound is None else 0.0
    return max(1e-6, round(abs(bound - score) / max(abs(bound), 1), 6))


Status = Literal["optimal", "feasible", "unknown"]
"""Of an answer: every score is its bound, not every one is known to be, or there is none yet."""


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


# Placements and plans close with the same keys, said in both: those of a common base would come first in a document.


class Placements(Document):
    """The answer to power-on requests (`placer.placements/1`).

    `seconds` and `spent` are the solver's deterministic seconds, in all and by part of the search: the same on every
    machine.
    """

    format: Literal["placer.placements/1"] = "placer.placements/1"
    status: Status
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
    spent: Mapping[str, float] = Field(default_factory=dict)
    snapshot_sha256: str = ""
    decision: str = ""
    seed: int = 0
    versions: Mapping[str, str] = Field(default_factory=dict)


StepKind = Literal[
    "migrate",
    "suspend",
    "resume",
    "power-off",
    "power-on",
    "enter-maintenance",
    "leave-maintenance",
    "set-mode",
    "restart-host",
    "start-job",
    "stop-job",
]


class Step(Document):
    """One timed action of a plan, in whole seconds. `waits_for` are the steps that must have ended before it starts.

    A migration says `vm`, `from`, `to` and the `gpus` that the VM gets there; a suspension or power-off `vm` and the
    `host` that it leaves; a resumption or power-on `vm`, the `host` on which it then stands, and its `gpus`. Steps of
    a host say `host`; set-mode also `gpus` with the `mode`, the `sharing`, or both. Steps of a job say `job` and
    `host` (`instance` where it helps), and take no time.

    A migration holds both hosts from `start` to `end`; a suspension or power-off holds its host until its `end`; a
    resumption or power-on holds it from its `start`.
    """

    id: Name
    kind: StepKind
    vm: Name | None = None
    job: Name | None = None
    instance: Count | None = None
    host: Name | None = None
    from_: Name | None = Field(default=None, alias="from")
    to: Name | None = None
    gpus: tuple[PlacedGpu, ...] = ()
    mode: Mode | None = None
    sharing: Sharing | None = None
    start: Instant
    end: Instant
    stun_seconds: float | None = None
    waits_for: tuple[Name, ...] = ()
    why: str = ""

    @property
    def leaves(self) -> str | None:
        """The host that its VM leaves: of a migration, a suspension or a power-off."""
        return (self.from_ or self.host) if self.kind in ("migrate", "suspend", "power-off") else None

    @property
    def reaches(self) -> str | None:
        """The host on which its VM then stands: of a migration, a resumption or a power-on."""
        return (self.to or self.host) if self.kind in ("migrate", "resume", "power-on") else None


class Freed(Document):
    """A host on which no VM of the cluster stands between two instants."""

    host: Name
    from_: Instant = Field(alias="from")
    until: Instant


class JobRun(Document):
    """One instance of a job, counted from 0, on a freed host (a checkpointed one may have several runs, one after the
    other).
    """

    job: Name
    instance: Count
    host: Name
    gpus: tuple[PlacedGpu, ...] = ()
    start: Instant
    end: Instant


class Unmoved(Document):
    """A VM that stays where it is although its host was to be freed, why, and the host that it keeps."""

    vm: Name
    host: Name
    reasons: tuple[str, ...]


class LeftOut(Document):
    """A host that was to be freed, or whose GPUs were to be changed, and is not; why."""

    host: Name
    reasons: tuple[str, ...]


class PlanWindow(Document):
    """A stretch of time in which steps may run."""

    from_: Instant = Field(alias="from")
    until: Instant


class Dropped(Document):
    """A step of an earlier plan that is not in this one, and why."""

    step: Name
    why: str


class Continued(Document):
    """What has become of the plan with which another one goes on, by the ids of the steps: `done` or under way, `kept`
    as they were, `changed` (in their times, or in which GPUs a VM gets), `dropped`, and `new`. `said` is what was not
    as that plan took it to be.
    """

    done: tuple[Name, ...] = ()
    kept: tuple[Name, ...] = ()
    changed: tuple[Name, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    new: tuple[Name, ...] = ()
    said: tuple[str, ...] = ()


class Plan(Document):
    """The answer to a night's request (`placer.plan/1`): timed steps that keep every rule at every instant. `asked` is
    that request, with its jobs.

    `before`, `meanwhile` and `after` are figures of the cluster: as the plan finds it, when most hosts are freed at
    once (and then most jobs run), and when all is done. `already` says what was asked and stands so without any step.
    `seconds` and `spent` are the solver's deterministic seconds, in all and by part of the search: the same on every
    machine.
    """

    format: Literal["placer.plan/1"] = "placer.plan/1"
    status: Status
    request: str = "consolidate"
    asked: Asked | None = None
    continued: Continued | None = None
    window: tuple[PlanWindow, ...] = ()
    steps: tuple[Step, ...] = ()
    freed: tuple[Freed, ...] = ()
    jobs: tuple[JobRun, ...] = ()
    unmoved: tuple[Unmoved, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    already: tuple[str, ...] = ()
    before: Mapping[str, int] = Field(default_factory=dict)
    meanwhile: Mapping[str, int] = Field(default_factory=dict)
    after: Mapping[str, int] = Field(default_factory=dict)
    score: Mapping[str, int] = Field(default_factory=dict)
    bound: Mapping[str, int | None] = Field(default_factory=dict)
    gap: Mapping[str, float | None] = Field(default_factory=dict)
    broken_now: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    stopped: str = ""
    seconds: float = 0.0
    spent: Mapping[str, float] = Field(default_factory=dict)
    snapshot_sha256: str = ""
    decision: str = ""
    seed: int = 0
    versions: Mapping[str, str] = Field(default_factory=dict)
