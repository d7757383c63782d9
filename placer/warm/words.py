"""Why a VM is best where it is: how the goals, one after the other, left fewer and fewer hosts."""

from __future__ import annotations

from placer.warm.field import Pick
from placer_models.scene import Stand

_SAID = {
    "should": "break the fewest wishes",
    "stranded": "strand the least GPU",
    "balance": "keep the fullest host least full",
    "ahead": "lose the least of what is expected to be asked for",
}


def why(pick: Pick, stand: Stand, hosts: int) -> str:
    """The reason for a choice, as a sentence for the operator."""
    said = [f"{pick.fitting} of {hosts} hosts have room"]
    now = pick.fitting
    for goal, left in pick.left:
        if left < now:
            said.append(f"{left} of them {_verb(_SAID[goal], left)}")
            now = left
    if pick.left and now > 1:
        said.append(f"the first of {now} that are equal")
    if pick.passed:
        more = f" and {pick.passed - len(pick.reasons)} more" if pick.passed > len(pick.reasons) else ""
        said.append(f"the best that no rule refuses: not {', '.join(pick.reasons)}{more}")
    return f"{stand.host}: {'; '.join(said)}"


def _verb(plural: str, count: int) -> str:
    first, _, rest = plural.partition(" ")
    return f"{first}s {rest}" if count == 1 else plural
