"""How an answer closes: its scores, their bounds and gaps, and what is proven by them."""

from __future__ import annotations

from collections.abc import Mapping

from placer_models.plan import gap_of

NOT_ALL_BOUNDED = "the search ended by itself; some goals have no bound"
"""Why a search stopped that left nothing to try, where not every goal's bound is known."""

NOT_ALL_PROVEN = "the search ended by itself; some goals are not at their bound"
"""Likewise, where they are all known."""


PROVEN_IN_PART = "proven; the time limit ended a part of the search"
"""Likewise, where every goal is at its bound, but another such answer may be found on another day."""


def closing(
    scores: Mapping[str, int], bounds: Mapping[str, int | None], status: str, stopped: str
) -> dict[str, object]:
    """The closing fields of an answer, by the labels of its goals: optimal where every score is its bound; else
    `status`, and it `stopped`, as the search says.
    """
    proven = scores == bounds
    return {
        "status": "optimal" if proven else status,
        "score": scores,
        "bound": bounds,
        "gap": {label: gap_of(score, bounds[label]) for label, score in scores.items()},
        "stopped": _why(proven, None in bounds.values(), stopped),
    }


def _why(proven: bool, unbounded: bool, stopped: str) -> str:
    if proven and stopped != "interrupted":
        return PROVEN_IN_PART if stopped == "time limit" else "proven"
    return (NOT_ALL_BOUNDED if unbounded else NOT_ALL_PROVEN) if stopped == "proven" else stopped
