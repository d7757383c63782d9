"""What is true: clusters, GPU models, rules, goals, and the documents that say them.

The names are loaded when they are first used: a command that only tells its options needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from placer_models.cluster import Ask, Cluster, Gpu, Host, Needs, Vm
    from placer_models.decision import Decision
    from placer_models.document import Faults
    from placer_models.explanation import Explanation
    from placer_models.gpus import Catalogue
    from placer_models.plan import Breach, Placements, Reason
    from placer_models.room import Room, VmAsk
    from placer_models.scene import Hold, Scene, Stand
    from placer_models.snapshot import Snapshot
    from placer_models.view import View

_WHERE = {
    "Ask": "cluster",
    "Breach": "plan",
    "Catalogue": "gpus",
    "Cluster": "cluster",
    "Decision": "decision",
    "Explanation": "explanation",
    "Faults": "faults",
    "Gpu": "cluster",
    "Hold": "scene",
    "Host": "cluster",
    "Needs": "cluster",
    "Placements": "plan",
    "Reason": "plan",
    "Room": "room",
    "Scene": "scene",
    "Snapshot": "snapshot",
    "Stand": "scene",
    "View": "view",
    "Vm": "cluster",
    "VmAsk": "room",
}

__all__ = [
    "Ask",
    "Breach",
    "Catalogue",
    "Cluster",
    "Decision",
    "Explanation",
    "Faults",
    "Gpu",
    "Hold",
    "Host",
    "Needs",
    "Placements",
    "Reason",
    "Room",
    "Scene",
    "Snapshot",
    "Stand",
    "View",
    "Vm",
    "VmAsk",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
