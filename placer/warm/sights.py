"""What VMs that ask for the same GPUs see of all hosts, kept for the next of them: only hosts that have changed are
looked at again.
"""

from __future__ import annotations

import numpy as np

from placer.warm.columns import Columns
from placer.warm.rows import NEVER
from placer.warm.states import Ints

MOST_KEPT = 256
"""Of so many asks, or sizes of VMs, it is remembered what they see: of those that came last."""


class Sight:
    """For each host what would be lost of GPUs (`cost`; `NEVER`: there is no room), and the GPUs that would be taken (a
    row for each). `nowhere`: what is asked for cannot be in one VM (None: that is not known yet).
    """

    def __init__(self, hosts: int, gpus: int) -> None:
        self.cost: Ints = np.full(hosts, NEVER, dtype=np.int64)
        self.gpus: Ints = np.zeros((gpus, hosts), dtype=np.int64)
        self.nowhere: bool | None = None
        self._then = 0, -1

    def stale(self, columns: Columns, changes: int) -> Ints:
        """The hosts that are to be looked at again: those that have changed since this was last asked; all, where so
        many `changes` of the weights are not the same.
        """
        looks, weights = self._then
        self._then = columns.looks, changes
        return (columns.times > (looks if weights == changes else 0)).nonzero()[0]
