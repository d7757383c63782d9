"""Greedy peers: the online policies, one request after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.fgd import Fgd, typical
from bench.peers.instance import Instance
from bench.policies import BestFit, FirstFit
from bench.world import Choice, Pod, Policy, World


def best_fit(instance: Instance) -> Mapping[str, Choice]:
    """In the order of the requests, each to the host on which least is left over."""
    most_cpu = max(1, int(instance.world.cpu.max(initial=0)))
    most_gpu = max(1, int(instance.world.idle.max(initial=0)))
    return _all(instance.world, instance.pods, BestFit(most_cpu, most_gpu))


def first_fit_decreasing(instance: Instance) -> Mapping[str, Choice]:
    """Those that ask for most GPU first (then CPU, then memory), each to the first host that has room."""
    largest = sorted(instance.pods, key=lambda pod: (-pod.demand, -pod.cpu_milli, -pod.memory_mib))
    return _all(instance.world, largest, FirstFit())


def fgd(instance: Instance) -> Mapping[str, Choice]:
    """In the order of the requests, by FGD, which is told the mix of all of them."""
    return _all(instance.world, instance.pods, Fgd(typical(instance.pods)))


def _all(world: World, pods: Iterable[Pod], policy: Policy) -> Mapping[str, Choice]:
    choices: dict[str, Choice] = {}
    for pod in pods:
        choice = policy.choose(world, pod)
        if choice is not None:
            world.place(pod, *choice)
            choices[pod.name] = choice
    return choices
