"""Who is told how a search gets on."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Told of every better score while a search runs: the goal's label, the score, the bound."""
