"""BtrPlace's JSON instances (model, constraints, objective) become a snapshot.

Source of the format: github.com/btrplace/scheduler, module `json`. Its numbers are ids: node 3 is the host "node-3",
VM 12 the VM "vm-12". The resource view `cpu` gives CPUs, `mem` gives memory; BtrPlace knows no units: the caller says
how many MiB one of `mem` is. Without a view BtrPlace holds nobody to that resource, and so do we: all have and want 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field

from placer_models.document import Document, Faults, parse, quote, read_json

EPOCH = "1970-01-01T00:00:00Z"
"""When a snapshot was taken if nobody says: the format holds no calendar time."""

MIB_IN_GIB = 1024

Id = Annotated[int, Field(ge=0, lt=2**31)]
Key = Annotated[str, Field(pattern="^(0|[1-9][0-9]{0,9})$")]
"""An id as a key of a JSON object."""
Amount = Annotated[int, Field(ge=0, lt=2**31)]


class _Part(Document):
    model_config = ConfigDict(extra="ignore")


class _Node(_Part):
    runningVMs: tuple[Id, ...] = ()
    sleepingVMs: tuple[Id, ...] = ()


class _Mapping(_Part):
    readyVMs: tuple[Id, ...] = ()
    onlineNodes: dict[Key, _Node] = Field(default_factory=dict)
    offlineNodes: tuple[Id, ...] = ()


class _Model(_Part):
    mapping: _Mapping
    views: tuple[dict[str, Any], ...] = ()
    attributes: dict[str, Any] = Field(default_factory=dict)


class _Instance(_Part):
    model: _Model
    constraints: tuple[dict[str, Any], ...] = ()


class _View(_Part):
    defCapacity: Amount
    defConsumption: Amount
    nodes: dict[Key, Amount] = Field(default_factory=dict)
    vms: dict[Key, Amount] = Field(default_factory=dict)

    def capacity(self, node: int) -> int:
        return self.nodes.get(str(node), self.defCapacity)

    def consumption(self, vm: int) -> int:
        return self.vms.get(str(vm), self.defConsumption)


class _OfVms(_Part):
    vms: tuple[Id, ...]


class _OfVm(_Part):
    vm: Id


class _OfVmAndNodes(_OfVm):
    nodes: tuple[Id, ...]


class _OfNode(_Part):
    node: Id


class _OfNodes(_Part):
    nodes: tuple[Id, ...]
    amount: Amount


_P = TypeVar("_P", bound=_Part)
Power = Literal["on", "off", "suspended"]
ALREADY: Mapping[str, tuple[Power, ...]] = {"running": ("on", "off"), "ready": ("off",), "sleeping": ("suspended",)}
"""The VMs for which a constraint on their power needs no rule (those that are off are asked for)."""

NOTHING = _View(defCapacity=0, defConsumption=0)


def read(
    data: bytes,
    source: str = "the BtrPlace instance",
    *,
    mem_unit_mib: int = MIB_IN_GIB,
    taken_at: str = EPOCH,
    cluster: str = "btrplace",
) -> tuple[dict[str, Any], list[str]]:
    """Read an instance (JSON, perhaps gzipped) into a snapshot document, and say in sentences what of it was left out.

    Running VMs are on, sleeping ones suspended, ready ones off and asked to be powered on unless a `ready` constraint
    keeps them so; all may live-migrate. `spread`, `gather`, `fence`, `ban`, `root` and `runningCapacity` of one node
    become rules; what already is as `running`, `ready`, `sleeping` or `online` wants it needs none. The sentences are
    also the document's `notes`. Raises `Faults`.
    """
    return _Reader(parse(_Instance, read_json(data, source), source), source).snapshot(mem_unit_mib, taken_at, cluster)


class _Reader:
    def __init__(self, instance: _Instance, source: str) -> None:
        self.source = source
        self.instance = instance
        self.mapping = instance.model.mapping
        self.nodes = sorted([*map(int, self.mapping.onlineNodes), *self.mapping.offlineNodes])
        self.known_nodes = frozenset(self.nodes)
        self.offline = set(self.mapping.offlineNodes)
        self.power: dict[int, Power] = {}
        self.host: dict[int, int] = {}
        self.stay_off: set[int] = set()
        self.faults: list[str] = []
        self.ignored: Counter[str] = Counter()
        self._map()

    def snapshot(self, mem_unit_mib: int, taken_at: str, cluster: str) -> tuple[dict[str, Any], list[str]]:
        cpu, mem = self._views()
        rules = [rule for at, raw in enumerate(self.instance.constraints) for rule in self._rules(at, raw)]
        if self.faults:
            raise Faults(self.source, self.faults)
        if self.offline:
            self.ignored[f"{len(self.offline)} offline nodes are disconnected hosts: none is booted"] += 1
        if self.instance.model.attributes:
            self.ignored["the attributes (durations of actions) are not read"] += 1
        said = [sentence if times == 1 else f"{sentence} ({times} of them)" for sentence, times in self.ignored.items()]
        document: dict[str, Any] = {
            "format": "placer.snapshot/1",
            "cluster": cluster,
            "taken_at": taken_at,
            "platform": {"kind": "other"},
            "hosts": [
                {
                    "name": _host(node),
                    **({"state": "disconnected"} if node in self.offline else {}),
                    "cpus": cpu.capacity(node),
                    "memory_mib": mem.capacity(node) * mem_unit_mib,
                }
                for node in self.nodes
            ],
            "vms": [
                {
                    "name": _vm(vm),
                    "power": power,
                    **({"host": _host(self.host[vm])} if power == "on" else {}),
                    "cpus": cpu.consumption(vm),
                    "memory_mib": mem.consumption(vm) * mem_unit_mib,
                    "may": {"live_migrate": True},
                }
                for vm, power in sorted(self.power.items())
            ],
            "rules": rules,
            "requests": [
                {"kind": "power-on", "vm": _vm(vm), "priority": 0}
                for vm, power in sorted(self.power.items())
                if power == "off" and vm not in self.stay_off
            ],
        }
        if said:
            document["notes"] = "From BtrPlace, without: " + "; ".join(said)
        return document, said

    def _map(self) -> None:
        """Who stands where: every node once, every VM once."""
        stands: list[tuple[int, Power, int | None]] = [(vm, "off", None) for vm in self.mapping.readyVMs]
        for key, node in self.mapping.onlineNodes.items():
            stands += [(vm, "on", int(key)) for vm in node.runningVMs]
            stands += [(vm, "suspended", int(key)) for vm in node.sleepingVMs]
        for vm, times in Counter(vm for vm, _, _ in stands).items():
            if times > 1:
                self.faults.append(f"model.mapping: found VM {vm} {times} times, expected once")
        for node_id, times in Counter(self.nodes).items():
            if times > 1:
                self.faults.append(f"model.mapping: found node {node_id} {times} times, expected once")
        for vm, power, host in stands:
            self.power[vm] = power
            if host is not None:
                self.host[vm] = host

    def _views(self) -> tuple[_View, _View]:
        found: dict[str, _View] = {}
        for at, raw in enumerate(self.instance.model.views):
            path, name = f"model.views[{at}]", raw.get("rcId")
            if raw.get("id") != "shareableResource" or name not in ("cpu", "mem"):
                self.ignored[f"the view {quote(name or raw.get('id'))} is not read"] += 1
                continue
            if name in found:
                self.faults.append(f"{path}.rcId: found {quote(name)} a second time, expected one view of each")
            found[name] = self._part(_View, path, raw)
            self._known(f"{path}.nodes", "node", map(int, found[name].nodes), self.known_nodes)
            self._known(f"{path}.vms", "VM", map(int, found[name].vms), self.power)
        for name, word in (("cpu", "CPUs"), ("mem", "memory")):
            if name not in found:
                self.ignored[f"there is no view {name!r}: nobody has or wants {word} (0 everywhere)"] += 1
        return found.get("cpu", NOTHING), found.get("mem", NOTHING)

    def _rules(self, at: int, raw: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rules that a constraint becomes: one, or none."""
        path, kind = f"constraints[{at}]", raw.get("id")
        match kind:
            case "spread" | "gather":
                vms = self._vms(path, self._part(_OfVms, path, raw).vms)
                ours = "apart" if kind == "spread" else "together"
                return [{"kind": ours, "vms": vms, "by": "host", "strength": "must"}] if len(vms) > 1 else []
            case "fence" | "ban":
                pair = self._part(_OfVmAndNodes, path, raw)
                vms, hosts = self._vms(path, (pair.vm,)), self._hosts(path, pair.nodes)
                strength = "must" if kind == "fence" else "must-not"
                return [{"kind": "affinity", "vms": vms, "hosts": hosts, "strength": strength}]
            case "root":
                return [{"kind": "stay", "vms": self._vms(path, (self._part(_OfVm, path, raw).vm,))}]
            case "runningCapacity" if isinstance(raw.get("nodes"), list) and len(raw["nodes"]) == 1:
                limit = self._part(_OfNodes, path, raw)
                return [{"kind": "limit", "hosts": self._hosts(path, limit.nodes), "most_vms": limit.amount}]
            case "running" | "ready" | "sleeping":
                vm = self._part(_OfVm, path, raw).vm
                self._vms(path, (vm,))
                if kind == "ready" and self.power.get(vm) == "off":
                    self.stay_off.add(vm)
                if self.power.get(vm) in ALREADY[kind]:
                    return []
            case "online":
                node = self._part(_OfNode, path, raw).node
                self._hosts(path, (node,))
                if node not in self.offline:
                    return []
        self.ignored[f"the constraint {quote(kind)} is not kept"] += 1
        return []

    def _part(self, cls: type[_P], path: str, raw: Mapping[str, Any]) -> _P:
        return parse(cls, raw, f"{self.source}: {path}")

    def _vms(self, path: str, ids: Sequence[int]) -> list[str]:
        self._known(path, "VM", ids, self.power)
        return [_vm(vm) for vm in dict.fromkeys(ids)]

    def _hosts(self, path: str, ids: Sequence[int]) -> list[str]:
        self._known(path, "node", ids, self.known_nodes)
        return [_host(node) for node in dict.fromkeys(ids)]

    def _known(self, path: str, word: str, ids: Iterable[int], known: Container[int]) -> None:
        for number in ids:
            if number not in known:
                self.faults.append(f"{path}: found the {word} {number}, expected one that model.mapping has")


def _vm(number: int) -> str:
    return f"vm-{number}"


def _host(number: int) -> str:
    return f"node-{number}"
