"""What a night takes over that is planned from its midst on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from placer_models.scene import Stand

if TYPE_CHECKING:
    from placer.solve.target import Way


@dataclass
class Carried:
    """The hours before: `homes` are the hosts on which VMs ran when the night began, of those that stand elsewhere now
    or nowhere; `seats` how each stood there, where that is known. `away` says how those came away that stand nowhere,
    and `last` where they stood then.

    Nobody comes to the hosts in `taken`, which are free already. `refused` are the kinds of steps that are not tried
    again with a VM, `failed` the hosts to which its migration failed. `excused` are VMs that cannot be back when they
    are due, with the reason. Who was due before is to be back in `soon` seconds; `back_by` are the times, in seconds,
    by which VMs were to be back by an earlier plan.
    """

    homes: Mapping[str, str] = field(default_factory=dict)
    seats: Mapping[str, Stand] = field(default_factory=dict)
    away: Mapping[str, Way] = field(default_factory=dict)
    last: Mapping[str, Stand] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    refused: dict[str, frozenset[str]] = field(default_factory=dict)
    failed: dict[str, frozenset[str]] = field(default_factory=dict)
    excused: dict[str, str] = field(default_factory=dict)
    soon: int = 0
    back_by: Mapping[str, int] = field(default_factory=dict)

    def belongs(self, host: str) -> list[str]:
        """The VMs that are to come back to a host."""
        return [vm for vm, home in self.homes.items() if home == host and vm not in self.excused]
