"""The document in: one moment of a cluster, and what is asked of it (`placer.snapshot/1`).

Reading checks everything: keys and types first, then every cross-reference (hosts, VMs, GPUs, profiles, what holds
what). All faults are reported together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, reduce
from itertools import islice
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, PrivateAttr

from placer_models.clock import Instant
from placer_models.cluster import Cluster, Host, Typical, Vm
from placer_models.document import Document, Faults, Name, digest, parse, read_json
from placer_models.gpus import Catalogue
from placer_models.night import Asked, Consolidate, Evacuate, Job, SetMode
from placer_models.parts import Parts
from placer_models.platform import Platform, given
from placer_models.references import References, unknown
from placer_models.rules import STATED, Rule

__all__ = ["PowerOn", "Snapshot", "unknown"]

if TYPE_CHECKING:
    StatedRule = Rule
else:  # the shipped rules and a site's own
    StatedRule = Annotated[reduce(or_, STATED.values()), Field(discriminator="kind")]

MOST_CROSSED = 200
"""Faults between the parts of a snapshot that are told; nobody reads more."""


class PowerOn(Document):
    """Start a VM. A higher `priority` is served first."""

    kind: Literal["power-on"] = "power-on"
    vm: Name
    priority: int = Field(default=0, ge=-(10**6), le=10**6)


Request = Annotated[PowerOn | Consolidate | Evacuate | SetMode, Field(discriminator="kind")]


class Snapshot(Document):
    """One moment of a cluster and what is asked of it. Read one with `Snapshot.load`."""

    format: Literal["placer.snapshot/1"]
    cluster: Name
    taken_at: Instant
    platform: Platform = Platform()
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...] = ()
    rules: tuple[StatedRule, ...] = ()
    requests: tuple[Request, ...] = ()
    jobs: tuple[Job, ...] = ()
    labels: Mapping[Name, str] = Field(default_factory=dict)
    notes: str | None = None

    _catalogue: Catalogue = PrivateAttr(default_factory=Catalogue.shipped)
    _digest: str = PrivateAttr(default="")
    _expected: Typical | None = PrivateAttr(default=None)

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
        """The snapshot that plain values (dicts and lists) make up.

        Raises Faults: what is wrong with keys and types, and what does not fit between those parts whose own are right.
        """
        models = catalogue or Catalogue.shipped()
        try:
            snapshot = parse(cls, values, source)
        except Faults as faults:
            if faults.more:  # enough to read already
                raise
            parts = Parts.right_ones(values, {key: _item(key) for key in ("hosts", "vms", "rules", "requests", "jobs")})
            between = islice(References(parts, models).faults(), MOST_CROSSED)
            raise Faults(source, [*faults.sentences, *between], at_least=faults.at_least) from None
        models = given(models, snapshot.platform, (host.vgpu_manager for host in snapshot.hosts))
        snapshot._catalogue, snapshot._digest = models, sha256
        parts = Parts.whole(snapshot.hosts, snapshot.vms, snapshot.rules, snapshot.requests, snapshot.jobs)
        found = list(islice(References(parts, models, snapshot.platform).faults(), MOST_CROSSED + 1))
        if found:
            more = len(found[MOST_CROSSED:])
            raise Faults(source, found[:MOST_CROSSED], more, at_least=bool(more))
        return snapshot

    def misfits(self, asked: Asked) -> list[str]:
        """What of a night's request and its jobs this snapshot does not have: one sentence for each fault."""
        host_names = {i: host.name for i, host in enumerate(self.hosts)}
        vm_names = {i: vm.name for i, vm in enumerate(self.vms)}
        free = getattr(asked.request, "free", None)
        named = {getattr(asked.request, "host", None), *(free if isinstance(free, tuple) else ())}
        hosts = {i: host for i, host in enumerate(self.hosts) if host.name in named}
        parts = Parts(hosts, {}, {}, {0: asked.request}, dict(enumerate(asked.jobs)), host_names, vm_names)
        every = References(parts, self._catalogue, self.platform).faults()
        return [fault.replace("requests[0]", "request", 1) for fault in every]

    def expecting(self, asks: Typical) -> Snapshot:
        """The same snapshot in a world where these asks are to be reckoned with, each with its weight, and not those
        of its own VMs: goal `stranded` looks at them.
        """
        other = self.model_copy()
        other._expected = asks
        return other

    def with_parts(self, *, sha256: str = "", **parts: Any) -> Snapshot:
        """The same snapshot with other parts (`hosts`, `vms` ...), which are known to fit together."""
        other = self.model_copy(update=parts)
        other._digest = sha256
        return other

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
            asked={ask.vm: ask.priority for ask in self.requests if isinstance(ask, PowerOn)},
            catalogue=self._catalogue,
            expected=self._expected,
        )


def _item(key: str) -> Any:
    """The type of the items of one of a snapshot's lists."""
    return get_args(Snapshot.model_fields[key].annotation)[0]
