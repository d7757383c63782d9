"""Why VMs stay off in a cluster that changes: what was found on hosts that have not changed is not asked again."""

from __future__ import annotations

import numpy as np

from placer.judge.obstacles import Explainer
from placer.warm.field import Field


class Reasons:
    """Whoever explains a field, kept up to date."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self._explainer = Explainer(field.scene, field.rules)
        self._seen = field.columns.times.copy()

    def now(self) -> Explainer:
        """Who explains the scene as it is now."""
        columns = self.field.columns
        changed = np.flatnonzero(self._seen != columns.times).tolist()
        self._explainer.renew([columns.hosts[number].name for number in changed])
        self._seen = columns.times.copy()
        return self._explainer
