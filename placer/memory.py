"""How much memory a search may take, and what fits into it."""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from pathlib import Path

KIB_PER_UNKNOWN = 8
"""What a board takes for each of its unknowns while it is solved (measured: 3 to 6 KiB on two workers)."""

SHARE = 0.5
"""The part of what is free that is taken at most where nothing else is said."""

STATUS, CGROUP = Path("/proc/self/status"), Path("/sys/fs/cgroup")


def used_mib() -> int:
    """What the process takes now; where that cannot be known, the most that it has taken."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        return _line(STATUS, "VmRSS:") // 1024
    import resource  # here, because not every system has it

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1024 * 1024 if sys.platform == "darwin" else 1024)


def free_mib() -> int | None:
    """What is free on the machine, and in the container that it may be; None: it cannot be known."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        found.append(_line(Path("/proc/meminfo"), "MemAvailable:") // 1024)
    with contextlib.suppress(OSError, ValueError):
        most, now = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        found.append((most - now) // 2**20)
    return min(found, default=None)


@cache
def default_limit_mib() -> int | None:
    """Half of what is free beside what the process takes already, when it is first asked; None: it cannot be known."""
    free = free_mib()
    return None if free is None else used_mib() + int(SHARE * free)


def affordable(limit_mib: int | None, most: int) -> int:
    """How many unknowns a board may have: as many as fit into what the limit (None: the default one) leaves, and no
    more than `most`.
    """
    limit = default_limit_mib() if limit_mib is None else limit_mib
    return most if limit is None else max(0, min(most, (limit - used_mib()) * 1024 // KIB_PER_UNKNOWN))


def _line(path: Path, head: str) -> int:
    """The number in a line of a file, by what it begins with. Raises OSError, ValueError, StopIteration."""
    lines = path.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(head)).split()[1])
