"""How the command line starts sooner: libraries that others import for what placer does not use are not loaded.

OR-Tools' Python layer imports pandas for its functions on series of variables only, and loading pandas takes longer
than answering a small request. A process of its own, as a command is, may do without; a library must not do so to
those who use it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

spared: set[str] = set()
"""The modules that this process does without."""


@contextmanager
def stand_ins() -> Iterator[None]:
    """Within it, each of these modules that is not loaded yet is one that has nothing but empty classes, by any name:
    enough to be named in annotations and asked about by `isinstance`. Whoever imports it afterwards gets the real one.
    """
    made = {name: _StandIn(name) for name in spared if name not in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            sys.modules.pop(name, None)


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = type(name, (), {})
        setattr(self, name, found)
        return found
