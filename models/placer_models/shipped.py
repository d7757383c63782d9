"""What comes with placer, by name; apart from who reads it, because commands name it before anything is read."""

from __future__ import annotations

from pathlib import Path

# Not by importlib.resources: every start would pay for it, and the package is never run from an archive.
_HERE = Path(__file__).parent
DECISIONS, GPUS = _HERE / "decisions", _HERE / "gpus"


def shipped() -> list[str]:
    """The names of the decisions that come with placer."""
    return sorted(entry.name.removesuffix(".toml") for entry in DECISIONS.iterdir() if entry.name.endswith(".toml"))
