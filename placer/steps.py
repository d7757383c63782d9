"""A night's schedule as the steps of a plan document: clock times, waits and words."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from placer_models.clock import Clock
from placer_models.cluster import Cluster
from placer_models.decision import Decision
from placer_models.gpus import Mode
from placer_models.night import Asked
from placer_models.plan import Breach, Freed, JobRun, PlacedGpu, Plan, PlanWindow, Step, Unmoved
from placer_models.scene import Hold, Stand
from placer_models.snapshot import Snapshot
from placer_models.words import few

if TYPE_CHECKING:
    from placer.night.flash import Flash
    from placer.solve.errands import Run
    from placer.solve.motion import Timed
    from placer.solve.traffic import Action


def placed_gpus(cluster: Cluster, host: str, holds: Sequence[Hold]) -> tuple[PlacedGpu, ...]:
    """Holds as answers say them: the sharing only where the GPU must first be put in it."""
    gpus = cluster.hosts[host].gpu
    return tuple(_placed_gpu(hold, hold.sharing != gpus[hold.gpu].sharing) for hold in holds)


@lru_cache(maxsize=4096)
def _placed_gpu(hold: Hold, says_sharing: bool) -> PlacedGpu:
    sharing = hold.sharing if says_sharing else None
    return PlacedGpu(gpu=hold.gpu, profile=hold.profile, slot=hold.slot, milli=hold.milli, sharing=sharing)


def _host(stand: Stand | None) -> str:
    return "nowhere" if stand is None else stand.host


def _waits(one: Timed) -> Iterator[str]:
    """What a step waits for, in words: who is to leave which GPU, or the host."""
    to = one.action.to
    if to is None or not one.waits_for:
        return
    mine = {hold.gpu for hold in to.holds}
    gpus = {hold.gpu for other in one.waits_for if other.source for hold in other.source.holds if hold.gpu in mine}
    where = f"GPU {few(sorted(gpus))} of {to.host}" if gpus else to.host
    yield f"waits for {few([other.vm for other in one.waits_for])} to leave {where}"


@dataclass
class Steps:
    """The steps, freed hosts and job runs of a plan, gathered night by night. Seconds count from `clock`'s origin."""

    cluster: Cluster
    clock: Clock
    steps: list[Step] = field(default_factory=list)
    freed: list[Freed] = field(default_factory=list)
    runs: list[JobRun] = field(default_factory=list)
    names: dict[tuple[str, int], str] = field(default_factory=dict)
    """The id of the step that tells an action, by its key: of several the last."""

    def evening(
        self, timed: Sequence[Timed], offset: int, mark: str, emptied: Collection[str], frees: str = "frees"
    ) -> None:
        """The steps that free hosts; `frees` is the word for what they do to one."""
        coming: dict[str, list[str]] = defaultdict(list)
        for one in timed:
            if one.action.to is not None:
                coming[one.action.to.host].append(one.action.vm)

        def why(action: Action) -> str:
            if action.aside:
                return f"steps aside so that {few(action.aside)} can go"
            if action.source is None:
                return f"runs again on {_host(action.to)}"
            if action.source.host in emptied:
                return f"{frees} {action.source.host}"
            others = [vm for vm in coming[action.source.host] if vm != action.vm]
            return f"makes room on {action.source.host}" + (f" for {few(others)}" if others else "")

        self._write(timed, offset, mark, why)

    def morning(self, timed: Sequence[Timed], offset: int, mark: str) -> None:
        """The steps that bring VMs back."""
        last = {one.action.vm: one.action for one in timed}

        def why(action: Action) -> str:
            home = last[action.vm].to
            return f"on its way back to {_host(home)}" if action.to is not home else f"back to {_host(home)}"

        self._write(timed, offset, mark, why)

    def _write(self, timed: Sequence[Timed], offset: int, mark: str, why: Callable[[Action], str]) -> None:
        self.names |= {one.action.key: f"{mark}{i}" for i, one in enumerate(timed, 1)}
        for one in timed:
            action, to = one.action, one.action.to
            values: dict[str, object] = {
                "id": self.names[action.key],
                "kind": action.kind,
                "vm": action.vm,
                "start": self._at(offset + one.start),
                "end": self._at(offset + one.end),
                "waits_for": tuple(self.names[other.key] for other in one.waits_for),
                "why": "; ".join([why(action), *_waits(one)]),
            }
            if to is not None:
                values["host" if action.source is None else "to"] = to.host
                values["gpus"] = placed_gpus(self.cluster, to.host, to.holds)
            if action.source is not None:
                values["host" if to is None else "from"] = action.source.host
            if action.kind == "migrate":
                values["stun_seconds"] = action.stun_seconds or None
            self.steps.append(Step.model_validate(values))

    def jobs(self, runs: Sequence[Run], offset: int, mark: str) -> None:
        """The runs of jobs on freed hosts, each with a step that starts it and one that stops it."""
        for i, run in enumerate(runs, 1):
            gpus = placed_gpus(self.cluster, run.host, run.holds)
            start, end = self._at(offset + run.start), self._at(offset + run.end)
            self.runs.append(JobRun(job=run.job, instance=run.instance, host=run.host, gpus=gpus, start=start, end=end))
            for kind, at in (("start-job", start), ("stop-job", end)):
                why = f"instance {run.instance} of {run.job}"
                self.steps.append(
                    Step.model_validate(
                        {
                            "id": f"{mark}{i}-{kind}",
                            "kind": kind,
                            "job": run.job,
                            "host": run.host,
                            "gpus": gpus if kind == "start-job" else (),
                            "start": at,
                            "end": at,
                            "why": why,
                        }
                    )
                )

    def flashes(self, flashes: Sequence[Flash], offset: int, mark: str, first: int) -> None:
        """The flashes of freed hosts for their jobs, and back; the steps from number `first` on are those of the same
        night: what is done on the host waits for them.
        """
        for i, flash in enumerate(flashes, 1):
            there = f"{mark}{i}-"
            begin, ready, undo, end = (
                self._at(offset + one) for one in (flash.begin, flash.ready, flash.undo, flash.end)
            )
            jobs = {run.job for run in self.runs if run.host == flash.host and ready <= run.start < undo}
            mine = self.steps[first:]
            over = [step for step in mine if step.kind == "stop-job" and step.host == flash.host]
            left = [step.id for step in mine if step.leaves == flash.host and step.end <= begin]
            left += [step.id for step in over if step.end <= begin]
            done = [step.id for step in over if ready <= step.end <= undo]
            parts = (
                ("to", flash.mode, flash.begin, flash.ready, left, f"{flash.mode} mode for {few(sorted(jobs))}"),
                ("back", flash.before, flash.undo, flash.end, done, f"{flash.before} mode again"),
            )
            for name, mode, since, until, waits, why in parts:
                self._flash(f"{there}{name}", flash, mode, (offset + since, offset + until), waits, why)
            for n, step in enumerate(mine, first):
                starts = step.reaches == flash.host or (step.kind == "start-job" and step.host == flash.host)
                if starts and step.start >= ready:
                    after = "back" if step.start >= end else "to"
                    self.steps[n] = step.model_copy(update={"waits_for": (*step.waits_for, f"{there}{after}-leave")})

    def _flash(self, mark: str, flash: Flash, mode: Mode, hours: tuple[int, int], waits: list[str], why: str) -> None:
        begin, half, end = self._at(hours[0]), self._at(sum(hours) // 2), self._at(hours[1])
        gpus = tuple(PlacedGpu(gpu=gpu) for gpu in flash.gpus)
        for name, kind, start, until, more in (
            ("enter", "enter-maintenance", begin, begin, {"why": "is flashed"}),
            ("flash", "set-mode", begin, half, {"gpus": gpus, "mode": mode, "why": why}),
            ("restart", "restart-host", half, end, {"why": "so that the GPUs can be used"}),
            ("leave", "leave-maintenance", end, end, {"why": "is done"}),
        ):
            values = {"id": f"{mark}-{name}", "kind": kind, "host": flash.host, "start": start, "end": until, **more}
            self.steps.append(Step.model_validate({**values, "waits_for": tuple(waits)}))
            waits = [f"{mark}-{name}"]

    def free(self, host: str, begin: int, end: int) -> None:
        """A host stands empty."""
        self.freed.append(Freed.model_validate({"host": host, "from": self._at(begin), "until": self._at(end)}))

    def _at(self, seconds: int) -> datetime:
        return self.clock.instant(seconds)

    def plan(
        self,
        snapshot: Snapshot,
        decision: Decision,
        asked: Asked,
        spans: Sequence[tuple[datetime, datetime]],
        unmoved: Sequence[Unmoved],
        broken: Sequence[Breach],
        stopped: str,
        spent: Mapping[str, float],
    ) -> Plan:
        """The plan before it is judged; `spent` are the search's deterministic seconds, by part."""
        return Plan(
            status="feasible",
            request=asked.request.kind,
            asked=asked,
            window=tuple(PlanWindow.model_validate({"from": begin, "until": end}) for begin, end in spans),
            steps=tuple(sorted(self.steps, key=lambda step: step.start)),
            freed=tuple(self.freed),
            jobs=tuple(self.runs),
            unmoved=tuple(unmoved),
            broken_now=tuple(breach.said for breach in broken),
            stopped=stopped,
            seconds=round(sum(spent.values()), 6),
            spent=spent,
            snapshot_sha256=snapshot.sha256,
            decision=decision.name,
            seed=decision.search.seed,
            versions={name: importlib.metadata.version(name) for name in ("gpu-placer", "ortools")},
        )
