"""Why a VM stands where it does, or stays off (`placer.explanation/1`), and why a plan does what it does
(`placer.plan-explanation/1`).
"""

from __future__ import annotations

from typing import Literal

from placer_models.cluster import Power
from placer_models.document import Document, Name
from placer_models.plan import PlacedGpu


class Elsewhere(Document):
    """Some hosts that a VM cannot stand on, all for the same reason: the first that the rule says there."""

    hosts: tuple[Name, ...]
    rule: str
    reason: str


class Explanation(Document):
    """What the rules say about one VM on every host, all other VMs staying as they are.

    `host` and `gpus` say where it stands (absent: nowhere). `could` are the hosts that would take it now (for one that
    stands: the other hosts), of which `could_migrate` can be reached by a live migration; `stays` is why it cannot be
    live-migrated at all. `elsewhere` has all other hosts, `breaks` what it breaks where it stands. `nearest` and
    `change` as in `placer.placements/1`.
    """

    format: Literal["placer.explanation/1"] = "placer.explanation/1"
    vm: Name
    power: Power
    asked: bool
    host: Name | None = None
    gpus: tuple[PlacedGpu, ...] = ()
    could: tuple[Name, ...] = ()
    could_migrate: tuple[Name, ...] = ()
    stays: str | None = None
    breaks: tuple[str, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    nearest: str | None = None
    change: str | None = None
    snapshot_sha256: str = ""
    decision: str = ""


class Answer(Document):
    """One question about a plan, and what speaks for the answer: a sentence each."""

    question: str
    because: tuple[str, ...] = ()


class PlanExplanation(Document):
    """What a plan does with a VM, a host or a job, and why. `change` is the least that would have to be otherwise for a
    host to be freed, where that is known.
    """

    format: Literal["placer.plan-explanation/1"] = "placer.plan-explanation/1"
    name: str
    kind: Literal["VM", "host", "job"]
    answers: tuple[Answer, ...] = ()
    change: str | None = None
    snapshot_sha256: str = ""
    decision: str = ""
