"""What is asked of a session: a VM that is off, by its name, with a priority, or as a document."""

from __future__ import annotations

from placer.warm.standing import Standing
from placer_models.cluster import Ask, Vm
from placer_models.document import Faults, quote
from placer_models.references import unknown
from placer_models.snapshot import PowerOn

Request = PowerOn | Vm | str
"""A VM to be started: by name, with a priority, or as a document where the cluster does not know it (yet)."""

MOST_RIGHT = 4096
"""Asks of which it is remembered that nothing is wrong with them."""


class Wanted:
    """Looks at what is asked of a standing cluster."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._right: set[tuple[Ask, ...]] = set()

    def of(self, request: Request) -> tuple[Vm, int]:
        """The VM that is asked for, off, and its priority. Raises Faults for what cannot be asked for."""
        if isinstance(request, Vm):
            if request.power == "on" or any(ask.at for ask in request.gpus):
                raise _is_on(request.name)
            self._refuse_on(request.name)
            self._refuse_asks(request)
            return request, 0
        name = request.vm if isinstance(request, PowerOn) else request
        if not isinstance(name, str):
            raise Faults("the request", [f"found {quote(name)}, expected a VM, its name or a PowerOn"])
        known = self._standing.vms.get(name)
        if known is None:
            raise Faults("the request", [unknown("VM", name, self._standing.vms, "this session")])
        self._refuse_on(name)
        return known, request.priority if isinstance(request, PowerOn) else 0

    def _refuse_on(self, name: str) -> None:
        if self._standing.stand(name) is not None:
            raise _is_on(name)

    def _refuse_asks(self, vm: Vm) -> None:
        """Raise Faults where a VM that is off asks for what cannot be had. The same asks are looked at once, but where
        there are jobs, as whose runs no VM may be called.
        """
        if vm.gpus in self._right and not self._standing.jobs:
            return
        self._standing.refuse_where("the request", [], [vm.model_copy(update={"host": None})])
        if len(self._right) >= MOST_RIGHT:
            self._right.clear()
        self._right.add(vm.gpus)


def _is_on(name: str) -> Faults:
    return Faults("the request", [f"found {quote(name)}, which is on; expected a VM that is off"])
