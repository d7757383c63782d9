"""Small nights for the judge's tests: a cluster, a request, jobs, and hand-made plans, written shortly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from placer_models.cluster import Cluster
from placer_models.decision import shipped_decision
from placer_models.document import dump, parse
from placer_models.night import Consolidate, Evacuate, Job, Request, SetMode
from placer_models.plan import Plan
from placer_models.rules.rule import Rule
from placer_models.snapshot import Snapshot

Values = dict[str, Any]

EVENING = datetime(2026, 11, 20, 22, tzinfo=UTC)
REQUESTS: Mapping[str, type[Request]] = {"consolidate": Consolidate, "evacuate": Evacuate, "set-mode": SetMode}


def at(seconds: float) -> str:
    """So many seconds after the evening's beginning, as documents write it."""
    return (EVENING + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def window(begin: int = 0, end: int = 1000) -> Values:
    """A window of so many seconds after the evening's beginning."""
    return {"from": at(begin), "until": at(end)}


@dataclass
class Night:
    """What is given: hosts, VMs, rules, a request, jobs."""

    hosts: Sequence[Values]
    vms: Sequence[Values]
    request: Values = field(default_factory=dict)
    jobs: Sequence[Values] = ()
    rules: Sequence[Values] = ()
    platform: Values = field(default_factory=lambda: {"kind": "vsphere", "version": "8.0.3", "slots": "chosen"})

    def __post_init__(self) -> None:
        values = {
            "format": "placer.snapshot/1",
            "cluster": "night",
            "taken_at": at(-3600),
            "platform": self.platform,
            "hosts": list(self.hosts),
            "vms": list(self.vms),
            "rules": list(self.rules),
        }
        self.snapshot = Snapshot.of(values)
        asked = {"kind": "consolidate", "windows": [window()], **self.request}
        self.asked: Request = parse(REQUESTS[asked["kind"]], asked, "the request")
        self.work = [parse(Job, job, "the job") for job in self.jobs]

    def lay_out(self, folder: Path) -> None:
        """Write a snapshot that asks for this night (`asks.json`), and one that asks for nothing (`bare.json`)."""
        asks = self.snapshot.model_copy(update={"requests": (self.asked,)})
        (folder / "asks.json").write_text(dump(asks), encoding="utf-8")
        (folder / "bare.json").write_text(dump(self.snapshot), encoding="utf-8")

    @property
    def cluster(self) -> Cluster:
        """The snapshot's content."""
        return self.snapshot.content

    @property
    def holding(self) -> list[Rule]:
        """The rules that hold."""
        return shipped_decision("power_on").rules_of(self.snapshot.rules)


def step(id_: str, kind: str, start: int, end: int | None = None, **more: Any) -> Values:
    """A step; without an end it takes no time. Blanks in `waits_for` part names; `src`, `to` and `gpus` are short."""
    values: Values = {"id": id_, "kind": kind, "start": at(start), "end": at(start if end is None else end)}
    if "src" in more:
        values["from"] = more.pop("src")
    values["waits_for"] = more.pop("waits_for", "").split()
    values["gpus"] = [held(text) for text in more.pop("gpus", "").split()]
    return {**values, **more}


def held(text: str) -> Values:
    """A placed GPU: "g0", "g0/M60-1Q/4", "g0/500" (thousandths), with "+sharing" at the end where it is said."""
    text, _, sharing = text.partition("+")
    gpu, *rest = text.split("/")
    values: Values = {"gpu": gpu, **({"sharing": sharing} if sharing else {})}
    if len(rest) == 1:
        values["milli"] = int(rest[0])
    elif rest:
        values |= {"profile": rest[0], **({"slot": int(rest[1])} if rest[1] else {})}
    return values


def run(job: str, host: str, start: int, end: int, instance: int = 0, gpus: str = "") -> Values:
    """A run of a job's instance."""
    placed = [held(text) for text in gpus.split()]
    return {"job": job, "instance": instance, "host": host, "gpus": placed, "start": at(start), "end": at(end)}


def freed(host: str, start: int, end: int) -> Values:
    """A freed interval."""
    return {"host": host, "from": at(start), "until": at(end)}


def plan_values(steps: Sequence[Values], freed: Sequence[Values] = (), jobs: Sequence[Values] = ()) -> Values:
    """A plan as plain values; each run's start-job and stop-job steps are added."""
    mine = list(steps)
    for i, one in enumerate(jobs):
        said = {"job": one["job"], "host": one["host"]}
        mine.append({"id": f"start-{i}", "kind": "start-job", "start": one["start"], "end": one["start"], **said})
        mine.append({"id": f"stop-{i}", "kind": "stop-job", "start": one["end"], "end": one["end"], **said})
    return {"format": "placer.plan/1", "status": "feasible", "steps": mine, "freed": list(freed), "jobs": list(jobs)}


def plan(steps: Sequence[Values], freed: Sequence[Values] = (), jobs: Sequence[Values] = ()) -> Plan:
    """A plan; each run's start-job and stop-job steps are added."""
    return parse(Plan, plan_values(steps, freed, jobs), "the plan")
