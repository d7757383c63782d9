"""Rounds that overlap: the next hosts are left while others are still cared for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer.rounds.care import Care
from placer.solve.motion import Timed
from placer_models.scene import Scene

Key = tuple[str, int]
"""Of an action: its VM, and its leg."""


@dataclass(frozen=True)
class Flow:
    """What is under way when a round begins, `at` so many seconds; all other times count from then on.

    `scene` is who stands where, `timed` what goes on, or is still to come, of the rounds before; what is `begun` is
    told with what is left of it, and starts at once. `shut` says when hosts that are cared for can be had again (also
    of those that can be by now), `legs` how many steps each VM has had.
    """

    at: int
    scene: Scene
    timed: Sequence[Timed] = ()
    begun: frozenset[Key] = frozenset()
    shut: Mapping[str, int] = field(default_factory=dict)
    legs: Mapping[str, int] = field(default_factory=dict)

    @property
    def overlaps(self) -> bool:
        """Whether anything is still under way."""
        return bool(self.timed) or any(until > 0 for until in self.shut.values())

    def from_then(self, seconds: int, timed: Iterable[Timed], shut: Mapping[str, int], legs: Mapping[str, int]) -> Flow:
        """So many seconds later, after all these steps (in the order in which they start)."""
        scene, left, begun = self.scene.copy(), list[Timed](), set(self.begun)
        for one in timed:
            if one.end <= seconds:
                pass_by(scene, one)
                continue
            start = max(one.start, seconds)
            if one.start < seconds:
                begun.add(one.action.key)
            action = replace(one.action, seconds=one.end - start)
            left.append(Timed(action, start - seconds, one.end - seconds, one.waits_for))
        later = {host: until - seconds for host, until in shut.items()}
        begun &= {one.action.key for one in left}
        return Flow(self.at + seconds, scene, left, frozenset(begun), later, legs)

    def hours(self, care: Care, empty: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """From when until when each host is cared for that is empty then: one after the other where they have an order,
        and no more at once than may be.
        """
        hosts = care.hosts if care.in_order else sorted(care.hosts, key=lambda host: empty.get(host, 0))
        ends, found, last = sorted(self.shut.values()), dict[str, tuple[int, int]](), 0
        for host in hosts:
            enter = max(empty.get(host, 0), last if care.in_order else 0)
            if care.at_once is not None and len(ends) >= care.at_once:
                enter = max(enter, ends[-care.at_once])
            if care.in_order:
                last = enter
            ends = sorted([*ends, enter + care.seconds])
            found[host] = enter, enter + care.seconds
        return {host: found[host] for host in care.hosts}


def pass_by(scene: Scene, one: Timed) -> None:
    """Let a step have ended."""
    if one.action.source is not None:
        scene.remove(one.action.source)
    if one.action.to is not None:
        scene.put(one.action.to)


def shifted(one: Timed, seconds: int) -> Timed:
    """The same step so much later."""
    return replace(one, start=one.start + seconds, end=one.end + seconds)
