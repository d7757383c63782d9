"""Neighbourhoods side by side: they better an answer, never twice with the same VM, and the same every time."""

from __future__ import annotations

import time
from random import Random

import pytest

from bench.clusters import synthetic
from placer.judge.check import broken, scores, worse
from placer.solve.answer import Answer
from placer.solve.budget import Budget
from placer.solve.engine import _Large
from placer.solve.figures import figures_of, free, most_alone, roomy
from placer.solve.improve import Improver
from placer.solve.patch import Turns
from placer.solve.question import Question
from placer.solve.survey import Survey
from placer_models.decision import shipped_decision
from placer_models.scene import Hold, Scene, Stand
from placer_models.seating import stand_on
from placer_models.snapshot import Snapshot
from tests.placer.solve.small import gpu_hosts, shares, snapshot

DECISION = shipped_decision("gpu_allocation")


def improver(made: Snapshot, kind: str = "gpu_allocation") -> Improver:
    cluster, decision = made.content, shipped_decision(kind)
    rules, goals = decision.rules_of(made.rules), decision.goals_of(cluster)
    answer = Answer(Scene.now(cluster), rules, goals)
    budget = Budget(time.monotonic() + 60)
    return Improver(answer, Survey(cluster, rules, goals), rules, goals, decision.search, budget)


@pytest.mark.parametrize("kind", ["over-subscribed", "ruled"])
def test_sweeps_better_an_answer_within_the_rules_and_do_so_again(kind: str) -> None:
    made = Snapshot.of(synthetic(6, 70, 1, kind))
    found = []
    for _ in range(2):
        one = improver(made)
        one.sweep(0, None, patience=2)
        answer = one.answer
        assert answer.scores[0] > 0
        rules = DECISION.rules_of(made.rules)
        assert worse(rules, broken(answer.before, rules), broken(answer.scene, rules)) == []
        goals = DECISION.goals_of(made.content)
        assert answer.counted() == scores(goals, answer.before, answer.scene, rules)
        found.append(answer.stands)
    assert found[0] == found[1]


def test_an_answer_that_is_not_better_leaves_everything_as_it_was() -> None:
    one = improver(snapshot(gpu_hosts(2), shares(600, 500)))
    one.sweep(0, None, patience=2)
    answer = one.answer
    stands, counted = dict(answer.stands), answer.counted()
    assert not answer.change(list(stands), [next(iter(stands.values()))])
    assert (answer.stands, answer.counted()) == (stands, counted)
    whole = figures_of(answer.scene, DECISION.rules_of(()))
    numbers = whole.up.nonzero()[0]
    assert (free(answer.figures, numbers) == free(whole, numbers)).all()


def test_an_answer_is_completed_by_who_has_room_beside_it() -> None:
    one = improver(snapshot(gpu_hosts(2, 1), shares(600, 500, 700)))
    first, second, third = (
        Stand(f"vm{i}-{m}", host, (Hold(gpu="0", sharing="fraction", milli=m),))
        for i, m, host in ((0, 600, "h0"), (1, 500, "h0"), (2, 700, "h1"))
    )
    whole = one.completed([first], [Stand(first.vm, "h1", first.holds), second, third])
    assert [(stand.vm, stand.host) for stand in whole] == [(first.vm, "h0"), (third.vm, "h1")]


def test_turns_go_through_all_hosts_and_never_mix_models_of_gpus() -> None:
    made = Snapshot.of(synthetic(40, 40, 1, "loaded")).content
    turns = Turns(made, list(made.hosts), Random(1))
    seen: list[str] = []
    while len(seen) < len(made.hosts):
        for sort, hosts in turns.next(2):
            assert all(frozenset(gpu.model for gpu in made.hosts[host].gpus) == sort for host in hosts)
            seen += hosts
    assert sorted(seen) == sorted(made.hosts)


@pytest.mark.parametrize("kind", ["loaded", "ruled", "diverse", "over-subscribed"])
def test_figures_never_bar_a_vm_from_a_host_that_has_room(kind: str) -> None:
    made = Snapshot.of(synthetic(8, 80, 2, kind))
    cluster = made.content
    scene, rules = Scene.now(cluster), DECISION.rules_of(made.rules)
    figures, before = figures_of(scene, rules), broken(scene, rules)
    numbers = figures.up.nonzero()[0]
    for name in list(cluster.asked)[:25]:
        vm = cluster.vms[name]
        left = set(roomy(figures, vm, numbers).tolist())
        most = dict(zip(numbers.tolist(), most_alone(figures, vm, numbers).tolist(), strict=True))
        for number in numbers.tolist():
            stand = stand_on(scene, vm, figures.hosts[number])
            if stand is None:
                continue
            with scene.trial(stand):
                if not worse(rules, before, broken(scene, rules)):
                    assert number in left
                    assert most[number] >= 1


def test_bounds_of_further_goals_are_had_though_the_first_is_open() -> None:
    made = Snapshot.of(synthetic(4, 60, 1, "over-subscribed"))
    cluster = made.content
    rules, goals = DECISION.rules_of(made.rules), DECISION.goals_of(cluster)
    with Budget(time.monotonic() + 60) as budget:
        question = Question(Scene.now(cluster), rules, goals, DECISION.search, budget.deadline)
        large = _Large(question, Survey(cluster, rules, goals), budget)
        large.start(bounded=True)
        outcome = large.search(())
    for tier in outcome.tiers:
        assert tier.bound is not None
        assert tier.bound >= tier.score
