"""Asks every rule on a scene, and recounts every goal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from placer_models.goals.goal import Goal
from placer_models.plan import Breach
from placer_models.rules.rule import Rule
from placer_models.scene import Scene


def broken(scene: Scene, rules: Sequence[Rule], hosts: Collection[str] | None = None) -> list[list[Breach]]:
    """The breaches of each rule in a scene (on these hosts only, where given)."""
    return [list(rule.check(scene, hosts)) for rule in rules]


def worse(rules: Sequence[Rule], before: list[list[Breach]], after: list[list[Breach]]) -> list[Breach]:
    """The breaches of rules that must hold which are new, or larger than they were: what no answer may cause."""
    found: list[Breach] = []
    for rule, was, now in zip(rules, before, after, strict=True):
        if rule.soft:
            continue
        amounts = {breach.subject: breach.amount for breach in was}
        found.extend(breach for breach in now if breach.amount > amounts.get(breach.subject, 0))
    return found


def larger(some: Sequence[Breach], others: Sequence[Breach]) -> list[Breach]:
    """Of the breaches of one rule in two scenes the larger one of each subject."""
    found = {breach.subject: breach for breach in sorted((*some, *others), key=lambda breach: breach.amount)}
    return list(found.values())


def scores(goals: Sequence[Goal], before: Scene, after: Scene, rules: Sequence[Rule]) -> list[int]:
    """Each goal's score, counted afresh."""
    return [goal.score(before, after, rules) for goal in goals]
