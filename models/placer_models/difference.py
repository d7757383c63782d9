"""What is not the same in two documents (`placer.difference/1`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from placer_models.document import Count, Document


class Change(Document):
    """One part that only one of two documents has (`before` or `after` is absent), or that is not the same in both.

    `what` is the kind of part, `name` says which one; `keys` are those of its keys that differ, where both have it.
    `before` and `after` are the part as each document says it; of a part that both have only what differs, and of what
    is one figure or word, that under the key `is`.
    """

    what: str
    name: str
    change: Literal["added", "removed", "changed"]
    keys: tuple[str, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class Difference(Document):
    """How `after` differs from `before`; `same` counts the parts that do not. Steps are told apart by what they do, not
    by their ids.
    """

    format: Literal["placer.difference/1"] = "placer.difference/1"
    of: Literal["snapshots", "placements", "plans"]
    changes: tuple[Change, ...] = ()
    same: Count = 0
