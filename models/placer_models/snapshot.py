"""The document in: one moment of a cluster, and what is asked of it (`placer.snapshot/1`).

Reading checks everything: keys and types first, then every cross-reference (hosts, VMs, GPUs, profiles, what holds
what). All faults are reported together.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, Field, PrivateAttr

from placer_models.cluster import Ask, Cluster, Gpu, Host, Platform, Vm
from placer_models.document import Document, Faults, Name, digest, parse, quote, read_json
from placer_models.gpus import SHARINGS, Catalogue, Use, lays
from placer_models.rules import STATED, Rule
from placer_models.scene import Hold
from placer_models.seating import POSITIONAL, accepts, unit_of, use_of

if TYPE_CHECKING:
    StatedRule = Rule
else:  # the shipped rules and a site's own
    StatedRule = Annotated[reduce(or_, STATED.values()), Field(discriminator="kind")]


class PowerOn(Document):
    """Start a VM. A higher `priority` is served first."""

    kind: Literal["power-on"] = "power-on"
    vm: Name
    priority: int = Field(default=0, ge=-(10**6), le=10**6)


class Snapshot(Document):
    """One moment of a cluster and what is asked of it. Read one with `Snapshot.load`."""

    format: Literal["placer.snapshot/1"]
    cluster: Name
    taken_at: AwareDatetime
    platform: Platform = Platform()
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...] = ()
    rules: tuple[StatedRule, ...] = ()
    requests: tuple[PowerOn, ...] = ()
    labels: Mapping[Name, str] = Field(default_factory=dict)
    notes: str | None = None

    _catalogue: Catalogue = PrivateAttr(default_factory=Catalogue.shipped)
    _digest: str = PrivateAttr(default="")

    @classmethod
    def load(cls, data: bytes, source: str = "the snapshot", catalogue: Catalogue | None = None) -> Snapshot:
        """The snapshot that these bytes hold (JSON, or gzip of it).

        `catalogue` brings a site's own GPU models. Raises Faults: every fault of the document, each as one sentence.
        """
        return cls.of(read_json(data, source), source, catalogue, digest(data))

    @classmethod
    def of(
        cls, values: object, source: str = "the snapshot", catalogue: Catalogue | None = None, sha256: str = ""
    ) -> Snapshot:
        """The snapshot that plain values (dicts and lists) make up. Raises Faults."""
        snapshot = parse(cls, values, source)
        if catalogue is not None:
            snapshot._catalogue = catalogue
        snapshot._digest = sha256
        faults = list(_faults(snapshot))
        if faults:
            raise Faults(source, faults)
        return snapshot

    @property
    def sha256(self) -> str:
        """The digest of the bytes that were read, which answers carry."""
        return self._digest

    @property
    def catalogue(self) -> Catalogue:
        """The GPU models that it was read with."""
        return self._catalogue

    @cached_property
    def content(self) -> Cluster:
        """The cluster by name, as rules and goals look at it."""
        return Cluster(
            name=self.cluster,
            platform=self.platform,
            hosts={host.name: host for host in self.hosts},
            vms={vm.name: vm for vm in self.vms},
            asked={request.vm: request.priority for request in self.requests},
            catalogue=self._catalogue,
        )


def _faults(snapshot: Snapshot) -> Iterator[str]:
    """Everything that is wrong between the parts of a snapshot whose parts are right."""
    yield from _twice("hosts", "name", (host.name for host in snapshot.hosts))
    yield from _twice("vms", "name", (vm.name for vm in snapshot.vms))
    yield from _twice("requests", "vm", (request.vm for request in snapshot.requests))
    for i, host in enumerate(snapshot.hosts):
        yield from _host_faults(f"hosts[{i}]", host, snapshot.catalogue)
    hosts = {host.name: host for host in snapshot.hosts}
    vms = {vm.name: vm for vm in snapshot.vms}
    held: dict[tuple[str, str], list[tuple[Use, int | None, str]]] = {}
    cluster = Cluster(snapshot.cluster, snapshot.platform, hosts, vms, {}, snapshot.catalogue)
    for i, vm in enumerate(snapshot.vms):
        yield from _vm_faults(f"vms[{i}]", vm, cluster, held)
    for i, request in enumerate(snapshot.requests):
        found = vms.get(request.vm)
        if found is None:
            yield f"requests[{i}].vm: {unknown('VM', request.vm, vms)}"
        elif found.power == "on":
            yield f"requests[{i}].vm: found '{request.vm}', which is on; expected a VM that is off or suspended"
    for i, rule in enumerate(snapshot.rules):
        yield from _rule_faults(f"rules[{i}]", rule, hosts, vms)


def _twice(path: str, key: str, names: Iterable[str]) -> Iterator[str]:
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            yield f"{path}[{i}].{key}: found {quote(name)} again, which {path}[{first[name]}] has; expected each once"
        first.setdefault(name, i)


def unknown(what: str, name: str, known: Iterable[str], of: str = "this snapshot") -> str:
    """The sentence for a name that nothing has, with the nearest one that something has."""
    near = difflib.get_close_matches(name, list(known), 1)
    hint = f"; did you mean {quote(near[0])}?" if near else ""
    return f"found {quote(name)}, expected a {what} of {of}{hint}"


def _host_faults(path: str, host: Host, catalogue: Catalogue) -> Iterator[str]:
    yield from _twice(f"{path}.gpus", "id", (gpu.id for gpu in host.gpus))
    if host.reserved_cpus > host.cpus:
        yield f"{path}.reserved_cpus: found {host.reserved_cpus:g}, expected at most its {host.cpus:g} CPUs"
    if host.reserved_memory_mib > host.memory_mib:
        found = f"found {host.reserved_memory_mib}, expected at most its {host.memory_mib} MiB"
        yield f"{path}.reserved_memory_mib: {found}"
    for i, gpu in enumerate(host.gpus):
        model = catalogue.find(gpu.model)
        able = [sharing for sharing in SHARINGS if model.row_units(sharing)]
        for key, sharings in (("sharing", (gpu.sharing,)), ("may_share", gpu.may_share or ())):
            for sharing in sharings:
                if model.row_units(sharing) == 0:
                    found = f"found '{sharing}', which a {model.name} cannot stand in"
                    yield f"{path}.gpus[{i}].{key}: {found}; expected one of {', '.join(able)}"
    for i, group in enumerate(host.nvlink_groups):
        for j, gpu_id in enumerate(group):
            if gpu_id not in host.gpu:
                yield f"{path}.nvlink_groups[{i}][{j}]: {unknown('GPU', gpu_id, host.gpu, of=host.name)}"
        yield from _twice(f"{path}.nvlink_groups[{i}]", "gpu", group)


def _vm_faults(
    path: str, vm: Vm, cluster: Cluster, held: dict[tuple[str, str], list[tuple[Use, int | None, str]]]
) -> Iterator[str]:
    host = cluster.hosts.get(vm.host) if vm.host is not None else None
    if vm.host is not None and host is None:
        yield f"{path}.host: {unknown('host', vm.host, cluster.hosts)}"
    elif vm.host is None and vm.power == "on":
        yield f"{path}: missing 'host': a VM that is on stands on a host"
    for i, ask in enumerate(vm.gpus):
        wrong = list(_ask_faults(f"{path}.gpus[{i}]", ask, cluster.catalogue))
        yield from wrong
        if wrong:
            continue
        if vm.power != "on":
            if ask.at:
                yield f"{path}.gpus[{i}].at: found a GPU held by a VM that is {vm.power}, expected none"
        elif len(ask.at) != ask.count:
            expected = f"expected where each of its {ask.count} is held, as the VM is on"
            yield f"{path}.gpus[{i}].at: found {len(ask.at)} places, {expected}"
        elif host is not None:
            shares: Counter[str] = Counter()
            for j, seat in enumerate(ask.at):
                at = f"{path}.gpus[{i}].at[{j}]"
                gpu = host.gpu.get(seat.gpu)
                if gpu is None:
                    yield f"{at}.gpu: {unknown('GPU', seat.gpu, host.gpu, of=host.name)}"
                    continue
                shares[gpu.id] += 1
                if ask.milli is not None and shares[gpu.id] == 2:
                    yield f"{at}.gpu: found {quote(gpu.id)} again, expected the shares of one ask on different GPUs"
                hold = Hold(gpu.id, gpu.sharing, ask.profile, seat.slot, ask.milli)
                yield from _hold_faults(at, vm, ask, hold, gpu, host, cluster, held)


def _ask_faults(path: str, ask: Ask, catalogue: Catalogue) -> Iterator[str]:
    if ask.profile is not None and ask.milli is not None:
        yield f"{path}: found both 'profile' and 'milli', expected one of them"
    if ask.profile is not None and ask.mode is not None:
        yield f"{path}.mode: found a mode beside a profile, expected none: profiles stand on graphics mode"
    if ask.profile is None:
        return
    having = catalogue.profile_models(ask.profile)
    if not having:
        near = difflib.get_close_matches(
            ask.profile, [profile.name for model in catalogue.models for profile in model.profiles], 1
        )
        hint = f"; did you mean {quote(near[0])}?" if near else ""
        yield f"{path}.profile: found {quote(ask.profile)}, expected a profile of the catalogue's GPU models{hint}"
    elif ask.models and not any(catalogue.find(name) in having for name in ask.models):
        yield f"{path}.profile: found {quote(ask.profile)}, which no {' or '.join(ask.models)} has"


def _hold_faults(
    path: str,
    vm: Vm,
    ask: Ask,
    hold: Hold,
    gpu: Gpu,
    host: Host,
    cluster: Cluster,
    held: dict[tuple[str, str], list[tuple[Use, int | None, str]]],
) -> Iterator[str]:
    """What is wrong with one hold of a running VM, given what the VMs before it in the document hold."""
    where = f"GPU {gpu.id} of {host.name}"
    model = cluster.catalogue.find(gpu.model)
    if not accepts(cluster.catalogue, ask, gpu.model, gpu.mode):
        asked = " or ".join(ask.models or ("any GPU",)) + (f" in mode {ask.mode or 'graphics'}" if ask.whole else "")
        yield f"{path}.gpu: found {where}, a {gpu.model} in mode {gpu.mode}; expected {asked}, as the VM asks"
        return
    use = use_of(cluster, gpu, hold)
    if use is None and ask.profile is not None and model.profile(ask.profile) is None:
        yield f"{path}.gpu: found {where}, a {gpu.model}, which has no profile {quote(ask.profile)}"
        return
    if use is None:
        what = ask.profile or (f"{ask.milli}/1000" if ask.milli else "a whole GPU")
        yield f"{path}.gpu: found {where}, which stands in sharing '{gpu.sharing}' and cannot give {what} so"
        return
    if hold.slot is None and gpu.sharing in POSITIONAL:
        where_it_is = f"in sharing '{gpu.sharing}' it matters where {ask.profile} is"
        yield f"{path}: missing 'slot': {where_it_is}; legal: {', '.join(map(str, use.starts or ()))}"
        return
    before = held.setdefault((host.name, gpu.id), [])
    row = model.row_units(gpu.sharing)
    now = lays((*((other, slot) for other, slot, _ in before), (use, unit_of(hold))), row)
    if now:
        holders = list(dict.fromkeys(name for _, _, name in before))
        others = f" (held also by {', '.join(holders[:3])}{' ...' if len(holders) > 3 else ''})" if holders else ""
        yield f"{path}: found {where} held against its rules: {'; '.join(now)}{others}"
        return
    before.append((use, unit_of(hold), vm.name))


def _rule_faults(path: str, rule: Rule, hosts: Mapping[str, Host], vms: Mapping[str, Vm]) -> Iterator[str]:
    for key, what, known in (("vms", "VM", vms), ("hosts", "host", hosts)):
        names = getattr(rule, key, None)
        if isinstance(names, tuple):
            for i, name in enumerate(names):
                if name not in known:
                    yield f"{path}.{key}[{i}]: {unknown(what, name, known)}"
            yield from _twice(f"{path}.{key}", what, names)
    label = getattr(rule, "by", "host")
    if label != "host" and not any(label in host.labels for host in hosts.values()):
        known_labels = sorted({key for host in hosts.values() for key in host.labels})
        expected = f"'host' or a label that hosts have ({', '.join(known_labels) or 'they have none'})"
        yield f"{path}.by: found {quote(label)}, expected {expected}"
