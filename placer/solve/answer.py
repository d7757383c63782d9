"""An answer in the making: what stands where, what each goal counts, and what is free, kept up to date with every
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from placer.judge.check import broken, scores, worse
from placer.solve.figures import figures_of
from placer.warm.columns import Columns
from placer_models.goals.goal import Goal
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand


class Answer:
    """An answer in the making: the stands of VMs that start or move, in the order in which they start on each host."""

    def __init__(self, before: Scene, rules: Sequence[Rule], goals: Sequence[Goal]) -> None:
        self.before, self._rules, self._goals = before, rules, goals
        self.scene = before.copy()
        self.stands: dict[str, Stand] = {}
        self.watched = [rule for rule in rules if rule.exact and not rule.soft]
        self._broken = broken(before, self.watched)
        self._figures = self._first_figures = figures_of(before, rules)
        self._stale: set[str] = set()
        self.scores = self._signed(scores(goals, before, self.scene, rules))

    def _signed(self, counted: Sequence[int]) -> list[int]:
        """Scores so that more is always better."""
        return [score if goal.sense == "most" else -score for goal, score in zip(self._goals, counted, strict=True)]

    @property
    def first_figures(self) -> Columns:
        """The figures of the scene before."""
        return self._first_figures

    @property
    def figures(self) -> Columns:
        """The figures of the scene as it is."""
        if self._stale and self._figures is self._first_figures:
            self._figures = self._first_figures.copy(self.scene)
        for host in sorted(self._stale):
            self._figures.refresh(host)
        self._stale.clear()
        return self._figures

    def counted(self) -> list[int]:
        """The goals' scores as they are told."""
        return [score if goal.sense == "most" else -score for goal, score in zip(self._goals, self.scores, strict=True)]

    def waiting(self) -> list[str]:
        """The requests that stay off."""
        return [name for name in self.before.cluster.asked if name not in self.stands]

    def change(self, away: Iterable[str], stands: Iterable[Stand]) -> bool:
        """Take some VMs back to where they were, and let others stand so; undone unless the scores get better
        and the rules that boards do not hold are kept."""
        old, away, stands = dict(self.stands), list(away), list(stands)
        names = dict.fromkeys((*away, *(stand.vm for stand in stands)))
        hosts = dict.fromkeys(stand.host for name in names for stand in (*self.before.of(name), *self.scene.of(name)))
        hosts.update((stand.host, None) for stand in stands)
        parts = self._parts(hosts)
        for name in away:
            self._drop(name)
        for stand in stands:
            self._put(stand)
        counted = self._counted_again(hosts, parts)
        if counted > self.scores and not worse(self.watched, self._broken, broken(self.scene, self.watched)):
            self.scores = counted
            return True
        for name in [name for name in self.stands if old.get(name) != self.stands[name]]:
            self._drop(name)
        for name, stand in old.items():
            if name not in self.stands:
                self._put(stand)
        self.stands = {name: self.stands[name] for name in old}
        return False

    def _parts(self, hosts: Iterable[str]) -> list[int | None]:
        """What these hosts add to each goal's score; None where it is no sum over hosts."""
        found: list[int | None] = []
        for goal in self._goals:
            parts = [goal.on_host(self.before, self.scene, host) for host in hosts]
            known = [part for part in parts if part is not None]
            found.append(sum(known) if len(known) == len(parts) else None)
        return found

    def _counted_again(self, hosts: Iterable[str], parts: Sequence[int | None]) -> list[int]:
        """The scores after a change on these hosts, which added so much before it; once it is known to be for the
        worse, the further ones are not looked at.
        """
        known, found = self.counted(), []
        for goal, score, was, now in zip(self._goals, known, parts, self._parts(hosts), strict=True):
            if was is None or now is None:
                found.append(goal.score(self.before, self.scene, self._rules))
            else:
                found.append(score + now - was)
            if self._signed([*found, *known[len(found) :]]) < self.scores:
                found.extend(known[len(found) :])
                break
        return self._signed(found)

    def _put(self, stand: Stand) -> None:
        for was in self.scene.of(stand.vm):
            self.away(was)
        self.back(stand)
        self.stands[stand.vm] = stand

    def _drop(self, name: str) -> None:
        self.away(self.stands.pop(name))
        for was in self.before.of(name):
            self.back(was)

    def away(self, stand: Stand) -> None:
        """Take a stand out of the scene."""
        self.scene.remove(stand)
        self._stale.add(stand.host)

    def back(self, stand: Stand) -> None:
        """Put a stand into the scene."""
        self.scene.put(stand)
        self._stale.add(stand.host)
