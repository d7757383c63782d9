"""Which way to search. A small cluster is one board, solved and proven; a large one is answered at once and then made
better: by columns where many hosts are alike, by neighbourhoods everywhere.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from placer.judge.check import broken
from placer.memory import affordable
from placer.solve.answer import Answer
from placer.solve.board import CountBoard, TooLarge
from placer.solve.bound import Relaxation
from placer.solve.budget import Budget
from placer.solve.columns import Columns, Setting
from placer.solve.exchange import Exchanger
from placer.solve.improve import Improver
from placer.solve.market import Market
from placer.solve.master import Floor, Values
from placer.solve.merged import Merged
from placer.solve.rounding import rounded
from placer.solve.run import Outcome, Progress, Tier, solve_board
from placer.solve.start import aligned, lopsided, tight
from placer.solve.survey import Survey, tying
from placer.spending import Spending
from placer_models.decision import Search
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import milli_of
from placer_models.goals.moves import Moves
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand

MOST_UNKNOWNS = 50_000
"""Unknowns of a board that is solved whole at most: beyond it CP-SAT's presolve takes longer than people wait."""

FEW_UNKNOWNS = 10_000
"""The same where many hosts are alike: columns do better there."""

TINY_UNKNOWNS = 2_000
"""Unknowns up to which the whole board may take all the time."""

SHARE = 0.6
"""The part of the time that one way of searching takes before the next has its turn."""

UNKNOWNS_PER_SECOND = 2_000
"""How fast a relaxation is sure to be built and solved."""

MOST_GROUPS = 64
"""Groups of hosts for which columns are generated at most."""

MANY_ASKED, FEW_STARTS = 5_000, 3
"""So many requests take fewer first answers: neighbourhoods do more with the time."""

FAR = 0.001
"""By what part of its bound a score is lower, at least, for hosts to choose at prices."""

SHARPER_SECONDS = 5.0
"""How long a bound in whole numbers may take."""

PATIENCE = 10
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
    kept: Callable[[Collection[str]], float] | None = None,
    spending: Spending | None = None,
) -> Outcome:
    """The best stands that are found before `deadline` (of `time.monotonic`) for the VMs asked for, and for those
    that may move.

    There is always an answer: nothing started, everything as it is. Ctrl-C ends the search as the deadline does. `kept`
    says how many seconds before the deadline it is to end if these VMs are started (the others want explaining);
    `spending` is told where the time goes.
    """
    with Budget(deadline, spending) as budget:
        part = budget.spending.part
        with part("first answers"):
            survey = Survey(scene.cluster, rules, goals)
            large = _Large(scene, survey, rules, goals, search, budget, progress)
            large.start(bounded=not movable and not forbidden)
        if kept is not None:
            budget.deadline -= kept(large.answer.stands)
        if large.closed(len(goals)):
            return large.outcome()
        if large.pairs(movable) <= large.affordable(few=large.alike and not movable):
            whole = _Boards(large, movable, most_moves, forbidden)
            with part("the whole board"):
                outcome = whole.solve()
            done = outcome.stopped == "proven" or (forbidden and outcome.tiers)
            if done and outcome.status == "optimal":
                return outcome
            large.take(outcome)
            if done and not large.beats(outcome):
                found = large.outcome()
                return found if found.status == "optimal" else replace(found, stopped=outcome.stopped)
        with part("neighbourhoods"):
            return large.search(() if forbidden else movable, most_moves)


def _plain(goals: Sequence[Goal]) -> int:
    """How many goals come before the first that looks at what is left of GPUs: boards without it are much smaller."""
    return next((number for number, goal in enumerate(goals) if goal.exact and number), len(goals))


