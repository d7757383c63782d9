"""What may stand together on one GPU, and where: its row of units.

A GPU in a sharing is a row of units (`GpuModel.row_units`); an item takes an interval of it at one of its legal
starts, or, in the sharing `fraction`, an amount without a position. All functions look at one GPU in one sharing and
hold to the same three rules: intervals do not overlap (MIGUG, UG17 A.3), all items carry the same lock (UG8, UG17: one
type or one size in same-size mode), and no named limit is exceeded. :func:`lays` says what is wrong with an
arrangement; :func:`free_slots` offers only what it accepts, and so does `placer_models.gpus_layouts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Items = Sequence[tuple["Use", int | None]]
"""Items on a GPU: what each takes, and its slot."""


@dataclass(frozen=True)
class Use:
    """What one item takes of one GPU's row of units in one sharing.

    `units` is the length of its interval (pass-through and same-size: 1; fraction: the thousandths). `starts` are its
    legal starts, ascending; None: it has no position. All items of a GPU must carry the same `lock`; items with a lock
    are interchangeable, each takes one slot. `caps` are named limits: while this item stands on a GPU, at most that
    many items that carry the name may. `share_milli` is how many thousandths of the GPU the item stands for (of its
    memory, for a profile).
    """

    units: int
    starts: tuple[int, ...] | None
    lock: str | None = None
    caps: tuple[tuple[str, int], ...] = ()
    share_milli: int = 1000


def lays(items: Items, row_units: int) -> list[str]:
    """The faults of an arrangement (each item's use and slot) on one GPU, a sentence for each; empty: it is legal.

    An item with a lock may leave its slot open (same-size slots are interchangeable); any other that has positions may
    not.
    """
    faults = []
    locks = sorted({use.lock or "" for use, _ in items})
    if len(locks) > 1:
        faults.append(
            f"{' and '.join(lock or 'other items' for lock in locks)} on one GPU; it takes one of them at a time"
        )
    for name, (number, limit) in sorted(_limits(use for use, _ in items).items()):
        if number > limit:
            faults.append(f"{number} x {name} on one GPU, at most {limit}")
    taken = 0
    for use, slot in sorted(items, key=lambda item: -1 if item[1] is None else item[1]):
        if use.starts is None:
            continue
        if slot is None:
            if use.lock is None:
                faults.append("an item has no slot")
        elif slot not in use.starts:
            faults.append(f"slot {slot} is no legal start; legal: {_listed(use.starts)}")
        elif slot + use.units > row_units:
            faults.append(f"slot {slot} ends at unit {slot + use.units} of {row_units}")
        else:
            interval = units_at(slot, use.units)
            if taken & interval:
                faults.append(f"slot {slot} ({_span(slot, use.units)}) overlaps what stands there")
            taken |= interval
    locked = [use for use, _ in items if use.lock is not None and use.starts is not None]
    if locked and len(locked) > max(len(use.starts or ()) for use in locked):
        faults.append(
            f"{len(locked)} items on one GPU, at most {max(len(use.starts or ()) for use in locked)} of {locks[-1]}"
        )
    amount = sum(use.units for use, _ in items if use.starts is None)
    if amount > row_units:
        faults.append(f"{amount} of {row_units} thousandths are taken")
    return faults


def free_slots(use: Use, row_units: int, held: Items) -> tuple[int | None, ...]:
    """The legal slots for one more item on a GPU that holds `held`, ascending; empty: there is none.

    `(None,)`: there is room, and no position to choose. Where the slot of a held item is not known, nothing is surely
    free (save among items with a lock, which are interchangeable: there the lowest free slots are offered, one fewer
    for each such item).
    """
    if any(other.lock != use.lock for other, _ in held) or not within_limits(use, held):
        return ()
    if use.starts is None:
        return (None,) if sum(other.units for other, _ in held) + use.units <= row_units else ()
    unknown = sum(slot is None for _, slot in held)
    if unknown and use.lock is None:
        return ()
    taken = units_taken(held)
    free = [start for start in use.starts if start + use.units <= row_units and not taken & units_at(start, use.units)]
    return tuple(free[: max(len(free) - unknown, 0)])


def room_for(use: Use, row_units: int, held: Items) -> int:
    """How many further items of a use find room on a GPU that holds `held`: of items of one length most do where each
    takes the lowest free start.
    """
    if use.starts is None:
        return max(0, row_units - sum(other.units for other, _ in held)) // use.units
    found = 0
    while slots := free_slots(use, row_units, held):
        held, found = (*held, (use, slots[0])), found + 1
    return found


def within_limits(use: Use, held: Items) -> bool:
    """Whether the limits that `use` carries allow it beside `held`; a limit that is broken already is not this item's
    matter.
    """
    if not use.caps:
        return True
    found = _limits([use, *(other for other, _ in held)])
    return all(found[name][0] <= found[name][1] for name, _ in use.caps)


def units_taken(held: Items) -> int:
    """The units that items with known slots stand on, as a bit mask."""
    mask = 0
    for use, slot in held:
        if slot is not None and use.starts is not None:
            mask |= units_at(slot, use.units)
    return mask


def units_at(start: int, units: int) -> int:
    """So many units from a start on, as a bit mask."""
    return (1 << units) - 1 << start


def _limits(uses: Iterable[Use]) -> dict[str, tuple[int, int]]:
    """For each named limit: how many carry it, and the least limit that any of them states."""
    found: dict[str, tuple[int, int]] = {}
    for use in uses:
        for name, limit in use.caps:
            number, least = found.get(name, (0, limit))
            found[name] = number + 1, min(least, limit)
    return found


def _span(start: int, units: int) -> str:
    return f"unit {start}" if units == 1 else f"units {start}-{start + units - 1}"


def _listed(starts: tuple[int, ...]) -> str:
    if len(starts) > 4 and starts == tuple(range(starts[0], starts[-1] + 1)):
        return f"{starts[0]}-{starts[-1]}"
    return ", ".join(map(str, starts))
