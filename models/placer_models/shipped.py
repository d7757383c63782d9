"""What comes with placer, by name; apart from who reads it, because commands name it before anything is read."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

DECISIONS: Traversable = files("placer_models") / "decisions"


def shipped() -> list[str]:
    """The names of the decisions that come with placer."""
    return sorted(entry.name.removesuffix(".toml") for entry in DECISIONS.iterdir() if entry.name.endswith(".toml"))
