"""A cluster that changes: its documents, its scene and its columns, kept the same at every change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice

from placer.warm.field import Field
from placer_models.cluster import Cluster, Gpu, Host, Seat, Vm
from placer_models.decision import Decision
from placer_models.document import Faults
from placer_models.goals.goal import Goal
from placer_models.gpus import Sharing
from placer_models.named import renew_members
from placer_models.parts import Parts
from placer_models.references import References
from placer_models.scene import Stand
from placer_models.snapshot import PowerOn, Snapshot


class Standing:
    """What stands where. Every change is made whole or, where something is wrong with it, not at all (Faults). `sample`
    are VMs like those that are expected.
    """

    def __init__(self, snapshot: Snapshot, decision: Decision, sample: Sequence[Vm] | None = None) -> None:
        self._first, self._decision, self._sample = snapshot, decision, sample
        self.jobs = snapshot.jobs
        self.hosts: dict[str, Host] = dict(snapshot.content.hosts)
        self.vms: dict[str, Vm] = dict(snapshot.content.vms)
        self.field = self._fresh()

    def _fresh(self) -> Field:
        first = self._first.content
        cluster = Cluster(
            first.name, first.platform, self.hosts, self.vms, catalogue=first.catalogue, expected=first.expected
        )
        rules = self._decision.rules_of(self._first.rules)
        return Field(cluster, rules, self._decision.goals_of(cluster), self._sample)

    def goals_of(self, asked: Mapping[str, int]) -> list[Goal]:
        """The decision's goals where these VMs are asked for, each with its priority."""
        return self._decision.goals_of(replace(self.field.cluster, asked=asked))

    def snapshot(self, asked: Mapping[str, int] | None = None, vms: Sequence[Vm] = ()) -> Snapshot:
        """The document of what is now; `asked` in place of its own requests, and `vms` in place of those known."""
        running = {vm.name for vm in self.vms.values() if vm.power == "on"}
        requests = tuple(
            one
            for one in self._first.requests
            if asked is None and not (isinstance(one, PowerOn) and (one.vm in running or one.vm not in self.vms))
        )
        if asked is not None:
            requests = tuple(PowerOn(vm=vm, priority=priority) for vm, priority in asked.items())
        known = {**self.vms, **{vm.name: vm for vm in vms}}
        return self._first.with_parts(hosts=tuple(self.hosts.values()), vms=tuple(known.values()), requests=requests)

    def stand(self, name: str) -> Stand | None:
        """Where a VM stands."""
        return next(iter(self.field.scene.of(name)), None)

    # changes that are known to be right

    def know(self, vm: Vm) -> Vm | None:
        """Take a VM's document in place of the one that is known, which is given back."""
        was = self.vms.get(vm.name)
        if was is None or was.wants != vm.wants or was.needs != vm.needs:
            if was is not None:
                self.field.learn(was, -1)
            self.field.learn(vm, 1)
        self.vms[vm.name] = vm
        renew_members(self.field.cluster, was, vm)
        return was

    def forget(self, name: str) -> None:
        """A VM that stands nowhere is gone."""
        was = self.vms.pop(name)
        self.field.learn(was, -1)
        renew_members(self.field.cluster, was, None)

    def start(self, vm: Vm, stand: Stand) -> None:
        """A VM that stands nowhere starts."""
        for hold in stand.holds:
            self._put_in(stand.host, hold.gpu, hold.sharing)
        self.know(running(vm, stand))
        self.field.put(stand)

    def stop(self, name: str) -> None:
        """A running VM stops."""
        stand = self.stand(name)
        assert stand is not None, f"{name} stands nowhere"
        self.field.remove(stand)
        self.know(_stopped(self.vms[name]))

    def move(self, stands: Sequence[Stand]) -> None:
        """Running VMs stand elsewhere: some perhaps where another of them stood."""
        for stand in stands:
            self.stop(stand.vm)
        for stand in stands:
            self.start(self.vms[stand.vm], stand)

    def change_host(self, host: Host) -> None:
        """Take a host's document in place of the one that is known."""
        new = host.name not in self.hosts
        self.hosts[host.name] = host
        if new:
            self.field = self._fresh()
        else:
            self.field.columns.refresh(host.name)
            self.field.wishes.recount()
            self.changed()

    def changed(self) -> None:
        """A document has changed beneath who stands there: rules that remember scenes and do not follow begin anew."""
        if any(rule.exact and not rule.keeps_up for rule in self.field.rules):
            self.field = self._fresh()

    def _put_in(self, host_name: str, gpu_id: str, sharing: Sharing) -> None:
        """An empty GPU comes to stand in another of the sharings that are open to it; all of them stay open."""
        host = self.hosts[host_name]
        if host.gpu[gpu_id].sharing != sharing:
            gpu = host.gpu[gpu_id]
            update = {"sharing": sharing, "may_share": gpu.sharings}
            self.hosts[host_name] = with_gpu(host, gpu.model_copy(update=update))

    # what is wrong with a change

    def naming(self, vm: str) -> str | None:
        """A rule that names a VM; a request that does goes with it."""
        for rule in self._first.rules:
            if vm in (getattr(rule, "vms", None) or ()) or getattr(rule, "vm", None) == vm:
                return f"a rule ({rule.kind})"
        return None

    def refuse_where(self, what: str, hosts: Sequence[Host], vms: Sequence[Vm] = ()) -> None:
        """Raise Faults where these documents do not fit together with who stands on those hosts."""
        names, changed = {host.name for host in hosts}, {vm.name: vm for vm in vms}
        there = (self.vms[stand.vm] for host in names & self.hosts.keys() for stand in self.field.scene.on(host))
        all_vms = [vm for vm in there if vm.name not in changed]
        parts = Parts.whole(hosts, tuple(chain(all_vms, vms)), (), (), self.jobs)
        for fault in References(parts, self.field.cluster.catalogue, self.field.cluster.platform).faults():
            raise Faults(what, [fault.partition(": ")[2]])


def with_gpu(host: Host, gpu: Gpu) -> Host:
    """The host with one of its GPUs replaced by another of the same id."""
    return host.model_copy(update={"gpus": tuple(gpu if one.id == gpu.id else one for one in host.gpus)})


def running(vm: Vm, stand: Stand) -> Vm:
    """The document of a VM that stands so."""
    holds, asks = iter(stand.holds), []
    for ask in vm.wants:
        seats = tuple(Seat(gpu=hold.gpu, slot=hold.slot) for hold in islice(holds, ask.count))
        asks.append(ask.model_copy(update={"at": seats}))
    return vm.model_copy(update={"power": "on", "host": stand.host, "gpus": tuple(asks)})


def _stopped(vm: Vm) -> Vm:
    return vm.model_copy(update={"power": "off", "host": None, "gpus": vm.wants})
