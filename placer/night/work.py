"""The jobs as a night's target sees them: what each host could do if it were emptied as fast as can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from placer.night.flash import Flashing
from placer.night.window import Night
from placer.solve.errands import Errand
from placer.solve.least import Resource, resources_of
from placer.solve.survey import Survey
from placer.solve.target import JobOn, Work
from placer_models.cluster import Host

MANY_SPOTS = 1_000
"""With more pairs of a job and a host, hosts of one kind are added up for the jobs."""

MANY_TICKS = 5_000
"""With more ticks, summed up over all jobs and kinds of hosts, jobs are added up by their seconds alone."""


def work_of(night: Night, may_free: frozenset[str], flashing: Flashing | None = None) -> Work:
    """The jobs, and what the hosts that may be emptied have for them. Hosts of one kind are asked once."""
    cluster, flashing = night.scene.cluster, flashing or Flashing(night)
    survey, resources = Survey(cluster, night.rules, ()), resources_of(cluster)
    spots: list[JobOn] = []
    amounts: dict[tuple[str, str], Mapping[str, int]] = {}
    rooms: dict[str, Mapping[str, int]] = {}
    kinds: dict[int, Mapping[str, Mapping[str, int]]] = {}
    hours: list[tuple[int, int]] = []
    tick = _tick(night.errands)
    for name in sorted(may_free):
        host, kind = cluster.hosts[name], survey.host(name)
        opens, closes = night.free_at_most(name)
        length = (closes - opens) // tick * tick  # whoever has some CPUs, or a GPU, one after the other takes so long
        if length <= 0:
            continue
        hours.append((opens, closes))
        if kind not in kinds:
            kinds[kind] = {errand.name: _takes(errand, host, resources) for errand in night.errands}
        rooms[name] = {key: amount * length for key, amount in _room(host, resources).items()}
        for errand in night.errands:
            most = flashing.most(errand, name, (opens, closes))
            if most > 0:
                spots.append(JobOn(errand.name, name, most))
                amounts[(errand.name, name)] = kinds[kind][errand.name]
    span = max((end for _, end in hours), default=0) - min((begin for begin, _ in hours), default=0)
    few = len(night.errands) * len(kinds) * (span // tick) <= MANY_TICKS
    return Work(
        value={errand.name: errand.value for errand in night.errands},
        instances={errand.name: errand.instances for errand in night.errands},
        spots=spots,
        amounts=amounts,
        rooms=rooms,
        parts={errand.name: errand.seconds for errand in night.errands if errand.least},
        longest={errand.name: _longest(errand, hours) for errand in night.errands},
        span=span // tick * tick,
        lasting={errand.name: errand.seconds // tick for errand in night.errands if few and _at_any_tick(night, hours)},
        tick=tick,
        pools={name: f"hosts of kind {survey.host(name)}" for name in rooms} if len(spots) > MANY_SPOTS else {},
    )


def _tick(errands: Sequence[Errand]) -> int:
    """The common measure of all lengths; a second where there are parts of any length."""
    return 1 if any(errand.least for errand in errands) else math.gcd(*(errand.seconds for errand in errands)) or 1


def _at_any_tick(night: Night, hours: Sequence[tuple[int, int]]) -> bool:
    """Whether every run could be moved earlier until it begins when its host is free, or when another ends: none is
    done in parts, and none has to wait for its hour. (Runs that are under way already only take room away.)
    """
    first = min((begin for begin, _ in hours), default=0)
    return all(errand.earliest <= first and not errand.least for errand in night.errands)


def _room(host: Host, resources: Sequence[Resource]) -> dict[str, int]:
    """What a host has of each resource; its time is one, too."""
    return {resource.name: resource.room(host) for resource in resources} | {"time": 1}


def _takes(errand: Errand, host: Host, resources: Sequence[Resource]) -> Mapping[str, int]:
    """What an instance of a job takes of a host, times its seconds (done in parts: what it takes in a second)."""
    takes = {resource.name: resource.amount(errand.vm) for resource in resources}
    if errand.whole_host:
        takes = _room(host, resources)
    return {key: amount * errand.unit for key, amount in takes.items()}


def _longest(errand: Errand, hours: Sequence[tuple[int, int]]) -> int:
    """For how many seconds an instance can run on hosts that are free from when until when."""
    longest, last = 0, errand.earliest
    for begin, end in sorted(errand.within(one) for one in hours):
        longest += max(0, end - max(begin, last))
        last = max(last, end)
    return longest
