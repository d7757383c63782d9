"""What a night's plan was asked for and does not do."""

from __future__ import annotations

from collections.abc import Iterator

from placer_models.goals.night import finished
from placer_models.night import Consolidate, Evacuate
from placer_models.plan import Plan
from placer_models.words import once_each


def undone(plan: Plan) -> list[str]:
    """One sentence for each thing that was asked and is not done: a host that was named and is not freed (or not put
    in maintenance), hosts that were counted, GPUs that stay as they are, instances of jobs that do not run, VMs that
    are not back when they are due.

    A VM that stays is none of these by itself: where as many hosts as pay are asked for, it only costs one.
    """
    return [*_hosts(plan), *_jobs(plan), *_returns(plan)]


def _hosts(plan: Plan) -> Iterator[str]:
    asked = plan.asked
    if asked is None:
        return
    why = {one.host: f": {once_each(one.reasons)}" for one in plan.left_out}
    match asked.request:
        case Consolidate() as request:
            freed = {freed.host for freed in plan.freed}
            if isinstance(request.free, int) and len(freed) < request.free:
                yield f"{len(freed)} of {request.free} hosts are freed"
            for host in request.free if isinstance(request.free, tuple) else ():
                if host not in freed:
                    yield f"{host} is not freed{why.get(host, '')}"
        case Evacuate() as request:
            entered = {step.host for step in plan.steps if step.kind == "enter-maintenance"}
            for host in request.hosts:
                if host not in entered:
                    yield f"{host} is not put in maintenance{why.get(host, '')}"
        case request:
            if request.host in why:
                yield f"not all GPUs of {request.host} are changed{why[request.host]}"


def _jobs(plan: Plan) -> Iterator[str]:
    for job in plan.asked.jobs if plan.asked else ():
        done = len([instance for instance in finished(job, plan) if instance < job.instances])
        if done < job.instances:
            yield f"{job.name}: {done} of {job.instances} instances run"


def _returns(plan: Plan) -> Iterator[str]:
    """VMs that are not back when they are due, of a plan that goes on in the midst of a night."""
    begun = plan.asked.begun if plan.asked else None
    for vm, why in begun.excused.items() if begun else ():
        yield f"{vm} is not back when it is due: {why}"
