"""Large nights: the hosts are dealt out to blocks, each a board of its own while the others stand still.

Every block has hosts of every kind, busy ones and idle ones, and its part of what the night may spend and of the jobs,
so that the best of each block is nearly the best of all. VMs leave only hosts that are emptied: what one block does is
in no other's way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from placer.memory import affordable
from placer.solve.board import TooLarge
from placer.solve.budget import Budget
from placer.solve.by_hand import by_hand
from placer.solve.dive import FEW_UNKNOWNS
from placer.solve.night_board import NightBoard
from placer.solve.run import solve_board
from placer.solve.survey import Survey
from placer.solve.target import NightAsk, NightQuestion, Target
from placer_models.scene import Scene

HOSTS = 25
"""Hosts of a block: so many are solved to the proof in seconds."""

WORK = 0.5
"""Deterministic seconds that one goal of one block takes at most."""

MOST_UNKNOWNS = 20_000
"""Unknowns of a block's board at most."""


def in_blocks(question: NightQuestion, budget: Budget) -> Target:
    """A target in which VMs leave only hosts that are emptied, block by block. Blocks for which no time is left stay as
    they are; those whose board is too large for the memory that there is are emptied by hand.
    """
    scene, rules, goals, search = question.scene.copy(), question.rules, question.goals, question.search
    survey = Survey(scene.cluster, rules, ())
    blocks = dealt(scene, survey)
    asks = parted(question.ask, blocks)
    whole, left = Target(), 0
    for number, (block, part) in enumerate(zip(blocks, asks, strict=True)):
        if budget.over():
            break
        if part.most_freed is not None:  # what others could not free
            part = replace(part, most_freed=part.most_freed + left)
        mine = replace(question, scene=scene, ask=part)
        most = affordable(search.memory_limit_mib, MOST_UNKNOWNS)
        try:
            board = NightBoard(scene, rules, part, block, survey=survey, most=most)
        except TooLarge:
            target = by_hand(mine, block, budget)
        else:
            board.aims = [board.aim(goal.kind) for goal in goals]
            with budget.share(1 / (len(blocks) - number)):
                target = Target()
                if len(board.model.proto.variables) > FEW_UNKNOWNS:  # too many to be sure of more than by hand
                    target = by_hand(mine, block, budget)
                    board.hint_target(target)
                solve_board(board, goals, search, 0.0, budget=budget, work=WORK, lns=False)
            target = max(board.target, target, key=mine.scores)
        left = (part.most_freed or 0) - len(target.emptied)
        _carry_out(scene, target)
        whole = whole.with_(target)
    return whole


def dealt(scene: Scene, survey: Survey) -> list[frozenset[str]]:
    """The hosts in blocks: those of a kind are dealt out by how much stands on them."""

    def rank(host: str) -> tuple[int, int, int, str]:
        use = scene.use(host)
        return survey.host(host), use.gpu_vms_memory_mib + use.other_memory_mib, use.cpu_milli, host

    hosts = sorted(scene.cluster.hosts, key=rank)
    many = -(-len(hosts) // HOSTS)
    return [frozenset(hosts[number::many]) for number in range(many)]


def parted(ask: NightAsk, blocks: Sequence[frozenset[str]]) -> list[NightAsk]:
    """What each block is asked for: its part, by how many of its hosts may be emptied, of all that is limited, and its
    part of each job, by how many instances its hosts could do.
    """
    weights = [len(block & ask.may_free) for block in blocks]
    spots = [[spot for spot in ask.work.spots if spot.host in block] for block in blocks]
    jobs: dict[str, list[int]] = defaultdict(lambda: [0] * len(blocks))
    for number, some in enumerate(spots):
        for spot in some:
            jobs[spot.job][number] += spot.most
    instances = {job: shares(many, jobs[job]) for job, many in ask.work.instances.items()}
    limits = [
        [None] * len(blocks) if most is None else shares(most, weights)
        for most in (ask.most_freed, ask.most_moves, ask.store_mib)
    ]
    return [
        replace(
            ask,
            drain=True,
            may_free=ask.may_free & block,
            most_freed=limits[0][number],
            most_moves=limits[1][number],
            store_mib=limits[2][number],
            work=replace(
                ask.work, instances={job: parts[number] for job, parts in instances.items()}, spots=spots[number]
            ),
        )
        for number, block in enumerate(blocks)
    ]


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` shared out by weight, in whole numbers that add up to it (to nothing, where all weights are 0)."""
    total = max(1, sum(weights))
    upto = [whole * weight // total for weight in accumulate(weights)]
    return [upper - lower for lower, upper in zip([0, *upto], upto, strict=False)]


def _carry_out(scene: Scene, target: Target) -> None:
    """Let everybody stand where the target says."""
    for vm in (*(stand.vm for stand in target.stands), *target.away):
        scene.remove(scene.of(vm)[0])
    for stand in target.stands:
        scene.put(stand)
