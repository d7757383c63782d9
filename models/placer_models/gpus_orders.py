"""Whether items find room on a GPU in whatever order they come, where the manager picks their slots."""

from __future__ import annotations

from functools import lru_cache

from placer_models.gpus_layouts import Pick
from placer_models.gpus_row import Use, free_slots, units_at
from placer_models.gpus_use import Held


def in_any_order(uses: tuple[Use, ...], units: int, holds: Held, pick: Pick) -> bool:
    """Whether these items all find room in whatever order they come; where the manager takes the first legal slots,
    also on the same units.
    """
    ends = _ends(uses, units, holds, pick)
    return ends is not None and (pick != "first" or len(ends) == 1)


@lru_cache(maxsize=65536)
def _ends(uses: tuple[Use, ...], units: int, holds: Held, pick: Pick) -> frozenset[int] | None:
    """The units that may be taken in the end, as bit masks; None: some order leaves an item without a slot."""
    if not uses:
        return frozenset([sum(units_at(slot or 0, use.units) for use, slot in holds)])
    found: set[int] = set()
    for i, use in enumerate(uses):
        if use in uses[:i]:
            continue
        slots = free_slots(use, units, holds)
        if not slots:
            return None
        for slot in slots[:1] if pick == "first" else slots:
            after = tuple(sorted((*holds, (use, slot)), key=repr))
            ends = _ends(uses[:i] + uses[i + 1 :], units, after, pick)
            if ends is None:
                return None
            found |= ends
    return frozenset(found)
