"""Which way to search. A small cluster is one board, solved and proven; a large one is answered at once and then made
better: by columns where many hosts are alike, by neighbourhoods everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from placer.solve.board import CountBoard, TooLarge
from placer.solve.bound import relaxed
from placer.solve.budget import Budget
from placer.solve.columns import Columns
from placer.solve.improve import Answer, Improver
from placer.solve.master import Floor, Values
from placer.solve.run import Outcome, Progress, Tier, solve_board
from placer.solve.start import aligned, lopsided, tight
from placer.solve.survey import Survey, tying
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

MOST_UNKNOWNS = 50_000
"""Unknowns of a board that is solved whole at most: beyond it CP-SAT's presolve takes longer than people wait."""

FEW_UNKNOWNS = 15_000
"""Unknowns up to which the whole board is always the best way."""

MOST_GROUPS = 64
"""Groups of hosts for which columns are generated at most."""

ROUNDS, SHAKEN = 60, 6
"""Rounds of pricing at most, and of shaken prices."""

NODES, GAP = 20, 2e-4
"""Where the choice of whole columns ends: nodes of its search, or the gap that is left."""

PATIENCE = 15
"""Neighbourhoods in a row without a gain after which the search ends."""


def solve(
    scene: Scene,
    rules: Sequence[Rule],
    goals: Sequence[Goal],
    search: Search,
    deadline: float,
    *,
    movable: Collection[str] = (),
    most_moves: int = 0,
    forbidden: Sequence[Sequence[Stand]] = (),
    progress: Progress | None = None,
) -> Outcome:
    """The best stands that are found before `deadline` (of `time.monotonic`) for the VMs asked for, and for those
    that may move.

    There is always an answer: nothing started, everything as it is. Ctrl-C ends the search as the deadline does.
    """
    with Budget(deadline) as budget:
        survey = Survey(scene.cluster, rules, goals)
        groups = survey.alike(scene, list(scene.cluster.hosts))
        alike = not movable and 2 * len(groups) <= len(scene.cluster.hosts)
        try:
            board = CountBoard(
                scene,
                rules,
                goals,
                scene.cluster.asked,
                movable,
                survey=survey,
                most=FEW_UNKNOWNS if alike else MOST_UNKNOWNS,
            )
        except TooLarge:
            return _Large(scene, survey, rules, goals, search, budget, progress).search(
                () if forbidden else movable, most_moves
            )
        if movable:
            board.at_most(Moves().encode(board)[0], most_moves, eased=False)
        for stands in forbidden:
            board.forbid(stands)
        outcome = solve_board(board, goals, search, deadline, progress, budget=budget)
        if outcome.tiers:
            return outcome
        large = _Large(scene, survey, rules, goals, search, budget, progress)
        large.start()
        return large.outcome(outcome.stopped)


