"""One rule of a small cluster, asked as the judge and the operator ask it."""

from __future__ import annotations

from typing import Any

from placer_models.decision import shipped_decision
from placer_models.rules import Rule
from placer_models.scene import Scene, Stand
from placer_models.seating import seat
from placer_models.snapshot import Snapshot


class Asked:
    """A rule in a scene: the VMs that run, and those that `puts` put somewhere."""

    def __init__(self, values: dict[str, Any], kind: str, **puts: str) -> None:
        snapshot = Snapshot.of(values)
        self.cluster = snapshot.content
        self.rule: Rule = next(
            rule for rule in shipped_decision("power_on").rules_of(snapshot.rules) if rule.kind == kind
        )
        self.scene = Scene.now(self.cluster)
        for vm, host in puts.items():
            self.scene.put(self.stand(vm, host))

    def stand(self, vm: str, host: str) -> Stand:
        """The VM on a host, with GPUs where it finds some."""
        holds = seat(self.scene, self.cluster.vms[vm], self.cluster.hosts[host])
        return Stand(vm, host, holds or ())

    @property
    def breaches(self) -> dict[str, int]:
        """What is broken: the sentence, and by how much."""
        return {breach.said: breach.amount for breach in self.rule.check(self.scene)}

    def why_not(self, vm: str, *hosts: str) -> str | None:
        """What the operator reads about a VM and these hosts."""
        reasons = [self.rule.why(self.scene, self.stand(vm, host)) for host in hosts]
        found = [reason for reason in reasons if reason is not None]
        return self.rule.say(found) if found else None
