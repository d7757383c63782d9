"""What is true: clusters, GPU models, rules, goals, and the documents that say them."""

from placer_models.cluster import Cluster, Gpu, Host, Vm
from placer_models.decision import Decision
from placer_models.document import Faults
from placer_models.gpus import Catalogue
from placer_models.plan import Breach, Placements, Reason
from placer_models.scene import Hold, Scene, Stand
from placer_models.snapshot import Snapshot

__all__ = [
    "Breach",
    "Catalogue",
    "Cluster",
    "Decision",
    "Faults",
    "Gpu",
    "Hold",
    "Host",
    "Placements",
    "Reason",
    "Scene",
    "Snapshot",
    "Stand",
    "Vm",
]
