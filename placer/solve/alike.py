"""Clusters in which many hosts are alike: columns as a start, and as a bound."""

from __future__ import annotations

from dataclasses import dataclass

from placer.memory import affordable
from placer.solve.budget import Budget
from placer.solve.columns import Columns, Setting
from placer.solve.improve import Improver
from placer.solve.known import Known
from placer.solve.master import Floor, Values
from placer.solve.merged import Merged
from placer.solve.question import Question
from placer.solve.rounding import rounded
from placer.solve.steady import Asked, Steady
from placer.solve.survey import Survey, tying

MOST_GROUPS = 64
"""Groups of hosts for which columns are generated at most."""


@dataclass(frozen=True)
class Alike:
    """Column generation for a question; where VMs are `tied` to each other across hosts, it only bounds."""

    columns: Columns
    values: list[Values]
    """What VMs count for in the first goals: as far as these count VMs placed."""
    tied: bool

    @classmethod
    def of(cls, question: Question, budget: Budget) -> Alike | None:
        """For a question, where there are groups of hosts that are alike: with the rules that look at one host at a
        time, and the VMs that no other rule names.
        """
        scene, cluster, goals, search = question.scene, question.cluster, question.goals, question.search
        asked = cluster.asked
        hard = [rule for rule in question.rules if not rule.soft]
        local = [rule for rule in hard if rule.by_host]
        survey = Survey(cluster, local, goals)
        open_ = [host.name for host in cluster.hosts.values() if host.state == "up"]
        groups = survey.alike(scene, open_)
        if not open_ or len(groups) > MOST_GROUPS or 2 * len(groups) > len(open_):
            return None
        waiting = survey.waiting(asked, list(asked))
        pairs = len(groups) * len(waiting)
        if affordable(search.memory_limit_mib, pairs) < pairs:
            return None
        tied = tying(hard, [cluster.vms[name] for name in asked])
        columns = Columns(Setting(scene, survey, local, goals, asked, budget, search.workers), waiting, groups)
        values: list[Values] = []
        for number, goal in enumerate(goals):
            found = columns.values(number) if goal.sense == "most" else None
            if found is None:
                break
            values.append(found)
        return cls(columns, values, bool(tied))

    def choose(self, known: Known, improver: Improver, merged: Merged | None = None) -> None:
        """Choose columns for the first goal that the first answers leave open; bounds up to it. What is `merged` says
        what VMs are worth in the first goal, about.
        """
        floors: list[Floor] = []
        for number, values in enumerate(self.values):
            steady = None if merged is None or floors else self._steady(merged, known.bounds[number])
            prices, bound = self.columns.generate(values, floors, steady)
            known.keep(number, bound)
            if prices is not None and not self.tied and known.open(number):
                improver.adopt(list(known.answer.stands), rounded(self.columns, values, floors, prices))
                improver.fill()
            if known.open(number) or self.columns.budget.over():
                return
            self.columns.take(known.answer.stands.values())
            floors.append(Floor(values, known.answer.counted()[number]))

    def _steady(self, merged: Merged, bound: int | None) -> Steady | None:
        """The prices of the merged relaxation for the first goal, at which this bound was proven."""
        found = None if bound is None else merged.prices([1.0])
        if found is None or bound is None:
            return None
        worth = (found.get(names[0], (0.0, 0.0)) for names in self.columns.waiting)
        return Steady(Asked(tuple(brings - price for brings, price in worth)), bound)

    def bound(self, known: Known) -> None:
        """Bounds of the further goals, given the scores of those before."""
        floors: list[Floor] = []
        self.columns.take(known.answer.stands.values())
        for number, values in enumerate(self.values):
            if self.columns.budget.over():
                return
            if known.open(number) and floors:
                known.bounds[number] = self.columns.generate(values, floors)[1]
            floors.append(Floor(values, known.answer.counted()[number]))
