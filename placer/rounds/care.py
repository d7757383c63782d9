"""What is done to hosts while they, or single GPUs of them, are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from placer_models.cluster import Host
from placer_models.gpus import Mode, Sharing
from placer_models.plan import StepKind
from placer_models.scene import Scene


@dataclass(frozen=True)
class Stage:
    """A step of a host's care: so many seconds after all have left it, and for how long. `name` ends the step's id."""

    name: str
    kind: StepKind
    at: int
    seconds: int
    why: str
    gpus: tuple[str, ...] = ()
    mode: Mode | None = None
    sharing: Sharing | None = None


@dataclass(frozen=True)
class Care:
    """What is done to each of `hosts`, stage after stage, when all have left it. `changed` are hosts that are otherwise
    afterwards, with the GPUs that were changed. `in_order`: the hosts' care begins in their order; `at_once`: so many
    are cared for at once, at most. `frees`: the plan says that they are free meanwhile.
    """

    hosts: Sequence[str]
    stages: Sequence[Stage]
    in_order: bool = False
    at_once: int | None = None
    frees: bool = False
    changed: Mapping[str, tuple[Host, frozenset[str]]] = field(default_factory=dict)

    @property
    def empties(self) -> bool:
        """Whether nobody stands on the hosts meanwhile."""
        return any(stage.kind in ("enter-maintenance", "restart-host") for stage in self.stages)

    @property
    def seconds(self) -> int:
        """How long it takes."""
        return max(stage.at + stage.seconds for stage in self.stages)

    def after(self, scene: Scene) -> Scene:
        """The same stands in the cluster as it is afterwards."""
        hosts = {**scene.cluster.hosts, **{name: host for name, (host, _) in self.changed.items()}}
        return Scene(replace(scene.cluster, hosts=hosts), scene.stands())
