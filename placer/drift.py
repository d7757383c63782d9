"""What has changed since a plan was made, as far as the plan shows what it took for granted."""

from __future__ import annotations

from collections.abc import Iterator

from placer_models.document import quote
from placer_models.plan import Plan
from placer_models.snapshot import Snapshot


def drift(snapshot: Snapshot, plan: Plan) -> list[str]:
    """What is not as a plan takes it to be when it begins: one sentence for each VM, host and GPU.

    A plan names its snapshot by a digest only, so what it takes for granted is read from its steps: where the VMs that
    it touches stand, which hosts are there and up, which GPUs they have, and that nobody else is on freed hosts.
    """
    return [
        f"the plan was made for another snapshot ({plan.snapshot_sha256[:12]}, and this is {snapshot.sha256[:12]})",
        *_vms(snapshot, plan),
        *_hosts(snapshot, plan),
        *_strangers(snapshot, plan),
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


def _hosts(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    hosts = snapshot.content.hosts
    wanted: dict[str, dict[str, None]] = {}
    for step in plan.steps:
        for name in (step.leaves, step.reaches, step.host):
            if name is not None:
                wanted.setdefault(name, {})
        if step.reaches is not None:
            wanted[step.reaches].update({gpu.gpu: None for gpu in step.gpus})
    for run in plan.jobs:
        wanted.setdefault(run.host, {}).update({gpu.gpu: None for gpu in run.gpus})
    for name, gpus in wanted.items():
        host = hosts.get(name)
        if host is None:
            yield f"host {quote(name)} is gone"
            continue
        if host.state != "up":
            yield f"{name} is {host.state if host.state == 'disconnected' else 'in maintenance'}"
        for gpu in gpus:
            if gpu not in host.gpu:
                yield f"{name}: GPU {quote(gpu)} is gone"


def _strangers(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    touched = {step.vm for step in plan.steps}
    freed = {freed.host for freed in plan.freed}
    for vm in snapshot.vms:
        if vm.power == "on" and vm.host in freed and vm.name not in touched:
            yield f"{vm.name} stands on {vm.host}, which the plan frees, and the plan does not know it"
