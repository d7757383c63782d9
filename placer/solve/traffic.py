"""What may be under way at once: migrations on hosts, links and in the cluster, and states in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from placer_models.cluster import Cluster
from placer_models.night import Limits, LinkLimit
from placer_models.scene import Stand

Kind = Literal["migrate", "suspend", "resume", "power-off", "power-on"]
Key = tuple[str, str]
"""What is used: ("host", its name), ("cluster", ""), (a link's label, its value)."""

CLUSTER: Key = ("cluster", "")
STORE: Key = ("store", "")
UNDONE: dict[Kind, Kind] = {
    "migrate": "migrate",
    "suspend": "resume",
    "resume": "suspend",
    "power-off": "power-on",
    "power-on": "power-off",
}
"""What brings a VM back from where each kind of step took it."""


@dataclass(frozen=True)
class Action:
    """One thing done to a VM: it is taken off `source`, or comes to `to`, or both (a migration). `seconds` is how long
    it takes. A VM's actions are numbered by `leg` where it has several, one after the other. `aside`: for whose sake
    it steps aside (their names), where it does.
    """

    vm: str
    kind: Kind
    seconds: int
    source: Stand | None
    to: Stand | None = None
    stun_seconds: float = 0.0
    state_mib: int = 0
    leg: int = 0
    aside: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all others of a schedule."""
        return self.vm, self.leg

    def undone(self, seconds: int | None = None) -> Action:
        """The action that takes the VM back; it may take another time."""
        return replace(
            self,
            kind=UNDONE[self.kind],
            seconds=self.seconds if seconds is None else seconds,
            source=self.to,
            to=self.source,
        )


class Traffic:
    """What a night's limits bear at once of which key, and what each action uses of it."""

    def __init__(self, cluster: Cluster, limits: Limits) -> None:
        self._hosts, self._limits = cluster.hosts, limits
        self._at: dict[Key, int] = defaultdict(int)
        self._links: dict[str, int] = {}
        for link in limits.links:
            most = bears(link, limits)
            self._links[link.label] = min(most, self._links.get(link.label, most))

    def uses(self, action: Action) -> list[tuple[Key, int]]:
        """The keys of which a migration uses one from its start to its end, and what each bears."""
        if action.source is None or action.to is None:
            return []
        limits, ends = self._limits, (action.source.host, action.to.host)
        uses: list[tuple[Key, int]] = [(("host", host), limits.moves_at_once_per_host) for host in ends]
        if limits.moves_at_once is not None:
            uses.append((CLUSTER, limits.moves_at_once))
        for label, most in self._links.items():
            values = [self._hosts[host].labels.get(label) for host in ends]
            if values[0] != values[1]:
                uses += [((label, value), most) for value in values if value is not None]
        return uses

    def full(self, action: Action) -> Key | None:
        """What bears no such action now; None: it may start."""
        for key, most in self.uses(action):
            if self._at[key] >= most:
                return key
        if action.kind == "suspend" and self._limits.store_mib is not None:
            return STORE if self._at[STORE] + action.state_mib > self._limits.store_mib else None
        return None

    def start(self, action: Action) -> None:
        """An action starts."""
        for key, _ in self.uses(action):
            self._at[key] += 1
        if action.kind == "suspend":
            self._at[STORE] += action.state_mib

    def end(self, action: Action) -> Iterator[Key]:
        """An action ends: what it leaves to others."""
        for key, _ in self.uses(action):
            self._at[key] -= 1
            yield key
        if action.kind == "resume":
            self._at[STORE] -= action.state_mib
            yield STORE

    def store_left(self) -> int | None:
        """How much more the store takes (None: as much as you like)."""
        most = self._limits.store_mib
        return None if most is None else most - self._at[STORE]


def bears(link: LinkLimit, limits: Limits) -> int:
    """How many migrations a link bears at once."""
    most = [10**9]
    if link.moves_at_once is not None:
        most.append(link.moves_at_once)
    if link.mib_per_second is not None:
        most.append(int(link.mib_per_second / limits.mib_per_second + 1e-9))
    return min(most)
