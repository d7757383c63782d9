"""What rules that no snapshot states have in common."""

from __future__ import annotations

from typing import ClassVar


class Standing:
    """A rule about what a host is and gives: it holds for every cluster, at every instant and after a loss, and looks
    at one host at a time.
    """

    standing: ClassVar[bool] = True
    always: ClassVar[bool] = True
    holds_after_loss: ClassVar[bool] = True
    """Else a reserve would count on a host that does not let its VMs in."""

    @property
    def by_host(self) -> bool:
        return True
