"""What nobody beats however many moves there are: whoever may move is asked for anew, beside those who wait.

That forgets who stands where, so hosts that differ only by what stands on them are alike again: columns say what they
can hold at most, all who run being among it. Where hosts are not alike even then they are merged (and then who runs
need not be among it, which says less). The prices of VMs in that relaxation are good ones for few moves, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from placer.judge.check import broken
from placer.solve.alike import Alike
from placer.solve.board import TooLarge
from placer.solve.budget import Budget
from placer.solve.figures import figures_of
from placer.solve.master import Floor
from placer.solve.merged import Merged
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer_models.scene import Scene, Stand


@dataclass(frozen=True)
class Anew:
    """A bound of the first goal (None: not known), and what a place for a VM is worth, about: by the VM's name, of each
    kind that counts at least one, or none at all.
    """

    bound: int | None = None
    prices: Mapping[str, float] = field(default_factory=dict)


def dealt_anew(question: Question, survey: Survey, budget: Budget) -> Anew:
    """The first goal as if all who may move had yet to be started. Nothing is known where a rule is broken already, as
    nobody could stand so.
    """
    hosts = question.cluster.hosts
    here = [stand for stand in question.scene.stands() if stand.vm in question.movable]
    here = [stand for stand in here if hosts[stand.host].state == "up"]
    if any(broken(question.scene, question.rules)) or not question.cluster.asked:
        return Anew()
    anew = _emptied(question, here)
    alike = Alike.of(anew, budget)
    if alike is None:
        return _merged(anew, question, survey, budget)
    if not alike.values:
        return Anew()
    columns, values = alike.columns, alike.values[0]
    columns.take(here)
    run = columns.counted(stand.vm for stand in here)
    prices, bound = columns.generate(values, [Floor({number: 1}, count) for number, count in run.items()])
    return Anew(
        None if bound is None else bound - sum(values.get(number, 0) * count for number, count in run.items()),
        {} if prices is None else {one[0]: price for one, price in zip(columns.waiting, prices.vms, strict=True)},
    )


def _emptied(question: Question, here: list[Stand]) -> Question:
    """The question for a cluster in which these VMs wait, too, of the least priority."""
    cluster, least = question.cluster, min(question.cluster.asked.values())
    asked = {**{stand.vm: least for stand in here}, **cluster.asked}
    scene = Scene(replace(cluster, asked=asked), question.scene.stands())
    for stand in here:
        scene.remove(stand)
    return replace(question, scene=scene, movable=())


def _merged(anew: Question, question: Question, survey: Survey, budget: Budget) -> Anew:
    """The same by merging hosts."""
    goal = question.goals[0]
    if goal.sense != "most":
        return Anew()
    figures = figures_of(anew.scene, anew.rules)
    try:
        merged = Merged(replace(anew, goals=[goal]), survey, budget, figures)
    except TooLarge:
        return Anew()
    bound, prices = merged.bound(0, []), merged.prices([1.0])
    running = Scene(anew.cluster, question.scene.stands())
    return Anew(
        None if bound is None else bound - goal.score(anew.scene, running, anew.rules),
        {} if prices is None else {name: price for name, (_, price) in prices.items()},
    )
