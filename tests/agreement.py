"""Holds solver and judge together: in a tiny world, every arrangement that there is, asked of both.

The judge is asked about each arrangement: each VM off or on each host, with every choice of GPU, sharing and slot that
can be written down. The solver is asked about each distribution of the classes of its board over the hosts, by fixing
its counts. Both must say the same, of what is allowed and of every goal's best score.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

from ortools.sat.python import cp_model

from placer.judge.check import broken, worse
from placer.judge.replay import Replay
from placer.solve.board import CountBoard
from placer_models.cluster import Ask, Gpu, Host, Vm
from placer_models.decision import shipped_decision
from placer_models.goals import GOALS, Goal
from placer_models.gpus import SHARINGS
from placer_models.gpus_use import model_of, use_of
from placer_models.moving import immovable, unreachable
from placer_models.plan import Placed, PlacedGpu, Placements
from placer_models.rules.gpu import GpuRule
from placer_models.rules.rule import VmClass
from placer_models.scene import Hold, Scene, Stand, items
from placer_models.snapshot import Snapshot

GPU = [GpuRule()]

Where = Mapping[str, str | None]
"""For each VM that may be put somewhere: its host, or None where it stays off."""


@dataclass(frozen=True)
class World:
    """A tiny cluster; all its VMs that are off are asked for, and `movable` ones that run may be moved.

    `goals` are the kinds of the goals whose best scores are compared. With `groups` of hosts that are alike the board
    is a relaxation: it must allow what the judge accepts, and may allow more. Where a world is `narrow` the board says
    that it allows less than the judge, and so it may.
    """

    name: str
    hosts: Sequence[Mapping[str, Any]]
    vms: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]] = ()
    platform: Mapping[str, Any] = field(default_factory=dict)
    movable: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    narrow: bool = False

    def snapshot(self) -> Snapshot:
        """Its document."""
        asked = [{"kind": "power-on", "vm": vm["name"], "priority": i % 2} for i, vm in enumerate(self.vms)]
        values = {
            "format": "placer.snapshot/1",
            "cluster": self.name,
            "taken_at": "2026-11-20T18:00:00Z",
            "platform": self.platform,
            "hosts": self.hosts,
            "vms": self.vms,
            "rules": self.rules,
            "requests": [ask for ask, vm in zip(asked, self.vms, strict=True) if vm["power"] != "on"],
        }
        return Snapshot.of(values, self.name)


class Agreement:
    """One world, looked at from both sides."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cluster = world.snapshot().content
        self.rules = shipped_decision("power_on").rules_of(world.snapshot().rules)
        self.goals: list[Goal] = [GOALS[kind].model_validate({}) for kind in world.goals]
        self.now = Scene.now(self.cluster)
        self.broken_now = broken(self.now, self.rules)
        self.gpus_now = broken(self.now, GPU)
        for name in world.movable:
            assert immovable(self.cluster, self.cluster.vms[name], self.now.of(name)[0]) is None, f"{name} cannot move"
        self.by_turn = self.cluster.platform.slot_choice != "chosen"
        self.all_seatings = any(goal.exact for goal in self.goals) or any(rule.exact for rule in self.rules)
        groups = world.groups or tuple((name,) for name in self.cluster.hosts)
        self.place = {name: names[0] for names in groups for name in names}
        self.board = CountBoard(self.now, self.rules, self.goals, self.cluster.asked, world.movable, groups=groups)
        self.free = [name for name in self.cluster.vms if name in self.cluster.asked or name in world.movable]
        self.classes: dict[tuple[str, bool], VmClass] = {}
        self.counts: dict[tuple[int, str], Any] = {}
        for vms, place, count in self.board.where():
            if not vms.fixed:
                self.classes |= {(name, bool(vms.stands)): vms for name in vms.names}
                self.counts[id(vms), place.host.name] = count
        self._stands: dict[tuple[str, str], list[Stand]] = {}
        self._asked: dict[Any, tuple[tuple[int, ...] | None, list[str]]] = {}

    # the judge's side

    def arrangements(self) -> Iterator[Where]:
        """Every way to say where each VM is."""
        hosts = list(self.cluster.hosts)
        choices = [hosts if self.now.of(name) else [None, *hosts] for name in self.free]
        for chosen in product(*choices):
            yield dict(zip(self.free, chosen, strict=True))

    def judged(self, where: Where) -> tuple[int, ...] | None:
        """The best scores over all seatings that the judge accepts; None: it accepts none."""
        scene = self.now.copy()
        arriving = []
        for name, host in where.items():
            was = self.now.of(name)
            if was and was[0].host != host:
                if unreachable(self.cluster, was[0], self.cluster.hosts[str(host)]):
                    return None
                scene.remove(was[0])
            if host is not None and not (was and was[0].host == host):
                arriving.append((self.cluster.vms[name], self.cluster.hosts[host]))
        best: tuple[int, ...] | None = None
        for stands in self._seatings(scene, arriving, []):
            if not self._accepts(scene, stands):
                continue
            scores = tuple(goal.score(self.now, scene, self.rules) for goal in self.goals)
            best = scores if best is None else tuple(map(_better, self.goals, best, scores))
            if not self.all_seatings:
                break
        return best

    def _seatings(self, scene: Scene, left: list[tuple[Vm, Host]], put: list[Stand]) -> Iterator[list[Stand]]:
        """Every choice of GPUs and slots; no further VM cures a breach of the gpu rule, so it ends a branch."""
        if not left:
            yield put
            return
        vm, host = left[0]
        for stand in self.stands(vm, host):
            with scene.trial(stand):
                if not worse(GPU, self.gpus_now, broken(scene, GPU, (host.name,))):
                    yield from self._seatings(scene, left[1:], [*put, stand])

    def stands(self, vm: Vm, host: Host) -> list[Stand]:
        """Every stand of a VM on a host that can be written down, but for what is wrong even on an empty host."""
        key = vm.name, host.name
        if key not in self._stands:
            choices = [[hold for gpu in host.gpus for hold in self._holds(ask, gpu)] for ask in items(vm)]
            stands = [Stand(vm.name, host.name, holds) for holds in product(*choices)]
            alone = (Scene(self.cluster, [stand]) for stand in stands)
            self._stands[key] = [
                stand
                for stand, scene in zip(stands, alone, strict=True)
                if not worse(GPU, self.gpus_now, broken(scene, GPU, (host.name,)))
            ]
        return self._stands[key]

    def _holds(self, ask: Ask, gpu: Gpu) -> Iterator[Hold]:
        for sharing in SHARINGS:
            slotless = sharing in ("passthrough", "fraction")
            slots = [None] if slotless else range(model_of(self.cluster, gpu).row_units(sharing))
            for slot in slots:
                hold = Hold(gpu.id, sharing, ask.profile, slot, ask.milli)
                if use_of(self.cluster, gpu, hold) is not None:
                    yield hold

    def _accepts(self, scene: Scene, stands: list[Stand]) -> bool:
        if self.by_turn:
            return any(not self._replayed(order) for order in permutations(stands))
        return not worse(self.rules, self.broken_now, broken(scene, self.rules))

    def _replayed(self, stands: Sequence[Stand]) -> list[str]:
        """The faults of starting VMs in this order."""
        return Replay(
            self.cluster, self.rules, Placements(status="feasible", placed=tuple(map(_placed, stands)))
        ).faults

    # the solver's side

    def solved(self, where: Where) -> tuple[tuple[int, ...] | None, list[str]]:
        """The best scores with these counts fixed (None: not possible), and what is wrong with what is read back."""
        numbers = self._numbers(where)
        if numbers.keys() - self.counts.keys():
            return None, []
        key = frozenset(numbers.items())
        if key not in self._asked:
            self._asked[key] = self._solve({count: numbers[spot] for spot, count in self.counts.items()}, where)
        return self._asked[key]

    def _numbers(self, where: Where) -> Counter[tuple[int, str]]:
        """How many of each class of the board this puts on each of its places."""
        return Counter(
            (id(self._class_of(vm, host)), self.place[host]) for vm, host in where.items() if host is not None
        )

    def _class_of(self, name: str, host: str) -> VmClass | None:
        """The class in which a VM is counted on a host: with those who stay there, or with those who come."""
        was = self.now.of(name)
        return self.classes.get((name, bool(was) and was[0].host == host))

    def _solve(self, numbers: Mapping[Any, int], where: Where) -> tuple[tuple[int, ...] | None, list[str]]:
        scores: list[int] = []
        faults: list[str] = []
        aims: list[tuple[Goal | None, Any]] = list(zip(self.goals, self.board.aims, strict=True))
        for goal, aim in aims or [(None, None)]:
            model = self.board.model.clone()
            for count, number in numbers.items():
                model.add(count == number)
            if goal is not None:
                expression = sum(factor * unknown for factor, unknown in aim[0]) + aim[1]
                model.maximize(expression) if goal.sense == "most" else model.minimize(expression)
            solver = cp_model.CpSolver()
            solver.parameters.num_workers = 1
            status = solver.solve(model)
            if status == cp_model.INFEASIBLE:
                return None, []
            assert status == cp_model.OPTIMAL, solver.status_name(status)
            value = _value(solver)
            if goal is not None:
                scores.append(sum(factor * value(unknown) for factor, unknown in aim[0]) + aim[1])
            if self.world.groups:
                continue
            read = self.board.read(value)
            faults += self._faults(read, where)
            if goal is not None:
                recount = goal.score(self.now, self._scene(read), self.rules)
                if recount != scores[-1]:
                    faults.append(f"{goal.kind}: the solver counts {scores[-1]}, the judge {recount} of the same scene")
        return tuple(scores), faults

    def _scene(self, stands: Sequence[Stand]) -> Scene:
        scene = self.now.copy()
        for stand in stands:
            for was in self.now.of(stand.vm):
                scene.remove(was)
        for stand in stands:
            scene.put(stand)
        return scene

    def _faults(self, stands: Sequence[Stand], where: Where) -> list[str]:
        """What the judge says against what was read back from the board."""
        scene = self._scene(stands)
        faults = [breach.said for breach in worse(self.rules, self.broken_now, broken(scene, self.rules))]
        if not self.world.movable:
            faults += self._replayed(stands)
        found = {name: next((at.host for at in scene.of(name)), None) for name in self.free}
        if self._numbers(found) != self._numbers(where):
            faults.append("other counts are read back than were found")
        return [f"read back: {fault}" for fault in faults]

    # both

    def disagreements(self) -> Iterator[str]:
        """A sentence for each distribution of which the two say different things.

        VMs of a class that are started are alike in every way. Of those that may move, some may do and others not (it
        matters which of them leaves a GPU): they are compared by their number.
        """
        judged: dict[Any, list[tuple[Where, tuple[int, ...] | None]]] = defaultdict(list)
        for where in self.arrangements():
            judged[self._key(where)].append((where, self.judged(where)))
        for found in judged.values():
            scores = [best for _, best in found if best is not None]
            mine = tuple(map(_best, self.goals, zip(*scores, strict=True))) if scores else None
            where = next((where for where, best in found if best is not None), found[0][0])
            theirs, faults = self.solved(where)
            agree = mine == theirs
            if self.world.groups:  # a relaxation: never less, never worse
                agree = mine is None or (theirs is not None and theirs == tuple(map(_better, self.goals, mine, theirs)))
            if self.world.narrow and theirs is None:
                agree = self.board.narrow
            if not agree:
                said = f"the judge says {_verdict(mine)}, the solver {_verdict(theirs)}"
                yield f"{self.world.name}: {_told(where)}: {said}"
            yield from (f"{self.world.name}: {_told(where)}: {fault}" for fault in faults)

    def _key(self, where: Where) -> Any:
        started = tuple((name, host) for name, host in where.items() if not self.now.of(name))
        return started, frozenset(self._numbers(where).items())


def disagreements(world: World) -> list[str]:
    """Where solver and judge say different things of a world; empty: nowhere."""
    return list(Agreement(world).disagreements())


def _value(solver: cp_model.CpSolver) -> Callable[[Any], int]:
    return lambda unknown: unknown if isinstance(unknown, int) else solver.value(unknown)


def _better(goal: Goal, one: int, other: int) -> int:
    return max(one, other) if goal.sense == "most" else min(one, other)


def _best(goal: Goal, scores: Sequence[int]) -> int:
    choose: Callable[[Sequence[int]], int] = max if goal.sense == "most" else min
    return choose(scores)


def _told(where: Where) -> str:
    return ", ".join(f"{name} on {host}" if host else f"{name} off" for name, host in where.items())


def _verdict(best: tuple[int, ...] | None) -> str:
    if best is None:
        return "no"
    return f"yes ({', '.join(map(str, best))})" if best else "yes"


def _placed(stand: Stand) -> Placed:
    gpus = (PlacedGpu(gpu=h.gpu, profile=h.profile, slot=h.slot, milli=h.milli, sharing=h.sharing) for h in stand.holds)
    return Placed(vm=stand.vm, host=stand.host, gpus=tuple(gpus))
