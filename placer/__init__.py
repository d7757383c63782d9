"""placer: provably good placements for VMs with GPUs, and a plain reason for every "no".

The names are loaded when they are first used: explaining and verifying never load the solver.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from placer.consolidate import consolidate
    from placer.disagreement import Disagreement
    from placer.evacuate import evacuate
    from placer.go_on import go_on
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
    "consolidate": "placer.consolidate",
    "evacuate": "placer.evacuate",
    "explain": "placer.judge.explain",
    "explain_plan": "placer.judge.why",
    "go_on": "placer.go_on",
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
    "consolidate",
    "evacuate",
    "explain",
    "explain_plan",
    "go_on",
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


class _Face(ModuleType):
    """Whoever imports a submodule hangs it here under its name: where a function is called so, that is meant."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _WHERE or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
