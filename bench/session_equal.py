"""Whether a `Session` decides as well as a cold `place` of the same request: what is compared is every goal's score."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from bench.clusters import synthetic
from placer import Session, place
from placer_models.snapshot import PowerOn, Snapshot

Line = dict[str, Any]

OF_ONE = 5
"""How many requests one cluster is asked for at most."""

MOST_SHOWN = 5
"""How many requests with other scores are shown."""

TOLD = 50
"""After so many requests it is told on stderr how far the comparison is."""


@dataclass
class _Found:
    """The requests with other scores in a session than `place` proves, and than it finds."""

    asked: int = 0
    differ: list[str] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)

    def ask(self, snapshot: Snapshot, session: Session, vm: str) -> None:
        """Ask both for one VM."""
        warm = session.propose(vm, reasons=False)
        cold = place(snapshot.with_parts(requests=(PowerOn(vm=vm),)))
        self.asked += 1
        if dict(cold.score) != dict(warm.score):
            said = f"{snapshot.cluster}: {vm}: warm {dict(warm.score)}, cold {dict(cold.score)} ({cold.status})"
            (self.differ if cold.status == "optimal" else self.not_proven).append(said)


def equality(requests: int, hosts: int, kinds: Sequence[str], seed: int) -> Iterator[Line]:
    """How many single requests have other scores in a session than `place` proves, or than it finds: a line for each
    kind of cluster. A session answers all requests for one cluster, of which none changes it.
    """
    for number, kind in enumerate(kinds):
        found, each = _Found(), (requests + number) // len(kinds)
        for snapshot, vms in _clusters(each, hosts, kind, seed):
            session = Session(snapshot)
            for vm in vms:
                found.ask(snapshot, session, vm)
                if found.asked % TOLD == 0:
                    other = len(found.differ) + len(found.not_proven)
                    click.echo(f"{kind}: {found.asked} requests compared, {other} with other scores", err=True)
        yield {
            "work": "session-equality",
            "requests": found.asked,
            "hosts": hosts,
            "kind": kind,
            "seed": seed,
            "other_than_proven": len(found.differ),
            "other_than_found": len(found.not_proven),
            "shown": (found.differ + found.not_proven)[:MOST_SHOWN],
        }


def _clusters(requests: int, hosts: int, kind: str, seed: int) -> Iterator[tuple[Snapshot, list[str]]]:
    """Random clusters of a kind, each with a handful of VMs that are off, as many as requests in all."""
    chance = random.Random(f"{kind}-{seed}")
    while requests > 0:
        snapshot = Snapshot.of(synthetic(hosts, chance.randint(8, 12) * hosts, chance.randrange(10**6), kind), kind)
        off = [vm.name for vm in snapshot.vms if vm.power != "on"]
        vms = chance.sample(off, min(OF_ONE, len(off), requests))
        requests -= len(vms)
        yield snapshot, vms
