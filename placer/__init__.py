"""placer: provably good placements for VMs with GPUs, and a plain reason for every "no".

The names are loaded when they are first used: explaining and verifying never load the solver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from placer.disagreement import Disagreement
    from placer.evacuate import evacuate
    from placer.judge.explain import explain
    from placer.judge.verify import verify
    from placer.judge.why import explain_plan
    from placer.look import show
    from placer.power_on import place
    from placer.room import capacity
    from placer.session import Proposal, Session, StaleProposal
    from placer.set_mode import set_mode
    from placer_models.decision import Decision
    from placer_models.faults import Faults
    from placer_models.snapshot import Snapshot

_WHERE = {
    "Decision": "placer_models.decision",
    "Disagreement": "placer.disagreement",
    "Faults": "placer_models.faults",
    "Proposal": "placer.session",
    "Session": "placer.session",
    "Snapshot": "placer_models.snapshot",
    "StaleProposal": "placer.session",
    "capacity": "placer.room",
    "evacuate": "placer.evacuate",
    "explain": "placer.judge.explain",
    "explain_plan": "placer.judge.why",
    "place": "placer.power_on",
    "set_mode": "placer.set_mode",
    "show": "placer.look",
    "verify": "placer.judge.verify",
}

__all__ = [
    "Decision",
    "Disagreement",
    "Faults",
    "Proposal",
    "Session",
    "Snapshot",
    "StaleProposal",
    "capacity",
    "evacuate",
    "explain",
    "explain_plan",
    "place",
    "set_mode",
    "show",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return found
