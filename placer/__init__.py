"""placer: provably good placements for VMs with GPUs, and a plain reason for every "no"."""

from placer.power_on import Disagreement, place
from placer.verify import verify
from placer_models.snapshot import Snapshot

__all__ = ["Disagreement", "Snapshot", "place", "verify"]
