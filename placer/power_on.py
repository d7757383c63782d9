"""Power-on: pending requests -> placements, judged before they leave."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from placer.called import check_call
from placer.closing import closing
from placer.disagreement import Disagreement
from placer.judge.check import broken, scores
from placer.judge.obstacles import Explainer
from placer.judge.replay import Replay
from placer.legs import in_sequence
from placer.limit import Limit
from placer.progress import Progress
from placer.spending import Spending
from placer.steps import placed_gpus
from placer.waits import Order, in_order
from placer_models.decision import Decision, shipped_decision
from placer_models.goals.goal import Goal
from placer_models.gpus_use import POSITIONAL
from placer_models.moving import immovable
from placer_models.plan import Breach, Move, Placed, Placements
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.snapshot import Snapshot
from placer_models.words import few

if TYPE_CHECKING:
    from placer.solve.question import Question
    from placer.solve.run import Outcome

MOST_DETOURS = 8
"""How many unreachable sets of targets are forbidden, one after the other, before moves are given up."""


def place(
    snapshot: Snapshot,
    decision: Decision | None = None,
    *,
    moves: int = 0,
    progress: Progress | None = None,
    since: float | None = None,
    spending: Spending | None = None,
) -> Placements:
    """Answer a snapshot's power-on requests.

    `decision` (default: the shipped `power_on`) names rules, goals, time limit in seconds and seed; `moves` is how
    many running VMs may be live-migrated to make room. The time counts from `since` (of `time.monotonic`; default:
    now), judging and explaining included. Ctrl-C (in the main thread) ends the search, and the best answer so far is
    returned. `spending` is told where the time goes.

    The answer is judged before it is returned; Disagreement is raised where the judge refuses it (a bug).
    """
    check_call(snapshot, decision, moves)
    decision = decision or shipped_decision("power_on")
    with Limit(decision.search.time_limit_seconds, since) as limit:
        return _placed(snapshot, decision, moves, progress, limit, spending or Spending())


def _placed(
    snapshot: Snapshot, decision: Decision, moves: int, progress: Progress | None, limit: Limit, spending: Spending
) -> Placements:
    cluster = snapshot.content
    rules, goals = decision.rules_of(snapshot.rules), decision.goals_of(cluster)
    with spending.part("looking"), limit.look:
        before = Scene.now(cluster)
        now = broken(before, rules)
    from placer.solve.question import Question  # here, because ortools takes most of a second to load

    standing = sum(1 for _ in before.stands())

    def kept(started: Collection[str]) -> float:
        off = {tuple(rule.vm_key(cluster.vms[vm]) for rule in rules) for vm in cluster.asked if vm not in started}
        return limit.kept(len(off), len(cluster.hosts), standing)

    question = Question(
        before,
        rules,
        goals,
        decision.search,
        limit.deadline,
        kept=kept,
        movable=_movable(before, rules) if moves else frozenset(),
        most_moves=moves,
        progress=progress,
        spending=spending,
    )
    outcome, order = _search(question, limit)
    if spending.cut and outcome.stopped != "interrupted":
        outcome = replace(outcome, stopped="time limit")  # if only of some part
    if limit.interrupted and outcome.stopped == "time limit":
        outcome = replace(outcome, stopped="interrupted")
    answer = _answer(snapshot, decision, before, now, order, outcome, spending.work)
    with spending.part("judging"):
        replay = Replay(cluster, rules, answer)
        counted = scores(goals, before, replay.scene, rules)
        faults = [*replay.faults, *_differences(outcome, counted)]
        if faults:
            raise Disagreement(faults)
    with spending.part("reasons"):
        return _scored(answer, goals, counted, outcome, Explainer(replay.scene, rules, before), limit)


def _search(question: Question, limit: Limit) -> tuple[Outcome, Order]:
    """Targets that an order reaches: a set of moves that none does is forbidden, and the search goes on."""
    from placer.solve.guarded import solve

    before, rules = question.scene, question.rules
    forbidden: list[list[Stand]] = []
    free: Outcome | None = None
    while True:
        outcome = solve(replace(question, deadline=limit.deadline, forbidden=forbidden))
        free = free or outcome
        targets = [stand for stand in outcome.stands if before.of(stand.vm)]
        starts = [stand for stand in outcome.stands if not before.of(stand.vm)]
        order = in_order(before, rules, targets, starts)
        if order.stuck and outcome.moves:
            order = in_sequence(before, rules, outcome.moves, starts)
        if not order.stuck:
            return _bounded(outcome, free), order
        forbidden.append(order.stuck)
        if len(forbidden) > MOST_DETOURS:
            question, forbidden = replace(question, movable=frozenset()), [[]]


def _bounded(outcome: Outcome, free: Outcome) -> Outcome:
    """The outcome of a search that forbids targets, with the bounds of the one that forbids none.

    What was forbidden could be reached by a detour, so only the free search's bounds hold; and one of those holds as
    long as the goals before it came out no other than there.
    """
    if outcome is free:
        return outcome
    tiers, alike = [], True
    for number, tier in enumerate(outcome.tiers):
        other = free.tiers[number] if alike and number < len(free.tiers) else None
        tiers.append(replace(tier, bound=None if other is None else other.bound))
        alike = other is not None and other.score == tier.score
    closed = all(tier.closed for tier in tiers)
    stopped = (
        outcome.stopped if closed or outcome.stopped != "proven" else "no order of moves reaches the better targets"
    )
    return replace(outcome, status="optimal" if closed else "feasible", tiers=tiers, stopped=stopped)


def _movable(scene: Scene, rules: Sequence[Rule]) -> frozenset[str]:
    vms = scene.cluster.vms
    return frozenset(
        stand.vm
        for stand in scene.stands()
        if immovable(scene.cluster, vms[stand.vm], stand) is None
        and not any(rule.pins(vms[stand.vm]) for rule in rules)
    )


def _answer(
    snapshot: Snapshot,
    decision: Decision,
    before: Scene,
    now: Sequence[list[Breach]],
    order: Order,
    outcome: Outcome,
    spent: Mapping[str, float],
) -> Placements:
    """The answer before it is judged."""
    cluster = snapshot.content
    starts = order.starts
    moves: list[Move] = []
    last: dict[str, Move] = {}  # of each VM until now: who is moved aside moves again
    for i, stand in enumerate(order.moves, 1):
        source = last[stand.vm].to if stand.vm in last else before.of(stand.vm)[0].host
        waits = [last[vm].id for vm in (stand.vm, *order.waits_for(stand.vm)) if vm in last]
        moves.append(
            Move(
                id=f"move-{i}",
                vm=stand.vm,
                from_=source,
                to=stand.host,
                gpus=placed_gpus(cluster, stand.host, stand.holds),
                waits_for=tuple(waits),
                why=_why(source, starts),
            )
        )
        last[stand.vm] = moves[-1]
    return Placements(
        status="feasible",
        placed=tuple(
            Placed(vm=stand.vm, host=stand.host, gpus=placed_gpus(cluster, stand.host, stand.holds)) for stand in starts
        ),
        moves=tuple(moves),
        broken_now=tuple(breach.said for breaches in now for breach in breaches),
        assumed=_assumed(cluster.platform.slot_choice, outcome.stands),
        stopped=outcome.stopped,
        seconds=round(outcome.seconds, 6),
        spent=spent,
        snapshot_sha256=snapshot.sha256,
        decision=decision.name,
        seed=decision.search.seed,
        versions={name: importlib.metadata.version(name) for name in ("gpu-placer", "ortools")},
    )


def _why(host: str, starts: Sequence[Stand]) -> str:
    coming = [stand.vm for stand in starts if stand.host == host]
    return f"makes room on {host}" + (f" for {few(coming)}" if coming else "")


def _assumed(choice: str, stands: Sequence[Stand]) -> tuple[str, ...]:
    """What the answer takes for granted about slots that the manager picks."""
    if not any(hold.sharing in POSITIONAL for stand in stands for hold in stand.holds):
        return ()
    if choice == "first-legal":
        return ("the manager puts each vGPU on its first legal slot, VMs started in the order of `placed`",)
    if choice == "worst-case":
        return ("whatever legal slot the manager picks, the VMs started in the order of `placed` all find one",)
    return ()


def _differences(outcome: Outcome, counted: Sequence[int]) -> list[str]:
    """Goals of which the judge counts less than the search claims."""
    return [
        f"goal {tier.goal.label}: the search claims {tier.score}, the judge counts {score}"
        for tier, score in zip(outcome.tiers, counted, strict=False)
        if (score < tier.score if tier.goal.sense == "most" else score > tier.score)
    ]


def _scored(
    answer: Placements,
    goals: Sequence[Goal],
    counted: Sequence[int],
    outcome: Outcome,
    explainer: Explainer,
    limit: Limit,
) -> Placements:
    """The answer with the judge's scores, the search's bounds, and a reason for every request that stays off."""
    bounds = [tier.bound for tier in outcome.tiers] + [None] * (len(goals) - len(outcome.tiers))
    labels = [goal.label for goal in goals]
    scores, known = dict(zip(labels, counted, strict=True)), dict(zip(labels, bounds, strict=True))
    started = {placed.vm for placed in answer.placed}
    off = [vm for vm in explainer.scene.cluster.asked if vm not in started]
    why = explainer.unplaced(off, proven=scores == known, stop=limit.over)
    return answer.model_copy(update={**closing(scores, known, outcome.status, answer.stopped), "unplaced": tuple(why)})
