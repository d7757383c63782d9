"""What a measurement was taken on and with, and by which command. No names of hosts, users or folders."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import click

COMMAND = "bench.command"
"""Where click keeps, for all commands of one call, what was called."""

PACKAGES = ("gpu-placer", "ortools", "numpy", "pydantic")
"""What a line says the versions of."""
CODE = ("placer", "models", "bench", ":!bench/results")
"""What a measurement depends on, as git calls it."""

LOAD_BEFORE = os.getloadavg()
"""The load averages when this process began: what else the machine was doing."""


def about() -> dict[str, object]:
    """When, by which command and commit, on what machine, how busy it was (load averages of 1, 5 and 15 minutes, before
    the process began and now), and which versions of packages.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command(),
        "commit": commit(),
        "machine": {
            "cpus": cpus(),
            "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
            "model": _model(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "load_before": [round(load, 2) for load in LOAD_BEFORE],
        "load": [round(load, 2) for load in os.getloadavg()],
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def told(arguments: Sequence[str]) -> str:
    """A call of the bench as it can be shown: of folders and files only their own names."""
    shown = (head + sep + (Path(tail).name or tail) for head, sep, tail in map(_parted, arguments))
    return shlex.join(("python", "-m", "bench", *shown))


def _parted(argument: str) -> tuple[str, str, str]:
    """`--option=`, and what follows; other arguments have nothing before."""
    return argument.partition("=") if argument.startswith("--") and "=" in argument else ("", "", argument)


def command() -> str | None:
    """The call of the bench that is being carried out."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(COMMAND)


@cache
def commit() -> str | None:
    """The commit of this checkout, with `+` where code of placer or of the bench has changed since (results are none);
    None where it is no checkout.
    """
    try:
        found, changed = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ("git", "-C", str(Path(__file__).parents[1]), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


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
