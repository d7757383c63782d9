"""What a session answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from placer_models.cluster import Vm
from placer_models.plan import Move, Placed, Unplaced
from placer_models.scene import Stand


class StaleProposal(Exception):
    """The cluster has changed since the proposal was made. Nothing was done: propose again."""


@dataclass(frozen=True)
class Proposal:
    """Where VMs would be started, and which would be moved to make room; for one `version` of a session's cluster.

    `placed`, `moves`, `unplaced` and `score` are those of `placer.placements/1`; `why` says for each placed VM, in the
    operator's words, why there. `status` is "optimal" where nothing better exists.
    """

    version: int
    placed: tuple[Placed, ...] = ()
    moves: tuple[Move, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    score: Mapping[str, int] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    status: str = "optimal"
    _made: Made | None = field(default=None, repr=False, compare=False)

    @property
    def host(self) -> str | None:
        """The host of the first VM that would be started; None: none would be."""
        return self.placed[0].host if self.placed else None


@dataclass(frozen=True)
class Made:
    """What is carried out where a proposal is committed, `by` the session that made it."""

    by: object
    moves: tuple[Stand, ...]
    starts: tuple[tuple[Vm, Stand], ...]


@dataclass(frozen=True)
class Ranking:
    """The hosts on which a VM could be started in one `version` of a session's cluster: groups of equal ones, the best
    first; and why each of the others is `refused`.
    """

    version: int
    hosts: tuple[tuple[str, ...], ...]
    refused: Mapping[str, str]
