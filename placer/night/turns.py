"""What a plan could have that frees hosts in turn, and one that frees them once cannot: where bounds stop.

The search chooses one target for a night: some hosts empty from the evening until the morning. Its bound on job value
holds for plans with one target. A plan may also free one host for the first hours and another for the last, each for a
job that only it can do; of all plans the bound holds where no turns can help:

- at most one host can be emptied, or the target empties all that can be;
- no job is done in parts, and the two shortest runs together are longer than the window: then all runs are under way at
  one instant, at which the hosts of them all are empty together (intervals of which each two meet have a point in
  common: Helly);
- no job is done in parts, and all want whole hosts for equally long, and are the same to each host, none of which is
  flashed: runs that are never more than so many at once can be done on so many hosts (interval graphs are perfect).

Else what is known is how many hosts can be empty at one instant, and what jobs can bring on so many
(`placer.solve.value`); of the other goals nothing is then known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from placer.night.flash import Flashing
from placer.night.window import Night
from placer_models.cluster import Host
from placer_models.moving import immovable, unsuspendable

if TYPE_CHECKING:
    from placer.solve.night import NightOutcome


def for_every_plan(night: Night, outcome: NightOutcome) -> NightOutcome:
    """The outcome of a night's search with only those bounds that no plan beats, whatever turns it takes."""
    can_empty = can_be_emptied(night)
    freed = {tier.goal.kind: tier.score for tier in outcome.tiers}.get("hosts-freed", 0)
    if len(can_empty) <= 1 or freed == len(can_empty) or night.request.free == 1 or not _turns_help(night, can_empty):
        return outcome
    most = {"job-value": sum(errand.value * errand.instances for errand in night.errands), **outcome.always}
    tiers, holds = [], True
    for tier in outcome.tiers:
        bound = tier.bound if holds else most.get(tier.goal.kind)
        if tier.goal.kind == "job-value":
            bound, holds = most["job-value"], False
        tiers.append(replace(tier, bound=bound))
    return replace(outcome, tiers=tiers)


def _turns_help(night: Night, hosts: list[Host]) -> bool:
    """Whether it may be worth more to empty these hosts one after the other than some of them once."""
    if any(errand.least for errand in night.errands):
        return True
    lengths = sorted(errand.seconds for errand in night.errands for _ in range(min(errand.instances, 2)))
    if len(lengths) < 2 or lengths[0] + lengths[1] > night.seconds:
        return False
    if len(set(lengths)) > 1 or not all(errand.whole_host for errand in night.errands):
        return True
    if Flashing(night).may_help():
        return True
    each = night.seconds // lengths[0]
    times = [night.free_at_most(host.name) for host in hosts]
    timeless = all(errand.earliest == 0 and errand.latest >= night.seconds for errand in night.errands)
    alike = len({_equipment(host) for host in hosts}) == 1
    return not (timeless and alike and all((closes - opens) // lengths[0] == each for opens, closes in times))


def _equipment(host: Host) -> tuple[object, ...]:
    gpus = tuple((gpu.make, gpu.board, gpu.numa_node, gpu.sharings) for gpu in host.gpus)
    return host.cpu_room_milli, host.memory_room_mib, gpus


def can_be_emptied(night: Night) -> list[Host]:
    """The hosts that some plan might free."""
    cluster, free = night.scene.cluster, night.request.free
    found = []
    for host in cluster.hosts.values():
        stands = [(stand, cluster.vms[stand.vm]) for stand in night.scene.on(host.name)]
        stuck = any(
            immovable(cluster, vm, stand) and unsuspendable(cluster, vm, stand) and not vm.may.power_cycle
            for stand, vm in stands
        )
        wanted = night.in_scope(host.name) and (not isinstance(free, tuple) or host.name in free)
        if wanted and host.state == "up" and not stuck:
            found.append(host)
    return found
