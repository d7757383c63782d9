"""A night in its midst: the snapshot that a site would take while a plan is carried out, with what has gone wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from placer.judge.timeline import CLOCK
from placer_models.plan import PlacedGpu, Plan, Step
from placer_models.snapshot import Snapshot


def seen(
    snapshot: Snapshot,
    plan: Plan,
    at: datetime,
    *,
    failed: Collection[str] = (),
    lost: Collection[str] = (),
    running: Mapping[str, Any] | None = None,
) -> Snapshot:
    """The cluster at an instant of a plan, every step having ended in time but those that `failed` (by their ids), with
    the later ones of the same VM and those that wait for them, hosts in `lost` being disconnected. `running`: for a
    job, what runs of it.
    """
    values = snapshot.model_dump(mode="json", by_alias=True, exclude_none=True)
    vms = {vm["name"]: vm for vm in values["vms"]}
    gpus = {(host["name"], gpu["id"]): gpu for host in values["hosts"] for gpu in host.get("gpus", ())}
    stopped: set[str] = set()
    undone: set[str] = set(failed)
    for step in sorted(plan.steps, key=lambda step: (step.start, step.end)):
        if step.end > at:
            continue
        if step.id in undone or step.vm in stopped or not undone.isdisjoint(step.waits_for):
            undone.add(step.id)
            stopped.update({step.vm} if step.vm else ())
        elif step.vm is None:
            if step.job is None:
                _changed(next(host for host in values["hosts"] if host["name"] == step.host), step)
        else:
            _done(vms[step.vm], step)
            for placed in step.gpus:
                if placed.sharing is not None:
                    _shared(gpus[str(step.reaches), placed.gpu], placed.sharing)
    for host in values["hosts"]:
        if host["name"] in lost:
            host["state"] = "disconnected"
    for job in values.get("jobs", ()):
        if job["name"] in (running or {}):
            job["running"] = (running or {})[job["name"]]
    values["taken_at"] = CLOCK.instant(CLOCK.seconds(at)).isoformat()
    return Snapshot.of(values, "the snapshot", snapshot.catalogue, sha256="f" * 64)


def _changed(host: dict[str, Any], step: Step) -> None:
    if step.kind.endswith("-maintenance"):
        host["state"] = "maintenance" if step.kind == "enter-maintenance" else "up"
    for gpu in host["gpus"]:
        if step.kind == "set-mode" and gpu["id"] in {placed.gpu for placed in step.gpus}:
            _shared(gpu, step.sharing or gpu["sharing"])
            gpu["mode"] = step.mode or gpu["mode"]


def _shared(gpu: dict[str, Any], sharing: str) -> None:
    gpu["may_share"] = sorted({gpu["sharing"], *gpu.get("may_share", ())})
    gpu["sharing"] = sharing


def _done(vm: dict[str, Any], step: Step) -> None:
    if step.reaches is None:
        vm["power"] = "suspended" if step.kind == "suspend" else "off"
        for ask in vm.get("gpus", ()):
            ask["at"] = []
        return
    vm["power"], vm["host"] = "on", step.reaches
    left = list(step.gpus)
    for ask in vm.get("gpus", ()):
        mine = [gpu for gpu in left if (gpu.profile, gpu.milli) == (ask.get("profile"), ask.get("milli"))]
        ask["at"] = [_seat(gpu) for gpu in mine[: ask.get("count", 1)]]
        for gpu in mine[: ask.get("count", 1)]:
            left.remove(gpu)


def _seat(gpu: PlacedGpu) -> dict[str, Any]:
    return {"gpu": gpu.gpu, **({} if gpu.slot is None else {"slot": gpu.slot})}
