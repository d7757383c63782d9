"""What a measurement was taken on and with. No names of hosts, users or folders."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def about(*packages: str) -> dict[str, object]:
    """When, on what machine, how busy it was (load averages of 1, 5 and 15 minutes), and which versions of packages."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": cpus(), "model": _model(), "system": f"{platform.system()} {platform.machine()}"},
        "load": [round(load, 2) for load in os.getloadavg()],
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }


def cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def version(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _model() -> str:
    """The CPU's model as the kernel calls it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
