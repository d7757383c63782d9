"""The one list of rules, in the order in which they are judged and in which reasons are given.

A site's own rules join by the entry-point group `placer.rules`: each entry names a subclass of `Rule`, in a package
installed beside placer. `docs/site-rules.md` shows one.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from placer_models.rules.affinity import Affinity
from placer_models.rules.apart import Apart
from placer_models.rules.capacity import Capacity
from placer_models.rules.gpu import GpuRule
from placer_models.rules.host_state import HostState
from placer_models.rules.limit import Limit
from placer_models.rules.reserve import Reserve
from placer_models.rules.resume import Resume
from placer_models.rules.rule import Rule
from placer_models.rules.stay import Stay
from placer_models.rules.together import Together

SHIPPED: tuple[type[Rule], ...] = (
    HostState,
    Affinity,
    Resume,
    GpuRule,
    Capacity,
    Apart,
    Together,
    Limit,
    Stay,
    Reserve,
)

RULES: tuple[type[Rule], ...] = SHIPPED + tuple(entry.load() for entry in sorted(entry_points(group="placer.rules")))


def kind_of(rule: type[Rule]) -> str:
    """The kind by which documents name a rule."""
    return str(rule.model_fields["kind"].default)


STANDING: dict[str, type[Rule]] = {kind_of(rule): rule for rule in RULES if rule.standing}
STATED: dict[str, type[Rule]] = {kind_of(rule): rule for rule in RULES if not rule.standing}

__all__ = ["RULES", "SHIPPED", "STANDING", "STATED", "Rule", "kind_of"]
