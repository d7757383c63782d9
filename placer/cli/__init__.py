"""The commands: read, call, write, exit code."""

from __future__ import annotations

from placer.cli.commands import cli as main

__all__ = ["main"]
