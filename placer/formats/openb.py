"""The openb trace (Alibaba GPU cluster trace v2023, as FGD uses it): node and pod CSVs become a snapshot.

Sources: github.com/hkust-adsl/kubernetes-scheduler-simulator, data/csv; Weng et al., "Beware of Fragmentation:
Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.

A node is a host whose GPUs are shared by thousandths, a pod is a VM: `num_gpu` whole GPUs where `gpu_milli` is 1000,
else `num_gpu` shares of `gpu_milli` on different GPUs. `gpu_spec` ("T4|P100") lists the models that it accepts. The
trace's phases and times are not read: a pod runs where a placement CSV (`pod,node,gpu_index`, GPUs joined by a dash)
says so, else it is off and asks to be powered on.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placer_models.document import Faults, clean, quote

EPOCH = "1970-01-01T00:00:00Z"
"""When it was so, if nobody says: the CSVs hold no calendar time, and equal files must give equal documents."""

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec")
PLACEMENT_COLUMNS = ("pod", "node", "gpu_index")

MOST_MILLI = 10**9
MOST_MIB = 2**40
MOST_GPUS = 1024

Csv = Path | bytes | tuple[bytes, str]
"""A CSV: its path, its content, or its content and the name by which faults call it."""


def read(
    nodes: Csv,
    pods: Csv,
    *,
    placement: Csv | None = None,
    taken_at: str = EPOCH,
    cluster: str = "openb",
) -> dict[str, Any]:
    """Read the node and pod CSVs into a snapshot document.

    Without `placement` every pod is off and asked for, all with the same priority. With it the placed pods run on their
    node and GPUs, the others are asked for, and all may live-migrate (the trace does not say; it is what makes the
    placed trace a test of moves). Raises `Faults` with every fault of the first file that has any.
    """
    hosts = _hosts(_Table.read(nodes, "nodes", NODE_COLUMNS))
    vms = _vms(_Table.read(pods, "pods", POD_COLUMNS))
    if placement is not None:
        _stand(_Table.read(placement, "placement", PLACEMENT_COLUMNS), hosts, vms)
    return {
        "format": "placer.snapshot/1",
        "cluster": cluster,
        "taken_at": taken_at,
        "platform": {"kind": "kubevirt"},
        "hosts": list(hosts.values()),
        "vms": list(vms.values()),
        "rules": [],
        "requests": [
            {"kind": "power-on", "vm": name, "priority": 0} for name, vm in vms.items() if vm["power"] == "off"
        ],
    }


def _hosts(table: _Table) -> dict[str, dict[str, Any]]:
    hosts: dict[str, dict[str, Any]] = {}
    for row in table.rows:
        name = row.name("sn", hosts)
        count = row.number("gpu", 0, MOST_GPUS)
        hosts[name] = {
            "name": name,
            "cpus": _cpus(row.number("cpu_milli", 0, MOST_MILLI)),
            "memory_mib": row.number("memory_mib", 0, MOST_MIB),
            "gpus": [
                {"id": str(index), "model": model, "sharing": "fraction"}
                for model in ([row.name("model")] if count else [])
                for index in range(count)
            ],
        }
    table.done()
    return hosts


def _vms(table: _Table) -> dict[str, dict[str, Any]]:
    vms: dict[str, dict[str, Any]] = {}
    for row in table.rows:
        name = row.name("name", vms)
        count = row.number("num_gpu", 0, MOST_GPUS)
        vm: dict[str, Any] = {
            "name": name,
            "power": "off",
            "cpus": _cpus(row.number("cpu_milli", 0, MOST_MILLI)),
            "memory_mib": row.number("memory_mib", 0, MOST_MIB),
        }
        if count:
            milli = row.number("gpu_milli", 1, 1000)
            models = list(dict.fromkeys(filter(None, row.cells["gpu_spec"].split("|"))))
            ask: dict[str, Any] = {"models": models} if models else {}
            if milli < 1000:
                ask["milli"] = milli
            vm["gpus"] = [{**ask, "count": count}]
        if row.cells.get("qos"):
            vm["labels"] = {"qos": row.cells["qos"]}
        vms[name] = vm
    table.done()
    return vms


def _stand(table: _Table, hosts: Mapping[str, dict[str, Any]], vms: Mapping[str, dict[str, Any]]) -> None:
    """Put the placed pods where the table says."""
    seen: dict[str, int] = {}
    for row in table.rows:
        pod, node = row.name("pod", seen), row.cells["node"]
        seen[pod] = row.line
        if pod not in vms:
            row.fault("pod", "the name of a pod")
        elif node and node not in hosts:
            row.fault("node", "the name of a node, or nothing for a pending pod")
        elif node:
            asks = vms[pod].get("gpus", [])
            gpus = [index for index in row.cells["gpu_index"].split("-") if index]
            known = {gpu["id"] for gpu in hosts[node]["gpus"]}
            wanted = asks[0]["count"] if asks else 0
            if len(set(gpus)) != wanted or len(gpus) != wanted or not known.issuperset(gpus):
                row.fault("gpu_index", f"{wanted} different GPUs of {len(known)}, counted from 0, joined by '-'")
            for ask in asks:
                ask["at"] = [{"gpu": gpu} for gpu in gpus]
            vms[pod].update(power="on", host=node)
    table.done()
    for vm in vms.values():
        vm["may"] = {"live_migrate": True}


def _cpus(milli: int) -> int | float:
    return milli / 1000 if milli % 1000 else milli // 1000


@dataclass
class _Table:
    """A CSV with its faults, so that all of them are told together."""

    source: str
    rows: list[_Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Csv, what: str, columns: Sequence[str]) -> _Table:
        content, source = file if isinstance(file, tuple) else (file, what if isinstance(file, bytes) else str(file))
        try:
            text = (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8-sig")
        except OSError as error:
            raise Faults(source, [f"cannot be read: {error.strerror}"]) from None
        except UnicodeDecodeError as error:
            raise Faults(source, [f"byte {error.start + 1}: found no UTF-8, expected a CSV in UTF-8"]) from None
        return cls._of(source, csv.reader(io.StringIO(text, newline=""), strict=True), columns)

    @classmethod
    def _of(cls, source: str, reader: Any, columns: Sequence[str]) -> _Table:
        table = cls(source)
        try:
            header: list[str] = next(reader, [])
            if missing := [column for column in columns if header.count(column) != 1]:
                shown = quote(",".join(header), 200)
                raise Faults(source, [f"line 1: found {shown}, expected one column '{column}'" for column in missing])
            for cells in reader:
                if len(cells) == len(header):
                    table.rows.append(_Row(reader.line_num, dict(zip(header, cells, strict=True)), table.faults.append))
                elif cells:
                    table.faults.append(f"line {reader.line_num}: found {len(cells)} cells, expected {len(header)}")
        except csv.Error as error:
            table.faults.append(f"line {reader.line_num}: not CSV: {error}")
        return table

    def done(self) -> None:
        """Raise what was found wrong."""
        if self.faults:
            raise Faults(self.source, self.faults)


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]
    say: Callable[[str], None]

    def fault(self, column: str, expected: str) -> None:
        self.say(f"line {self.line}, column {column}: found {quote(self.cells[column])}, expected {expected}")

    def number(self, column: str, least: int, most: int) -> int:
        """The cell as a whole number; `least` where it is none (the table is then refused at its end)."""
        cell = self.cells[column]
        if re.fullmatch("[0-9]{1,18}", cell) and least <= int(cell) <= most:
            return int(cell)
        self.fault(column, f"a whole number from {least} to {most}")
        return least

    def name(self, column: str, taken: Mapping[str, Any] | None = None) -> str:
        """The cell as a name that is not taken."""
        cell = self.cells[column]
        if not 1 <= len(cell) <= 253 or clean(cell) != cell:
            self.fault(column, "a name of 1 to 253 characters, none of them a control character")
        elif taken is not None and cell in taken:
            self.fault(column, "a name that no line before it has")
        return cell
