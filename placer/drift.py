"""What has changed since a plan was made, as far as the plan shows what it took for granted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from placer.rest import rest_of
from placer_models.document import quote
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot


def drift(snapshot: Snapshot, plan: Plan, at: datetime | None = None) -> list[str]:
    """What is not as a plan takes it to be when it begins, or `at` an instant in its midst: one sentence for each VM,
    host and GPU.

    A plan names its snapshot by a digest only, so what it takes for granted is read from its steps: where the VMs that
    it touches stand, which hosts are there and up, which GPUs they have, and that nobody else is on freed hosts.
    """
    was, now = plan.snapshot_sha256[:12], snapshot.sha256[:12]
    digests = f"the plan was made for another snapshot ({was}, and this is {now})"
    return [
        *([digests] if at is None else []),  # in the midst of its night no other is to be expected
        *(_vms(snapshot, plan) if at is None else rest_of(snapshot, plan, at).said),
        *_hosts(snapshot, plan, at),
        *_strangers(snapshot, plan, at),
    ]


def _vms(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    vms, seen = snapshot.content.vms, set[str]()
    for step in sorted(plan.steps, key=lambda step: step.start):
        if step.vm is None or step.vm in seen:
            continue
        seen.add(step.vm)
        vm = vms.get(step.vm)
        if vm is None:
            yield f"{quote(step.vm)} is gone"
        elif step.leaves is not None and vm.power != "on":
            yield f"{vm.name} was on {step.leaves}, and is {vm.power}"
        elif step.leaves is not None and vm.host != step.leaves:
            yield f"{vm.name} was on {step.leaves}, and is on {vm.host}"


def _hosts(snapshot: Snapshot, plan: Plan, at: datetime | None) -> Iterator[str]:
    hosts = snapshot.content.hosts
    inside = _inside(plan, at)
    for name, gpus in _wanted(plan, at).items():
        host = hosts.get(name)
        if host is None:
            yield f"host {quote(name)} is gone"
            continue
        if host.state != "up" and not (name in inside and host.state == "maintenance"):
            yield f"{name} is {host.state_said}"
        for gpu in gpus:
            if gpu not in host.gpu:
                yield f"{name}: GPU {quote(gpu)} is gone"


def _wanted(plan: Plan, at: datetime | None) -> Mapping[str, Mapping[str, None]]:
    """The hosts that the rest of a plan needs, and which of their GPUs."""
    wanted: dict[str, dict[str, None]] = {}
    for step in sorted(plan.steps, key=lambda step: step.start):
        if at is not None and step.end <= at:
            continue
        for name in (step.leaves, step.reaches, step.host):
            if name is not None:
                wanted.setdefault(name, {})
        if step.reaches is not None:
            wanted[step.reaches].update({gpu.gpu: None for gpu in step.gpus})
    for run in plan.jobs:
        if at is None or run.end > at:
            wanted.setdefault(run.host, {}).update({gpu.gpu: None for gpu in run.gpus})
    return wanted


def _inside(plan: Plan, at: datetime | None) -> set[str | None]:
    """The hosts that the plan itself has in maintenance by then."""
    inside: set[str | None] = set()
    for step in sorted(plan.steps, key=lambda step: step.start):
        if at is not None and step.end <= at:
            if step.kind == "enter-maintenance":
                inside.add(step.host)
            elif step.kind == "leave-maintenance":
                inside.discard(step.host)
    return inside


def _strangers(snapshot: Snapshot, plan: Plan, at: datetime | None) -> Iterator[str]:
    touched = {step.vm for step in plan.steps}
    freed = {freed.host for freed in plan.freed if at is None or freed.until > at}
    for vm in snapshot.vms:
        if vm.power == "on" and vm.host in freed and vm.name not in touched:
            yield f"{vm.name} stands on {vm.host}, which the plan frees, and the plan does not know it"
