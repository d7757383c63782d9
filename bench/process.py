"""Runs a process to its end or to its limits, and says what it took: `watch` any, `placer` one of placer's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS = 0.02
MOST_MIB = 8192
"""Memory that placer may take."""


@dataclass(frozen=True)
class Ended:
    """How a process ended: `seconds` from start to end, the CPU's seconds that it had of them (far fewer: it had to
    wait), its largest resident memory, and why we ended it, if we did.
    """

    code: int
    seconds: float
    cpu_seconds: float
    peak_rss_mib: int
    killed: str | None
    said: str
    """The end of what it wrote to standard error."""

    @property
    def figures(self) -> dict[str, float]:
        """What it took, as a JSON line says it."""
        return {
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "peak_rss_mib": self.peak_rss_mib,
        }


def environment() -> dict[str, str]:
    """This process' environment, in which Python finds this checkout first, and keeps what it has compiled as it does
    for users.
    """
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "models")))}


def placer(*arguments: str, most_seconds: float, most_mib: int = MOST_MIB) -> Ended:
    """One command of this checkout's placer, Python's start and all imports included."""
    command = [sys.executable, "-m", "placer", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "errors"
        return watch(command, errors, most_seconds=most_seconds, most_mib=most_mib, environment=environment())


def answered(*arguments: str, most_seconds: float, most_mib: int = MOST_MIB) -> Ended:
    """The same, where an answer must come: raises ClickException where it does not. 1 (some of it could not be done) is
    an answer.
    """
    ended = placer(*arguments, most_seconds=most_seconds, most_mib=most_mib)
    if ended.killed or ended.code not in (0, 1):
        raise click.ClickException(f"placer {arguments[0]} ended with {ended.code}: {ended.killed or ended.said}")
    return ended


def watch(
    command: Sequence[str],
    errors: Path,
    *,
    most_seconds: float,
    most_mib: int,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Ended:
    """Run a command. It and what it started are ended after so many seconds, or when it holds more memory than that."""
    started = time.monotonic()
    killed: str | None = None
    with errors.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            env=environment,
            cwd=folder,
            start_new_session=True,  # so that its own children end with it
        )
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                if killed is None:
                    killed = _over(process.pid, time.monotonic() - started, most_seconds, most_mib)
                    if killed:
                        os.killpg(process.pid, signal.SIGKILL)
                time.sleep(POLL_SECONDS)
        except BaseException:  # Ctrl-C too: nothing of it is left running
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    with suppress(ProcessLookupError):  # what it left running would cost the next one its time
        os.killpg(process.pid, signal.SIGKILL)
    tail = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return Ended(
        code=process.returncode,
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_rss_mib=usage.ru_maxrss // 1024,
        killed=killed,
        said=tail[-1][:300] if tail else "",
    )


def _over(pid: int, seconds: float, most_seconds: float, most_mib: int) -> str | None:
    if seconds > most_seconds:
        return f"ended after {most_seconds:.0f} s"
    if _rss_mib(pid) > most_mib:
        return f"ended at {most_mib} MiB"
    return None


def _rss_mib(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
