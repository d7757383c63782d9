"""What a plan that goes on in the midst of a night takes over from the hours before: what it means is said in
`placer.judge.timed`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from placer.judge.check import broken
from placer.judge.timeline import CLOCK, EVER, Act, Run
from placer_models.cluster import Cluster, Gpu, Vm
from placer_models.night import GpuBefore
from placer_models.plan import Breach, Plan, Step
from placer_models.rules.gpu import GpuRule
from placer_models.rules.host_state import HostState
from placer_models.rules.rule import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import stand_on
from placer_models.snapshot import unknown


class Midway:
    """How a night has begun before a plan's own part of it. `at` is when that begins (`EVER`: with the night).

    `cluster` is the snapshot's, but that hosts which told steps have put in maintenance, and not taken out of it, are
    up (they may be disconnected while they restart), and GPUs that they have changed in the mode and sharing, as they
    were before. `asleep` and `off` are the VMs that told steps have suspended or powered off, and where each stood.
    """

    def __init__(self, cluster: Cluster, plan: Plan) -> None:
        begun = plan.asked.begun if plan.asked else None
        self.at = EVER if begun is None else CLOCK.seconds(begun.at)
        self.homes: Mapping[str, str] = {} if begun is None else begun.homes
        self.excused: Mapping[str, str] = {} if begun is None else begun.excused
        self.asleep: dict[str, Stand] = {}
        self.off: dict[str, Stand] = {}
        self.faults: list[str] = []
        told = [] if begun is None else [step for step in plan.steps if step.end <= begun.at]
        self.cluster = _before(cluster, told, () if begun is None else begun.gpus)
        last = {step.vm: step.leaves for step in sorted(told, key=lambda step: step.start) if step.leaves is not None}
        for name, home in self.homes.items():
            self.faults += self._wrong_home(name, home)
            vm = cluster.vms.get(name)
            host = last.get(name) or home
            if vm is not None and vm.power != "on" and host in cluster.hosts:
                gone = self.asleep if vm.power == "suspended" else self.off
                gone[name] = _stood(self.cluster, vm, host)

    def broken_before(self, scene: Scene, rules: Sequence[Rule]) -> list[list[Breach]]:
        """What was broken as the night began, of rules that say nothing of a host's state or of single GPUs: none where
        a plan begins with its night.
        """
        if not self.homes:
            return [[] for _ in rules]
        begun = as_begun(scene, self.homes)
        by_state = (HostState, GpuRule)
        return [
            [] if isinstance(rule, by_state) else found for rule, found in zip(rules, broken(begun, rules), strict=True)
        ]

    def is_told(self, one: Act | Run) -> bool:
        """Whether something had ended before the plan's own part begins, and is not played."""
        return one.end <= self.at

    def _wrong_home(self, vm: str, host: str) -> Iterator[str]:
        if vm not in self.cluster.vms:
            yield f"asked.begun.homes: {unknown('VM', vm, self.cluster.vms)}"
        elif host not in self.cluster.hosts and vm not in self.excused:
            yield f"asked.begun.homes[{vm}]: {unknown('host', host, self.cluster.hosts)}"


def as_begun(scene: Scene, homes: Mapping[str, str]) -> Scene:
    """A scene of the night with these VMs on the hosts on which they ran when it began, as far as both are there."""
    begun, cluster = scene.copy(), scene.cluster
    known = {vm: host for vm, host in homes.items() if vm in cluster.vms and host in cluster.hosts}
    for vm in known:
        for stand in begun.of(vm):
            begun.remove(stand)
    for vm, host in known.items():
        begun.put(stand_on(begun, cluster.vms[vm], cluster.hosts[host]) or Stand(vm, host))
    return begun


def _before(cluster: Cluster, told: list[Step], gpus: Sequence[GpuBefore]) -> Cluster:
    """The cluster with those hosts up that these steps have put in maintenance, and these GPUs as they were."""
    inside: dict[str, int] = defaultdict(int)
    for step in told:
        if step.host is not None:
            inside[step.host] += {"enter-maintenance": 1, "leave-maintenance": -1}.get(step.kind, 0)
    changed = {
        name: host.model_copy(update={"state": "up"}) for name, host in cluster.hosts.items() if inside.get(name, 0) > 0
    }
    for was in gpus:
        host = changed.get(was.host) or cluster.hosts.get(was.host)
        if host is not None:
            row = tuple(_as_it_was(cluster, gpu, was) if gpu.id == was.gpu else gpu for gpu in host.gpus)
            changed[was.host] = host.model_copy(update={"gpus": row})
    return replace(cluster, hosts={**cluster.hosts, **changed}) if changed else cluster


def _as_it_was(cluster: Cluster, gpu: Gpu, was: GpuBefore) -> Gpu:
    known = cluster.catalogue.find(gpu.model)
    model = gpu.model if was.mode is None else known.name
    sharing = was.sharing or gpu.sharing
    more = {"model": model, "mode": was.mode or gpu.mode, "sharing": sharing, "may_share": gpu.sharings}
    return gpu.model_copy(update=more)


def _stood(cluster: Cluster, vm: Vm, host: str) -> Stand:
    """How a VM stood on a host, as far as it matters to where it may go: GPUs of the models that it held."""
    bare = Scene(cluster)
    return stand_on(bare, vm, cluster.hosts[host]) or Stand(vm.name, host)
