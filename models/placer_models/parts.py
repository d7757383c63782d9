"""The parts of a snapshot that are right in themselves, and the names that all its parts have.

A part that is wrong in itself still lends its name, so that what refers to it is not called wrong as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from placer_models.cluster import Host, Vm
from placer_models.document import Document


@dataclass(frozen=True)
class Parts:
    """The parts of a snapshot by their place in its lists, and every name that its lists give to hosts and VMs."""

    hosts: Mapping[int, Host]
    vms: Mapping[int, Vm]
    rules: Mapping[int, Document]
    requests: Mapping[int, Document]
    jobs: Mapping[int, Document]
    host_names: Mapping[int, str]
    vm_names: Mapping[int, str]

    @classmethod
    def whole(
        cls,
        hosts: Sequence[Host],
        vms: Sequence[Vm],
        rules: Sequence[Document],
        requests: Sequence[Document],
        jobs: Sequence[Document],
    ) -> Parts:
        """The parts of a snapshot that is right in itself."""
        return cls(
            dict(enumerate(hosts)),
            dict(enumerate(vms)),
            dict(enumerate(rules)),
            dict(enumerate(requests)),
            dict(enumerate(jobs)),
            host_names={i: host.name for i, host in enumerate(hosts)},
            vm_names={i: vm.name for i, vm in enumerate(vms)},
        )

    @classmethod
    def right_ones(cls, values: object, kinds: Mapping[str, Any]) -> Parts:
        """Those parts of plain values that are right in themselves; `kinds` gives the type of each list's items."""
        lists = {key: _list(values, key) for key in kinds}
        right = {key: _right(kind, lists[key]) for key, kind in kinds.items()}
        host_names, vm_names = (
            {i: name for i, part in enumerate(lists[key]) if (name := _name(part))} for key in ("hosts", "vms")
        )
        return cls(right["hosts"], right["vms"], right["rules"], right["requests"], right["jobs"], host_names, vm_names)


def _list(values: object, key: str) -> Sequence[object]:
    found = values.get(key) if isinstance(values, Mapping) else None
    return found if isinstance(found, list) else ()


def _right(kind: Any, values: Sequence[object]) -> dict[int, Any]:
    adapter, found = TypeAdapter[Any](kind), {}
    for i, value in enumerate(values):
        try:
            found[i] = adapter.validate_json(json.dumps(value, allow_nan=False), by_alias=True, by_name=False)
        except (ValueError, TypeError, RecursionError):
            continue  # the document's own faults say it
    return found


def _name(part: object) -> str | None:
    name = part.get("name") if isinstance(part, Mapping) else None
    return name if isinstance(name, str) else None