class _Boards:
    """The cluster as one board: first for the goals that need no exact layouts, then for all."""

    def __init__(
        self, large: _Large, movable: Collection[str], most_moves: int, forbidden: Sequence[Sequence[Stand]]
    ) -> None:
        self._of, self._movable, self._most_moves, self._forbidden = large, movable, most_moves, forbidden

    def solve(self) -> Outcome:
        """What the boards say. Where they are not small, some time is left for other ways."""
        budget, goals = self._of.budget, self._of.goals
        end = budget.deadline
        if self._of.pairs(self._movable) > TINY_UNKNOWNS:
            budget.deadline -= (1 - SHARE) * budget.left
        plain, outcome = _plain(goals), Outcome("feasible")
        if self._of.closed(plain):  # the first answer is the best for these already
            known = self._of.outcome()
            outcome = replace(known, tiers=known.tiers[:plain])
        for number in dict.fromkeys((plain, len(goals))):
            if number <= len(outcome.tiers):
                continue
            found = self._solve(number, outcome)
            if found is None or len(found.tiers) <= len(outcome.tiers):
                break
            tiers = [*outcome.tiers, *found.tiers[len(outcome.tiers) :]]  # a narrow board knows no bounds, another may
            outcome = replace(found, tiers=tiers)
            if len(found.tiers) < number:
                break
        done = len(outcome.tiers) == len(goals)
        stopped = outcome.stopped if done else budget.why if budget.over() else "too many unknowns for one board"
        budget.deadline = end
        return replace(outcome, status=outcome.status if done else "feasible", stopped=stopped, seconds=budget.work)

    def _solve(self, number: int, before: Outcome) -> Outcome | None:
        of = self._of
        goals = of.goals[:number]
        try:
            board = CountBoard(
                of.scene,
                of.rules,
                goals,
                of.cluster.asked,
                self._movable,
                survey=of.survey,
                most=of.affordable(),
                figures=of.answer.first_figures,
            )
        except TooLarge:
            return None
        if self._movable:
            board.at_most(Moves().encode(board)[0], self._most_moves, eased=False)
        for stands in self._forbidden:
            board.forbid(stands)
        if before.tiers:
            board.hint(before.stands)
        return solve_board(board, goals, of.settings, 0.0, of.progress, budget=of.budget, held=before.tiers)


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
        self.cluster, self.progress = scene.cluster, progress
        self.answer = Answer(scene, rules, goals)
        self.improver = Improver(self.answer, survey, rules, goals, search, budget, progress)
        self.bounds: list[int | None] = [None] * len(goals)
        self.waiting = survey.waiting(self.cluster.asked, list(self.cluster.asked))
        self.groups = survey.alike(scene, [host.name for host in self.cluster.hosts.values() if host.state == "up"])
        self.merged: Merged | None = None
        self.boards: Sequence[Tier] = ()
        self.firsts: list[list[Stand]] = []
        self.moves: list[Stand] = []
        self._tied: list[Rule] = []
        self._bound_seconds = 0.0

    @property
    def alike(self) -> bool:
        """Whether most hosts have others like them."""
        return 2 * len(self.groups) <= sum(map(len, self.groups))

    def affordable(self, *, few: bool = False) -> int:
        """How many unknowns a board may have."""
        return affordable(self.settings.memory_limit_mib, FEW_UNKNOWNS if few else MOST_UNKNOWNS)

    def pairs(self, movable: Collection[str]) -> int:
        """How many pairs of a class of VMs and a host where it may be there are, about."""
        moving = len({self.survey.vm(name) for name in movable}) * sum(map(len, self.groups))
        kinds = Counter[int]()
        one: dict[int, str] = {}
        for hosts in self.groups:
            kind = self.survey.host(hosts[0])
            kinds[kind] += len(hosts)
            one[kind] = hosts[0]
        return moving + sum(
            count for names in self.waiting for kind, count in kinds.items() if self.survey.admits(names[0], one[kind])
        )

    def bounded(self) -> None:
        """Bounds of the goals that need no exact layouts, by merging hosts: up to the first that is open."""
        try:
            goals = self.goals[: _plain(self.goals)]
            figures = self.answer.first_figures
            self.merged = Merged(self.scene, self.survey, self.rules, goals, self.settings, self.budget, figures)
        except TooLarge:
            return
        self._bounds(self.merged, len(goals))

    def closed(self, goals: int) -> bool:
        """Whether the first goals have all reached their bounds."""
        return self.bounds[:goals] == self.answer.counted()[:goals]

    def take(self, outcome: Outcome) -> None:
        """Go on from what boards have found."""
        self.answer.change(list(self.answer.stands), outcome.stands)
        self.boards = outcome.tiers
        for number, tier in enumerate(outcome.tiers):
            self._bound(number, tier.bound)
            if self._open(number):
                return

    def beats(self, outcome: Outcome) -> bool:
        """Whether better is known, or found at once, than what was taken from a board: it may allow less than rules."""
        self.improver.fill(self._by(self._size), tight)
        plain = _plain(self.goals)
        return self.answer.counted()[:plain] != [tier.score for tier in outcome.tiers[:plain]]

    def _bound(self, number: int, bound: int | None) -> None:
        """Keep a goal's bound where it says more than the one that is known (all before it are closed)."""
        known = self.bounds[number]
        if bound is not None and known is not None:
            bound = min(bound, known) if self.goals[number].sense == "most" else max(bound, known)
        self.bounds[number] = known if bound is None else bound

    def search(self, movable: Collection[str], moves: int) -> Outcome:
        """Everything else: columns or a relaxation, then neighbourhoods."""
        if self.budget.over():
            self.improver.fill(self._by(self._size), tight)
            return self.outcome()
        columns = None if movable else self._columns(self.scene, self.cluster.asked)
        if columns is not None:
            for stands in self.firsts:
                columns.take(stands)
        relaxation: Merged | Relaxation | None = None if movable else self.merged
        if columns is not None:
            with self.budget.spending.part("columns"):
                self._by_columns(columns)
        elif not movable and relaxation is None:
            relaxation = self._relaxation()
        plain = _plain(self.goals)
        if movable and self.cluster.platform.slot_choice != "worst-case":
            self._exchange(movable, moves)
            return self.outcome()
        end = self.budget.deadline
        self.budget.deadline -= 0 if relaxation is None else self._for_bounds(plain)
        if not movable:
            self._sweep(plain)
        self.improver.run(self.goals[:plain], self.bounds, patience=PATIENCE, movable=movable, moves=moves)
        if columns is not None:
            with self.budget.spending.part("bounds"):
                self._bounds_by_columns(columns)
        self.budget.deadline = end
        if relaxation is not None:
            with self.budget.spending.part("bounds"):
                self._bounds(relaxation, plain, further=True)
                self._sharpen(plain)
        if plain < len(self.goals):
            self.improver.run(self.goals, self.bounds, patience=PATIENCE, movable=movable, moves=moves)
        if self.budget.over():
            self.improver.fill(self._by(self._size), tight)
        return self.outcome()

    def _exchange(self, movable: Collection[str], moves: int) -> None:
        """Room made by moves, for the first goal that is open."""
        number = next((number for number in range(_plain(self.goals)) if self._open(number)), 0)
        end = self.budget.deadline
        self.budget.deadline -= SHARE * self.budget.left
        self._bound_by_moves(movable)
        self.budget.deadline = end
        exchanger = Exchanger(self.improver, self.survey, self.rules, self.settings, self.budget)
        exchanger.run(self.goals[: number + 1], movable, moves, patience=PATIENCE)
        self.moves = exchanger.moves
        self.improver.fill(self._by(self._size), tight)

    def _bound_by_moves(self, movable: Collection[str]) -> None:
        """What nobody beats in the first goal however many moves there are: who may move is dealt out anew, too."""
        hosts = self.cluster.hosts
        here = [stand for stand in self.scene.stands() if stand.vm in movable and hosts[stand.host].state == "up"]
        if any(broken(self.scene, self.rules)) or not self.cluster.asked:
            return
        scene = self.scene.copy()
        for stand in here:
            scene.remove(stand)
        least = min(self.cluster.asked.values())
        columns = self._columns(scene, {**{stand.vm: least for stand in here}, **self.cluster.asked})
        values = None if columns is None else self._values(columns)
        if columns is None or not values:
            return
        columns.take([*here, *self.answer.stands.values()])
        run = columns.counted(stand.vm for stand in here)
        bound = columns.generate(values[0], [Floor({number: 1}, count) for number, count in run.items()])[1]
        if bound is not None:
            self._bound(0, bound - sum(values[0].get(number, 0) * count for number, count in run.items()))

    def _for_bounds(self, goals: int) -> float:
        """The seconds that are kept for bounds once the search has ended."""
        open_ = sum(map(self._open, range(goals)))
        whole = SHARPER_SECONDS if self.merged is not None and self.merged.whole else 0.0
        return min((1 - SHARE) / 2 * self.budget.left, open_ * self._bound_seconds + whole)

    def _sharpen(self, goals: int) -> None:
        """The bound of the first goal that is open, in whole numbers; where that closes it, of the next."""
        for number in range(goals):
            if self.merged is not None and self._open(number) and not self.budget.over():
                self._bound(number, self.merged.sharper(number, self.answer.counted()))
            if self._open(number):
                return

    def _sweep(self, goals: int) -> None:
        """Neighbourhoods for one goal after the other, the first ones first."""
        for number in range(goals):
            if self._open(number):
                self.improver.sweep(number, self.bounds[number], patience=PATIENCE)
                self.improver.fill(self._by(self._size), tight)

    def _relaxation(self) -> Relaxation | None:
        goals = self.goals[: _plain(self.goals)]
        size = sum(self.survey.admits(names[0], hosts[0]) for names in self.waiting for hosts in self.groups)
        if size > affordable(self.settings.memory_limit_mib, int(UNKNOWNS_PER_SECOND * self.budget.left)):
            return None
        try:
            relaxation = Relaxation(self.scene, self.survey, self.rules, goals, self.budget)
        except TooLarge:
            return None
        self._bounds(relaxation, len(goals))
        return relaxation

    def _bounds(self, relaxation: Merged | Relaxation, goals: int, *, further: bool = False) -> None:
        """The bounds of the first goals, up to the first one that is open; the `further` ones, too, once the scores of
        those before them are final.
        """
        for number in range(goals):
            if self._open(number) and not self.budget.over():
                begun = time.monotonic()
                self._bound(number, relaxation.bound(number, self.answer.counted()))
                self._bound_seconds = max(self._bound_seconds, time.monotonic() - begun)
            if self._open(number) and not further:
                return

    def outcome(self) -> Outcome:
        """What is known at the end."""
        counted = self.answer.counted()
        for number, tier in enumerate(self.boards):
            if self.bounds[number] is None and counted[:number] == [one.score for one in self.boards[:number]]:
                self.bounds[number] = tier.bound
        for number, goal in enumerate(self.goals):
            if goal.sense == "least" and counted[number] == 0:
                self.bounds[number] = 0  # no goal counts less than nothing
        tiers = [Tier(goal, score, bound) for goal, score, bound in zip(self.goals, counted, self.bounds, strict=True)]
        proven = all(tier.closed for tier in tiers)
        ended = self.budget.why if self.budget.over() else "no neighbourhood of hosts could be improved"
        return Outcome(
            "optimal" if proven else "feasible",
            list(self.answer.stands.values()),
            tiers,
            "proven" if proven else ended,
            self.budget.work,
            self.moves,
        )

    def start(self, *, bounded: bool) -> None:
        """The best of several first answers; `bounded`: until one of them cannot be beaten."""
        most = self.budget.left
        big, light = self._by(self._size), self._by(self._milli)
        other = self._by(self._small) if self.goals[0].kind == "placed" else self._by(self._milli, ranked=False)
        starts = ((big, lopsided), (light, lopsided), (other, lopsided), (big, tight), (light, aligned))
        for order, fit in starts[: FEW_STARTS if len(self.cluster.asked) > MANY_ASKED else None]:
            if self.budget.left <= (1 - SHARE) * most:
                return
            self.firsts.append(self.improver.first(order, fit, self.budget.left - (1 - SHARE) * most))
            if bounded and (self._beaten_by_nobody() or (len(self.firsts) == 1 and self._dealt())):
                return

    def _beaten_by_nobody(self) -> bool:
        """Whether the goals that need no exact layouts are closed, by merging hosts."""
        with self.budget.spending.part("bounds"):
            if len(self.firsts) == 1:
                self.bounded()
            elif self.merged is not None:
                self._bounds(self.merged, _plain(self.goals))
        return self.closed(_plain(self.goals))

    def _dealt(self) -> bool:
        """Whether hosts that choose at prices have made a better answer: asked where much more might be had."""
        number = next((number for number in range(_plain(self.goals)) if self._open(number)), 0)
        bound, score, goals = self.bounds[number], self.answer.counted()[number], self.goals[: number + 1]
        if self.merged is None or self.alike or bound is None or bound - score <= FAR * bound:
            return False
        with self.budget.spending.part("prices"):
            market = Market(self.scene, self.survey, self.rules, goals, self.settings, self.budget, self.merged)
            stands = market.deal(self.answer.counted(), SHARE * self.budget.left)
            better = self.improver.adopt(list(self.answer.stands), stands)
            if better:
                self.improver.fill(self._by(self._size), tight)
        self._bounds(self.merged, _plain(self.goals))
        return better

    def _by(self, key: Callable[[str], tuple[float, ...]], *, ranked: bool = True) -> list[tuple[str, ...]]:
        """The groups of VMs that are alike, by priority (unless they are not to be `ranked`), then by a key."""
        return sorted(self.waiting, key=lambda names: (-self.cluster.asked[names[0]] * ranked, *key(names[0])))

    def _small(self, name: str) -> tuple[float, ...]:
        """Least of everything first."""
        vm = self.cluster.vms[name]
        return milli_of(self.cluster, vm), vm.cpu_milli, vm.memory_mib

    def _size(self, name: str) -> tuple[float, ...]:
        """Most GPU first, then most CPUs."""
        vm = self.cluster.vms[name]
        return -milli_of(self.cluster, vm), -vm.cpu_milli, -vm.memory_mib

    def _milli(self, name: str) -> tuple[float, ...]:
        """Most GPU first, then fewest CPUs."""
        vm = self.cluster.vms[name]
        return -milli_of(self.cluster, vm), vm.cpu_milli, vm.memory_mib

    def _columns(self, scene: Scene, asked: Mapping[str, int]) -> Columns | None:
        """Column generation in a scene, where there are groups of hosts that are alike: for the rules that look at one
        host at a time, and the VMs that no other rule names.
        """
        hard = [rule for rule in self.rules if not rule.soft]
        local = [rule for rule in hard if rule.by_host]
        survey = Survey(self.cluster, local, self.goals)
        open_ = [host.name for host in self.cluster.hosts.values() if host.state == "up"]
        groups = survey.alike(scene, open_)
        if not open_ or len(groups) > MOST_GROUPS or 2 * len(groups) > len(open_):
            return None
        waiting = survey.waiting(asked, list(asked))
        pairs = len(groups) * len(waiting)
        if affordable(self.settings.memory_limit_mib, pairs) < pairs:
            return None
        self._tied = tying(hard, [self.cluster.vms[name] for name in asked])
        setting = Setting(scene, survey, local, self.goals, asked, self.budget, self.settings.workers)
        return Columns(setting, waiting, groups)

    def _by_columns(self, columns: Columns) -> None:
        """Choose columns for the first goal that the first answers leave open; bounds up to it."""
        floors: list[Floor] = []
        for number, values in enumerate(self._values(columns)):
            prices, bound = columns.generate(values, floors)
            self._bound(number, bound)
            if prices is not None and not self._tied and self._open(number):
                self.improver.adopt(list(self.answer.stands), rounded(columns, values, floors, prices))
                self.improver.fill(self._by(self._size), tight)
            if self._open(number) or self.budget.over():
                return
            columns.take(self.answer.stands.values())
            floors.append(Floor(values, self.answer.counted()[number]))

    def _values(self, columns: Columns) -> list[Values]:
        """What VMs count for in the first goals: as far as these count VMs placed."""
        found: list[Values] = []
        for number, goal in enumerate(self.goals):
            values = columns.values(number) if goal.sense == "most" else None
            if values is None:
                break
            found.append(values)
        return found

    def _open(self, number: int) -> bool:
        """Whether a goal's bound is not reached."""
        return self.bounds[number] != self.answer.counted()[number]

    def _bounds_by_columns(self, columns: Columns) -> None:
        """Bounds of the further goals, given the scores of those before."""
        floors: list[Floor] = []
        columns.take(self.answer.stands.values())
        for number, values in enumerate(self._values(columns)):
            if self.budget.over():
                return
            if self._open(number) and floors:
                self.bounds[number] = columns.generate(values, floors)[1]
            floors.append(Floor(values, self.answer.counted()[number]))
