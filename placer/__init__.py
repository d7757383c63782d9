"""placer: provably good placements for VMs with GPUs, and a plain reason for every "no"."""

from placer_models.snapshot import Snapshot

from placer.power_on import Disagreement, place

__all__ = ["Disagreement", "Snapshot", "place"]