class _Large:
    """The search in a cluster that is too large for one board."""

    def __init__(
        self,
        scene: Scene,
        survey: Survey,
        rules: Sequence[Rule],
        goals: Sequence[Goal],
        search: Search,
        budget: Budget,
        progress: Progress | None,
    ) -> None:
        self.scene, self.survey, self.rules, self.goals = scene, survey, rules, goals
        self.settings, self.budget = search, budget
        self.cluster = scene.cluster
        self.answer = Answer(scene, rules, goals)
        self.improver = Improver(self.answer, survey, rules, goals, search, budget, progress)
        self.bounds: list[int | None] = [None] * len(goals)
        self.waiting = survey.waiting(self.cluster.asked, list(self.cluster.asked))

    def search(self, movable: Collection[str], moves: int) -> Outcome:
        """Everything."""
        columns = None if movable else self._columns()
        self.start(columns)
        values: Values | None = None
        if columns is not None:
            values = columns.values(0)
            if values is not None:
                self._choose(columns, values)
        elif not movable:  # the relaxation lets nobody move, so it bounds only what is done without
            self.bounds[0] = relaxed(self.scene, self.survey, self.rules, self.goals, self.budget)
        self.improver.run(self.bounds, patience=PATIENCE, movable=movable, moves=moves)
        if columns is not None and values is not None:
            self._bound_rest(columns, values)
        return self.outcome("")

    def outcome(self, stopped: str) -> Outcome:
        """What is known at the end."""
        tiers = [
            Tier(goal, score, bound)
            for goal, score, bound in zip(self.goals, self.answer.counted(), self.bounds, strict=True)
        ]
        proven = all(tier.closed for tier in tiers)
        ended = self.budget.why if self.budget.over() else "no neighbourhood of hosts could be improved"
        return Outcome(
            "optimal" if proven else "feasible",
            list(self.answer.stands.values()),
            tiers,
            "proven" if proven else stopped or ended,
            self.budget.work,
        )

    def start(self, columns: Columns | None = None) -> None:
        """The best of several first answers; their contents are the first columns."""
        big, light = self._by(self._size), self._by(self._milli)
        for order, fit in ((big, lopsided), (light, lopsided), (big, tight), (light, aligned)):
            if self.budget.over():
                return
            first = self.improver.first(order, fit)
            if columns is not None:
                columns.take(first)

    def _by(self, key: Callable[[str], tuple[float, ...]]) -> list[tuple[str, ...]]:
        """The groups of VMs that are alike, by priority, then by a key."""
        return sorted(self.waiting, key=lambda names: (-self.cluster.asked[names[0]], *key(names[0])))

    def _size(self, name: str) -> tuple[float, ...]:
        """Most GPU first, then most CPUs."""
        vm = self.cluster.vms[name]
        return -milli_of(self.cluster, vm), -vm.cpu_milli, -vm.memory_mib

    def _milli(self, name: str) -> tuple[float, ...]:
        """Most GPU first, then fewest CPUs."""
        vm = self.cluster.vms[name]
        return -milli_of(self.cluster, vm), vm.cpu_milli, vm.memory_mib

    def _columns(self) -> Columns | None:
        """Column generation, where there are groups of hosts that are alike: for the rules that look at one host at a
        time, and the VMs that no other rule names.
        """
        hard = [rule for rule in self.rules if not rule.soft]
        local = [rule for rule in hard if rule.by_host]
        survey = Survey(self.cluster, local, self.goals)
        open_ = [host.name for host in self.cluster.hosts.values() if host.state == "up"]
        groups = survey.alike(self.scene, open_)
        if not open_ or len(groups) > MOST_GROUPS or 2 * len(groups) > len(open_):
            return None
        waiting = survey.waiting(self.cluster.asked, list(self.cluster.asked))
        tied = tying(hard, [self.cluster.vms[name] for name in self.cluster.asked])
        self._tied = tied
        return Columns(self.scene, survey, local, self.goals, waiting, groups, self.budget, self.settings.workers)

    def _choose(self, columns: Columns, values: Values) -> None:
        prices, bound = columns.generate(values, rounds=ROUNDS, close=0.5)
        self.bounds[0] = bound
        if prices is None or self._tied:
            return
        columns.shake(prices, SHAKEN, self.settings.seed)
        self.improver.adopt(list(self.answer.stands), columns.choose(values, nodes=NODES, gap=GAP))
        self.improver.fill(self._by(self._size), tight)

    def _bound_rest(self, columns: Columns, values: Values) -> None:
        """Bounds of the goals after the first, given the scores of those before."""
        counted = self.answer.counted()
        floors: list[Floor] = []
        for number, goal in enumerate(self.goals):
            if goal.sense != "most":
                return
            worth = columns.values(number)
            if worth is None or self.budget.over():
                return
            if number:
                columns.take(self.answer.stands.values())
                _, self.bounds[number] = columns.generate(worth, floors, rounds=ROUNDS, close=0.5)
            floors.append(Floor(worth, counted[number]))
