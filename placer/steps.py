"""A night's schedule as the steps of a plan document: clock times, waits and words."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from placer_models.clock import Clock
from placer_models.cluster import Cluster
from placer_models.decision import Decision
from placer_models.night import Asked
from placer_models.plan import Breach, Freed, JobRun, PlacedGpu, Plan, PlanWindow, Step, StepKind, Unmoved
from placer_models.scene import Hold, Stand
from placer_models.snapshot import Snapshot

if TYPE_CHECKING:
    from placer.solve.jobs import Run
    from placer.solve.motion import Timed

BACK: Mapping[str, StepKind] = {"migrate": "migrate", "suspend": "resume", "power-off": "power-on"}
"""Each evening step's undoing in the morning."""


def placed_gpus(cluster: Cluster, host: str, holds: Sequence[Hold]) -> tuple[PlacedGpu, ...]:
    """Holds as answers say them: the sharing only where the GPU must first be put in it."""
    gpus = cluster.hosts[host].gpu

    def placed(hold: Hold) -> PlacedGpu:
        other = None if hold.sharing == gpus[hold.gpu].sharing else hold.sharing
        return PlacedGpu(gpu=hold.gpu, profile=hold.profile, slot=hold.slot, milli=hold.milli, sharing=other)

    return tuple(placed(hold) for hold in holds)


@dataclass
class Steps:
    """The steps, freed hosts and job runs of a plan, gathered night by night. Seconds count from `clock`'s origin."""

    cluster: Cluster
    clock: Clock
    steps: list[Step] = field(default_factory=list)
    freed: list[Freed] = field(default_factory=list)
    runs: list[JobRun] = field(default_factory=list)

    def evening(self, timed: Sequence[Timed], offset: int, mark: str) -> None:
        """The steps that free hosts."""
        names = {one.action.vm: f"{mark}{i}" for i, one in enumerate(timed, 1)}
        for one in timed:
            action = one.action
            why = f"frees {action.source.host}"
            if action.to is None:
                self._add(names, one, offset, action.kind, why, host=action.source.host)
            else:
                self._move(names, one, offset, action.source.host, action.to, why)

    def morning(self, timed: Sequence[Timed], offset: int, mark: str) -> None:
        """The steps that bring VMs back to where they stood."""
        names = {one.action.vm: f"{mark}{i}" for i, one in enumerate(timed, 1)}
        for one in timed:
            action, home = one.action, one.action.source
            why = f"back to {home.host}"
            if action.to is None:
                gpus = placed_gpus(self.cluster, home.host, home.holds)
                self._add(names, one, offset, BACK[action.kind], why, to=home.host, gpus=gpus)
            else:
                self._move(names, one, offset, action.to.host, home, why)

    def _move(self, names: Mapping[str, str], one: Timed, offset: int, source: str, to: Stand, why: str) -> None:
        gpus = placed_gpus(self.cluster, to.host, to.holds)
        stun = one.action.stun_seconds or None
        self._add(names, one, offset, "migrate", why, from_=source, to=to.host, gpus=gpus, stun_seconds=stun)

    def _add(self, names: Mapping[str, str], one: Timed, offset: int, kind: StepKind, why: str, **more: object) -> None:
        waits = tuple(names[vm] for vm in one.waits_for if vm in names)
        if waits:
            others = ", ".join(one.waits_for[:3]) + (" ..." if len(one.waits_for) > 3 else "")
            why = f"{why}; waits for room that {others} leave{'s' if len(one.waits_for) == 1 else ''}"
        self.steps.append(
            Step.model_validate(
                {
                    "id": names[one.action.vm],
                    "kind": kind,
                    "vm": one.action.vm,
                    "start": self._at(offset + one.start),
                    "end": self._at(offset + one.end),
                    "waits_for": waits,
                    "why": why,
                    **more,
                }
            )
        )

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
        seconds: float,
    ) -> Plan:
        """The plan before it is judged."""
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
            seconds=round(seconds, 6),
            snapshot_sha256=snapshot.sha256,
            decision=decision.name,
            seed=decision.search.seed,
            versions={name: importlib.metadata.version(name) for name in ("gpu-placer", "ortools")},
        )
